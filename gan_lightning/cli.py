"""The commands that a person types; heavy imports happen only where a command needs them."""

from __future__ import annotations

import errno
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from gan_lightning.errors import UserError, nearest_first
from gan_lightning.startup import quick_imports, read_ahead

__all__ = ["main"]

Command = TypeVar("Command", bound=Callable[..., Any])
OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=", re.DOTALL)

STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
TAKE_OVERRIDES = ("train", "show", "verify")
TAKE_ANY_WORD = ("--output", "--runs", "--name")
WHOLE_NUMBER = re.compile(r"-?\d+")

EPILOG = """\b
Examples:
  gan-lightning list
  gan-lightning train infogan_mnist
  gan-lightning train infogan_mnist --seed 1 model.information_weight=0.5 trainer.max_steps=2000
  gan-lightning sample infogan_mnist --count 100 --output digits.png
  gan-lightning evaluate runs/infogan_mnist/2026-11-23_10-00-00
"""


class Failure(click.ClickException):
    """A user's mistake: one line, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"gan-lightning: {self.format_message()}", err=True)


def for_people(command: Command) -> Command:
    """Turn a UserError and an interrupt, by Ctrl-C or SIGTERM, into one line."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            return command(*args, **kwargs)
        except UserError as error:
            raise Failure(str(error)) from error
        except KeyboardInterrupt as interrupt:
            click.echo(
                "gan-lightning: interrupted; a run that has a checkpoint goes on by "
                "`gan-lightning train EXP --resume`",
                err=True,
            )
            sys.exit(128 + (interrupt.args or (signal.SIGINT,))[0])
        except Exception as error:
            if (cause := _storage_error(error)) is None:
                raise
            where = f" {cause.filename}" if cause.filename else ""
            raise Failure(
                f"cannot write{where}: {cause.strerror}; make room, then go on by "
                f"`gan-lightning train EXP --resume` where a run has a checkpoint"
            ) from error
        finally:
            signal.signal(signal.SIGTERM, before)

    return run  # type: ignore[return-value]


def _interrupt(number: int, _: Any) -> None:
    raise KeyboardInterrupt(number)


def _storage_error(error: BaseException | None) -> OSError | None:
    """Find, among an error and what led to it, a disk that is full or not to be written."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
            return error
        error = error.__cause__ or error.__context__
    return None


class CommandLine(click.Group):
    """Says in one line what is wrong with the words of a command line."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the words before the command."""
        with _usage_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Parse the words after the command, and run it."""
        with _usage_in_one_line():
            return super().invoke(ctx)


@contextmanager
def _usage_in_one_line() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        said = " ".join(error.format_message().split()).removesuffix(".")
        command = error.ctx.command_path if error.ctx else "gan-lightning"
        if isinstance(error, click.exceptions.NoSuchCommand):
            there = nearest_first(error.command_name, cli.commands)
            said = f"command {error.command_name!r} is unknown; valid are {there}"
        elif "unexpected extra" in said and command.endswith(TAKE_OVERRIDES):
            said += "; an override is key=value, as trainer.max_steps=2000"
        raise Failure(f"{said}; `{command} --help` shows examples") from error


@click.group(
    cls=CommandLine, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="gan-lightning")
def cli() -> None:
    """Train, compare and understand GANs: every experiment is one command.

    EXP is a name that `gan-lightning list` shows, or the path of a YAML file. RUN is a run folder,
    or an experiment's name for its latest run. Overrides are `key=value`, anywhere on the line;
    `gan-lightning show EXP` lists the keys.
    """


def overrides_argument(command: Command) -> Command:
    """Take the `key=value` words of the line."""
    decorated = click.option("overrides", "--set", multiple=True, hidden=True)(command)
    return decorated


@cli.command()
@click.argument("experiment", metavar="EXP")
@click.option("--devices", type=int, help="Processes a node, each with its own device.")
@click.option("--nodes", type=int, help="Machines; each runs this same command.")
@click.option("--accelerator", help="auto, cpu, gpu, cuda or mps.")
@click.option("--seed", type=int, help="Of weights, order of the data and all random draws.")
@click.option(
    "--resume",
    metavar="[RUN]",
    is_flag=False,
    flag_value="",
    help="Go on with a run, by default the latest of EXP, from its latest checkpoint.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the run; by default runs/EXP/<time>.",
)
@overrides_argument
@for_people
def train(
    experiment: str,
    devices: int | None,
    nodes: int | None,
    accelerator: str | None,
    seed: int | None,
    resume: str | None,
    output: Path | None,
    overrides: Sequence[str],
) -> None:
    """Train EXP, evaluate it, and say where everything is.

    \b
    Examples:
      gan-lightning train gan_ring
      gan-lightning train infogan_mnist --devices 2 --accelerator cpu trainer.max_steps=20
      gan-lightning train infogan_mnist --resume
    """
    from gan_lightning.experiment_files import experiment_path, read_yaml
    from gan_lightning.run_folder import RunFolder, is_first_process

    path = experiment_path(experiment)
    flags = {
        "trainer.devices": devices,
        "trainer.nodes": nodes,
        "trainer.accelerator": accelerator,
        "seed": seed,
    }
    given = [f"{key}={value}" for key, value in flags.items() if value is not None]
    changes = [*overrides, *given]
    if resume is not None and output is not None:
        raise UserError("--output and --resume exclude each other: a run stays in its folder")
    folder = None if resume is None else RunFolder.find(resume or path.stem)
    source = read_yaml(path if folder is None else folder.config_file)
    read_ahead(source, changes)
    with quick_imports():
        from gan_lightning.config import load_config
        from gan_lightning.run import train as run

    config = load_config(source, changes)
    outcome = run(config, path.stem, output, folder)
    if is_first_process():
        report(outcome, config, experiment)
        # the first process alone: Lightning kills it where another ends with an error
        if outcome.interrupted is not None:
            sys.exit(128 + outcome.interrupted)


def report(outcome: Any, config: Any, experiment: str) -> None:
    """Print what a run measured, its claims, and where everything is."""
    from gan_lightning.claims import judge

    later = f"not compared: `gan-lightning verify {experiment}` does"
    for name, value in outcome.measures.items():
        claims = [claim for claim in config.claims if claim.metric == name]
        said = "".join(
            f"   claim {judge(claim, [value], later).said}"
            + (f" ({claim.source})" if claim.source else "")
            for claim in claims
        )
        click.echo(f"  {name:<26} {value:>9.4f}{said}")
    minutes = outcome.seconds / 60
    click.echo(f"  {outcome.updates:,} updates; {minutes:.1f} minutes")
    click.echo(f"  run    {outcome.folder.path}")
    click.echo(f"  W&B    {outcome.wandb}")
    if outcome.interrupted is not None:
        click.echo(
            f"stopped at update {outcome.updates:,}; go on by "
            f"`gan-lightning train {experiment} --resume {outcome.folder.path}`"
        )


@cli.command("list")
@for_people
def list_experiments() -> None:
    """List the experiments: name, paper, data, claim."""
    from gan_lightning.claims import bound_in_short
    from gan_lightning.experiment_files import experiment_names, read_yaml
    from gan_lightning.tables import text_table

    rows = [("experiment", "paper", "data", "claim")]
    for name, path in experiment_names().items():
        content = read_yaml(path)
        claims = content.get("claims") or []
        rows.append(
            (
                name,
                str(content.get("paper") or "ours"),
                str((content.get("data") or {}).get("name", "")),
                "; ".join(bound_in_short(claim) for claim in claims) or "-",
            )
        )
    click.echo(text_table(rows))


@cli.command()
@click.argument("experiment", metavar="EXP")
@overrides_argument
@for_people
def show(experiment: str, overrides: Sequence[str]) -> None:
    """Print EXP with every key resolved: what a run of it would use.

    \b
    Example:
      gan-lightning show infogan_mnist model.continuous_codes=3
    """
    from gan_lightning.config import load_config, to_yaml
    from gan_lightning.experiment_files import experiment_path, read_yaml

    with quick_imports():
        config = load_config(read_yaml(experiment_path(experiment)), list(overrides))
    click.echo(to_yaml(config), nl=False)


@cli.command()
@click.argument("run", metavar="RUN", required=False)
@click.option(
    "--samples",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Judge the `images` or `points` of a file instead of a run.",
)
@click.option("--data", metavar="NAME", help="Data set to judge them against.")
@click.option("--count", type=int, help="Data to generate; by default what the run's config says.")
@for_people
def evaluate(run: str | None, samples: Path | None, data: str | None, count: int | None) -> None:
    """Measure a run's model anew from its checkpoint, or anybody's samples.

    \b
    Examples:
      gan-lightning evaluate infogan_mnist
      gan-lightning evaluate --samples digits.npz --data mnist
    """
    if (run is None) == (samples is None):
        raise UserError("evaluate needs a RUN, or --samples FILE.npz with --data NAME")
    if count is not None and count < 2:
        raise UserError(f"--count is {count}; it must be at least 2")
    with quick_imports():
        from gan_lightning import generation

    if run is not None:
        measures = generation.evaluate_run(run, count)
    else:
        assert samples is not None
        measures = generation.evaluate_file(samples, data)
    for name, value in measures.items():
        click.echo(f"  {name:<26} {value:>9.4f}")


@cli.command()
@click.argument("run", metavar="RUN")
@click.option("--count", type=int, default=64, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="FILE.npz: arrays `images` uint8 (N, H, W, C) or `points` float32 (N, 2), and `labels` "
    "and `codes` where the model has them. FILE.png: a picture.",
)
@for_people
def sample(run: str, count: int, seed: int, output: Path) -> None:
    """Generate data with a run's model.

    \b
    Example:
      gan-lightning sample infogan_mnist --count 10000 --seed 1 --output digits.npz
    """
    with quick_imports():
        from gan_lightning import generation

    generation.write_samples(run, count, seed, output)
    click.echo(f"wrote {count} samples to {output}")


@cli.command()
@click.argument("run", metavar="RUN")
@click.option("--rows", type=int, default=8, show_default=True, help="Of each panel.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what stays fixed.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("traversal.png"),
    show_default=True,
    metavar="FILE.png",
)
@for_people
def traverse(run: str, rows: int, seed: int, output: Path) -> None:
    """Draw what each code of a run's model does, all else fixed.

    \b
    Example:
      gan-lightning traverse infogan_mnist --output codes.png
    """
    with quick_imports():
        from gan_lightning import generation

    generation.write_traversal(run, rows, seed, output)
    click.echo(f"wrote {output}")


@cli.command()
@click.argument("experiment", metavar="EXP")
@click.option(
    "--seeds",
    type=int,
    multiple=True,
    default=(0, 1, 2),
    metavar="N N …",
    help="One run each; by default 0 1 2.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    metavar="DIR",
    help="Where runs of EXP are looked for, and made.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the results; by default docs/results of the checkout.",
)
@click.option(
    "--name",
    help="Of the results, a row of its own; needed to write them where overrides change what is "
    "measured. By default EXP.",
)
@click.option("--threads", type=int, help="Of torch; by default as many as torch chooses.")
@overrides_argument
@for_people
def verify(
    experiment: str,
    seeds: Sequence[int],
    runs: Path,
    output: Path | None,
    name: str | None,
    threads: int | None,
    overrides: Sequence[str],
) -> None:
    """Train EXP on several seeds and hold its paper's claims against the result.

    A finished run of the same config and seed is taken as it is, an interrupted one gone on with.
    Writes DIR/NAME.json and the first seed's pictures beside it; `gan-lightning results` makes a
    page of them.

    Exit code: 0 where every claim holds or has nothing to compare with, 1 where one does not hold,
    2 for a user's mistake, 128 + signal where a signal ended a run.

    \b
    Examples:
      gan-lightning verify gan_ring
      gan-lightning verify gan_ring --seeds 0 1 2 3 4
      gan-lightning verify gan_ring trainer.max_steps=400000 --name gan_ring_long
    """
    with quick_imports():
        from gan_lightning.verification import Request
        from gan_lightning.verification import verify as run

    request = Request(experiment, seeds, overrides, runs, output, name, threads)
    sys.exit(run(request, click.echo))


@cli.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Of the JSON files, by default docs/results of the checkout; the page is DIR.md.",
)
@for_people
def results(folder: Path | None) -> None:
    """Make docs/results.md of what `verify` wrote into docs/results.

    Claims are judged anew, so that one which compares two experiments sees the latest of both. A
    file NAME.note.md beside NAME.json goes into its section.

    \b
    Example:
      gan-lightning results --folder docs/results
    """
    from gan_lightning.results import results_folder
    from gan_lightning.results_page import write_page

    click.echo(write_page(folder or results_folder()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; exit code 2 is a user's mistake, 128 + signal an interrupted run."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    marked: list[str] = []
    takes_overrides = bool(words) and words[0] in TAKE_OVERRIDES
    for word in words:
        follows_option = bool(marked) and marked[-1] in TAKE_ANY_WORD
        override = takes_overrides and not follows_option and OVERRIDE.match(word)
        another_seed = marked[-2:-1] == ["--seeds"] and WHOLE_NUMBER.fullmatch(word)
        marked += ["--set", word] if override else ["--seeds", word] if another_seed else [word]
    cli.main(args=marked, prog_name="gan-lightning")
