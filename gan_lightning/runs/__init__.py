"""The run directory and its state."""
