"""Where figures and pictures go: a CSV file beside the run, and Weights & Biases."""

from gan_lightning.loggers.metrics_file import MetricsFile
from gan_lightning.loggers.wandb_run import WandbRun

__all__ = ["MetricsFile", "WandbRun"]
