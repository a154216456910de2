"""What is done with the model of a finished run: evaluate, sample, traverse."""
