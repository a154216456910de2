"""What `gan-lightning play` shows: a run's generator under a person's hands, in a browser."""
