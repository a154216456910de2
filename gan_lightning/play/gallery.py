"""A page with all shipped models, each moving, in one file that loads nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from gan_lightning.callbacks.checkpoints import QUALITY
from gan_lightning.inference.loading import load_gan
from gan_lightning.play.animation import as_webp, caption, frames
from gan_lightning.results.topics import TOPICS, topic_of
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.models import find_model, shipped_models
from gan_lightning.runs.state import read_outcome
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.files import atomic_write

__all__ = ["write_gallery"]

STYLE = Path(__file__).with_name("gallery.css")

INTRODUCTION = (
    "Generators of gan-lightning. Those that it ships were trained by its experiments on two cores "
    "of a processor. <code>gan-lightning play NAME</code> opens one to move through; "
    "<code>gan-lightning train NAME</code> trains it again."
)


def write_gallery(runs: Sequence[str], output: Path) -> Iterator[str]:
    """Write the page, and yield the name of each model before it is drawn.

    Args:
        runs: runs or saved models; empty for the shipped models, in the order of the lecture.
        output: HTML file to write; an existing one is replaced.

    Raises:
        UserError: there is no such run, or it does not generate images or points.
        OSError: the file cannot be written.
    """
    shipped, cards = shipped_models(), []
    models = {run: find_model(run) for run in runs} or {n: shipped[n] for n in _in_order(shipped)}
    for name, model in models.items():
        yield name
        cards.append(_card(name, model))
    page = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>gan-lightning gallery</title><style>{STYLE.read_text(encoding='utf-8')}</style>"
        f"<header><h1>Gallery</h1><p>{INTRODUCTION}</p></header>"
        f"<main>{''.join(cards)}</main></html>\n"
    )
    atomic_write(output, page)


def _in_order(names: Iterable[str]) -> list[str]:
    """Return experiments in the order of the lecture."""
    order = [name for topic in TOPICS for name in topic.experiments]
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def _card(name: str, model: RunDirectory) -> str:
    """Return the HTML of one model."""
    gan, data, config = load_gan(str(model.path), "latest", needs_data=False)
    content = base64.b64encode(as_webp(frames(gan, data))).decode()
    kind = "pixels" if data.spec.is_image else "points"
    topic = topic_of(name)
    lines = [
        f'<img class="{kind}" alt="{escape(name)}" src="data:image/webp;base64,{content}">',
        f"<h2>{escape(config.title or name)}</h2>",
        f"<small>{escape(config.paper)}</small>" if config.paper else "",
        f"<p>{escape(topic.idea)}</p>" if topic is not None else "",
        f"<small>{escape(_facts(model.path))}; {escape(caption(gan, data))}.</small>",
        f"<p><code>{escape(command_line('gan-lightning', 'play', name))}</code></p>",
    ]
    return f"<article>{''.join(lines)}</article>"


def _facts(folder: Path) -> str:
    """Return the length of the training and the metric that chooses models, in one line."""
    outcome = read_outcome(folder)
    facts = [f"{outcome.updates:,} updates"]
    if outcome.seconds:
        facts.append(f"{outcome.seconds / 60:.0f} minutes")
    measures = outcome.measures or {}
    name = next((name for name in QUALITY if name in measures), None)
    if name is not None:
        facts.append(f"{name} {measures[name]:.3g}")
    return ", ".join(facts)
