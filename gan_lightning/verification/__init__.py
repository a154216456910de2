"""Verify the claims of an experiment over several seeds."""
