"""Training: model, data and Trainer from a config; start, resume and launch of a run."""
