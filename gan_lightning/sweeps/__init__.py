"""Search of an experiment's settings: the space, runs of it here or by W&B's agents, a ranking."""
