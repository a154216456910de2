"""gan_lightning: train, compare and understand generative adversarial networks."""
