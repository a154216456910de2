"""What every trained module shares: base module, optimizers, seeding, compilation."""
