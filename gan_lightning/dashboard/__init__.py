"""Dashboards at Weights & Biases as code: a saved workspace and a report about the lecture."""
