"""Use the model of a finished run: evaluate, sample, traverse, check for memorization."""
