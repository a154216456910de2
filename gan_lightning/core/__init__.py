"""What all trained models share: base class, optimizers, seeding, compilation, fast paths."""
