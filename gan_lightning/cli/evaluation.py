"""Command `evaluate`: measure a run, samples of a file, or any images against real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_lightning.cli.arguments import checkpoint_option, complete_runs, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.next_step import suggest
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import fast_imports

if TYPE_CHECKING:
    from gan_lightning.inference.image_evaluation import ImageEvaluation

__all__ = ["evaluate"]

OF_REFERENCE = (
    *("extractor", "weights", "size", "channels", "resize", "reference_count", "root", "page"),
)
"""Options that belong to `--reference`."""


@click.command()
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_runs)
@click.option(
    "--samples",
    metavar="X",
    help="Evaluate images instead of a run: a file with `images` or `points` (.npz); with "
    "--reference also a folder of pictures, a generator file, or what --reference may be.",
)
@click.option("--data", metavar="NAME", help="Dataset to compare the samples of the file with.")
@click.option(
    "--reference",
    metavar="Y",
    help="Real images: mnist, mnist:test or another dataset; torchvision:CIFAR10; module:Name of "
    "a torch Dataset; a folder of pictures; a file with `images` (.npz).",
)
@click.option(
    "--extractor",
    metavar="E",
    help="Features for --reference: digits, clothes, faces, random, pixels, lite0, inception, "
    "dinov2, clip, or module:Net. By default the best that fits the reference.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of inception, dinov2 or clip; nothing is downloaded.",
)
@click.option("--size", type=int, metavar="N", help="Height and width to which images are resized.")
@click.option("--channels", type=int, metavar="1|3", help="Compare grey or colour images.")
@click.option(
    "--resize",
    metavar="crop|pad|stretch",
    help="How images become square before they are resized; by default the centre is cropped.",
)
@click.option(
    "--count",
    type=int,
    help="Number of samples; by default evaluation.samples of the run, 5,000 with --reference.",
)
@click.option("--reference-count", type=int, metavar="N", help="Largest number of real images.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the dataset that --reference or --samples names.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as one JSON object.")
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="With --reference: write a page with pictures of samples, neighbours and holes.",
)
@checkpoint_option
@overrides_argument
@handle_errors
def evaluate(
    run: str | None,
    samples: str | None,
    data: str | None,
    reference: str | None,
    count: int | None,
    as_json: bool,
    page: Path | None,
    checkpoint: str,
    overrides: Sequence[str],
    **of_reference: Any,
) -> None:
    """Evaluate a checkpoint of a run, samples from a file, or any images.

    The metrics of a run are also written to evaluation.json in its directory, beside those of its
    training in outcome.json; `export` puts them into the model card.

    With --reference, images of any source are compared with real ones of any source, in the
    features of any network, and each measure has an interval. "Evaluate anybody's samples" in the
    docs says what each measure sees.

    Overrides of a run are evaluation.KEY=VALUE, and data.root=DIR or data.store=DIR where the data
    have moved.

    \b
    Examples:
      gan-lightning evaluate infogan_mnist
      gan-lightning evaluate dcgan_celeba evaluation.inception=inception.pth
      gan-lightning evaluate --samples digits.npz --data mnist
      gan-lightning evaluate --samples faces.npz --data celeba data.root=/data/celeba
      gan-lightning evaluate --samples pictures/ --reference torchvision:CIFAR10 --root data
      gan-lightning evaluate --samples digits.npz --reference mnist --page digits.html
    """
    if run is not None and samples is not None:
        raise UserError(
            f"a run, {run}, and --samples {samples} are two sources; leave out one. The number of "
            f"samples is --count"
        )
    if run is None and samples is None:
        raise UserError(
            "evaluate needs a RUN, or --samples FILE.npz with --data NAME, or --samples X with "
            "--reference Y"
        )
    if count is not None and count < 2:
        raise UserError(f"--count is {count}; it must be at least 2")
    if reference is not None:
        if data is not None:
            raise UserError("--data and --reference are two ways to name real images; give one")
        name = run if samples is None else samples
        assert name is not None
        _evaluate_images(name, reference, count, as_json, page, checkpoint, overrides, of_reference)
        return
    given = [
        option for option in OF_REFERENCE if {**of_reference, "page": page}[option] is not None
    ]
    if given:
        raise UserError(
            f"--{given[0].replace('_', '-')} belongs to --reference Y, which names real images"
        )
    with fast_imports():
        from gan_lightning.inference.evaluate import evaluate_file, evaluate_run

    if run is not None:
        metrics = evaluate_run(run, count, checkpoint, overrides)
    else:
        assert samples is not None
        metrics = evaluate_file(Path(samples), data, overrides)
    if as_json:
        from gan_lightning.runs.state import to_json

        click.echo(json.dumps(to_json(metrics), indent=2))
        return
    for name, value in metrics.items():
        click.echo(f"  {name:<26} {value:>9.4f}")
    if run is not None:
        suggest("report", run)


def _evaluate_images(
    samples: str,
    reference: str,
    count: int | None,
    as_json: bool,
    page: Path | None,
    checkpoint: str,
    overrides: Sequence[str],
    options: dict[str, Any],
) -> None:
    """Compare images with a reference, print the measures, and write the page."""
    if page is not None:
        from gan_lightning.utils.optional import require

        if page.suffix != ".html":
            raise UserError(f"--page is {page}; its name must end in .html")
        require("report")
    with fast_imports():
        from gan_lightning.inference.evaluate_images import evaluate_images
        from gan_lightning.inference.image_evaluation import ImageOptions

    given = {"fit": options.pop("resize"), "count": count, **options}
    evaluation = evaluate_images(
        ImageOptions(
            samples,
            reference,
            checkpoint=checkpoint,
            overrides=overrides,
            **{key: value for key, value in given.items() if value is not None},
        ),
        lambda line: click.echo(f"{line} …", err=True),
    )
    if as_json:
        click.echo(json.dumps(evaluation.as_json(), indent=2))
    else:
        _print(evaluation)
    if page is not None:
        from gan_lightning.inference.evaluation_page import write_page

        write_page(evaluation, page)
        click.echo(f"wrote {page}", err=as_json)


def _print(evaluation: ImageEvaluation) -> None:
    """Print what was compared, and a row for each measure."""
    from gan_lightning.inference.image_evaluation import CAUTION
    from gan_lightning.inference.image_measures import ABOUT

    for line in evaluation.lines():
        click.echo(line)
    click.echo(f"  {'measure':<18} {'value':>10}   {'95 % interval':<24} {'samples':>7}  better")
    for measure in evaluation.measures:
        between = f"{measure.low:.4f} to {measure.high:.4f}"
        click.echo(
            f"  {measure.name:<18} {measure.value:>10.4f}   {between:<24} {measure.samples:>7,}  "
            f"{ABOUT[measure.name].better}"
        )
    click.echo(CAUTION)
