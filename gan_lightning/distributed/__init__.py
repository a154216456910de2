"""Training in several processes: strategy, collectives, environment, sharding."""
