"""Loggers of losses, metrics and pictures: a CSV file in the run directory, Weights & Biases."""

from gan_lightning.loggers.metrics_file import MetricsFile
from gan_lightning.loggers.wandb_run import WandbRun

__all__ = ["MetricsFile", "WandbRun"]
