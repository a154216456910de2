"""From a config to a model, its data and a Trainer; training, resuming, launching."""
