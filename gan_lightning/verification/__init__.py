"""Verification: train an experiment on several seeds and evaluate its claims."""
