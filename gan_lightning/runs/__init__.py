"""The run directory: its files, its outcome, its lock."""
