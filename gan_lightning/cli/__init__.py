"""The command line; a command imports torch and other slow packages only when it runs."""

from __future__ import annotations

import click

from gan_lightning.cli.completion import completion
from gan_lightning.cli.dashboard import dashboard
from gan_lightning.cli.demo import demo
from gan_lightning.cli.diagnose import diagnose
from gan_lightning.cli.doctor import doctor
from gan_lightning.cli.evaluation import evaluate
from gan_lightning.cli.experiments import list_experiments, show
from gan_lightning.cli.export import export
from gan_lightning.cli.gallery import gallery
from gan_lightning.cli.inference import sample, traverse
from gan_lightning.cli.new import new
from gan_lightning.cli.pictures import neighbours, timelapse
from gan_lightning.cli.play import play
from gan_lightning.cli.prepare import prepare
from gan_lightning.cli.report import compare, report
from gan_lightning.cli.sweep import sweep
from gan_lightning.cli.train import train
from gan_lightning.cli.verify import results, verify

__all__ = ["COMMANDS"]

COMMANDS: tuple[click.Command, ...] = (
    demo,
    train,
    new,
    list_experiments,
    show,
    evaluate,
    sample,
    traverse,
    verify,
    results,
    report,
    compare,
    diagnose,
    prepare,
    play,
    gallery,
    dashboard,
    sweep,
    export,
    neighbours,
    timelapse,
    doctor,
    completion,
)
