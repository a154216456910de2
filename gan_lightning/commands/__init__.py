"""The commands that a person types; heavy imports happen only where a command needs them."""

from __future__ import annotations

import click

from gan_lightning.commands.claims import results, verify
from gan_lightning.commands.completing import completion
from gan_lightning.commands.dashboard import dashboard
from gan_lightning.commands.data import prepare
from gan_lightning.commands.experiments import list_experiments, show
from gan_lightning.commands.exporting import export
from gan_lightning.commands.health import doctor
from gan_lightning.commands.models import evaluate, sample, traverse
from gan_lightning.commands.pictures import neighbours, timelapse
from gan_lightning.commands.playing import play
from gan_lightning.commands.report import compare, report
from gan_lightning.commands.sweep import sweep
from gan_lightning.commands.training import train

__all__ = ["COMMANDS"]

COMMANDS: tuple[click.Command, ...] = (
    train,
    list_experiments,
    show,
    evaluate,
    sample,
    traverse,
    verify,
    results,
    report,
    compare,
    prepare,
    play,
    dashboard,
    sweep,
    export,
    neighbours,
    timelapse,
    doctor,
    completion,
)
