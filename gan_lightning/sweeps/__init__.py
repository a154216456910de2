"""Hyperparameter sweeps: the `sweep:` block, local search, W&B agents, and the ranking."""
