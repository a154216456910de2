"""Training in several processes: strategy, collectives, launchers, division of evaluations."""
