"""What a person sees of runs at Weights & Biases, as code: a saved workspace and a report."""
