"""`gan-lightning play`: interactive pages for the generator of a run."""
