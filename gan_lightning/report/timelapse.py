"""A training as a film: the pictures that a run has drawn, one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_lightning.errors import UserError, nearest_first
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.utils.files import write_output

__all__ = ["write_timelapse"]

Frames = Iterator[Image.Image]

MAIN_FIRST = ("portrait", "translations", "pairs", "scatter", "samples", "attacked", "traversal")
"""Which picture shows a run's training best, of those that there are."""

NAME = re.compile(r"(?P<kind>.+)_(?P<update>\d{7,})\.png")
RATE = 25
"""Frames a second of a video; those of GIF and WebP last as long as their picture."""

SMALLEST_SIDE = 400
BAR = 44
"""Pixels below a picture for the update's number."""

LONGEST = 600.0


def write_timelapse(
    run: str, output: Path | None = None, picture: str | None = None, seconds: float = 10.0
) -> tuple[Path, int]:
    """Write the pictures of a run's training as a film.

    Args:
        run: folder, or an experiment's name.
        output: `.mp4`, `.gif` or `.webp`; None for timelapse.mp4 in the run's folder.
        picture: which kind, as `samples`; None for the run's main one.
        seconds: that the film lasts.

    Returns:
        The file, and how many pictures it shows.

    Raises:
        UserError: there is no such run or kind, it has fewer than two pictures, or the file cannot
            be written.
    """
    folder = RunDirectory.find(run)
    target = output or folder.path / "timelapse.mp4"
    if target.suffix not in WRITERS:
        raise UserError(f"--output is {target}; its name must end in {', '.join(WRITERS)}")
    if not 0 < seconds <= LONGEST:
        raise UserError(f"--seconds is {seconds:g}; it must lie in 0 to {LONGEST:g}, above 0")
    chosen = _pictures(folder, picture)
    most = max(2, int(seconds * RATE))
    if len(chosen) > most:  # evenly, with the first and the last
        chosen = [chosen[i * (len(chosen) - 1) // (most - 1)] for i in range(most)]
    write = WRITERS[target.suffix]
    write_output(target, lambda file: write(file, _frames(chosen), len(chosen), seconds))
    return target, len(chosen)


def _pictures(folder: RunDirectory, kind: str | None) -> list[tuple[int, Path]]:
    """List (update, file) of a kind of picture, in order."""
    kinds: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(folder.samples.glob("*.png")):
        if found := NAME.fullmatch(path.name):
            kinds.setdefault(found["kind"], []).append((int(found["update"]), path))
    if kind is None:
        kind = next((name for name in MAIN_FIRST if name in kinds), next(iter(kinds), "samples"))
    if kind not in kinds and kinds:
        raise UserError(f"--picture is {kind!r}; this run has {nearest_first(kind, kinds)}")
    there = sorted(kinds.get(kind, []))
    if len(there) < 2:
        count = "one picture" if there else "no picture"
        raise UserError(
            f"run {folder.path} has {count} of its training, and a film needs two; train it with a "
            f"smaller pictures.every_n_updates, say pictures.every_n_updates=100"
        )
    return there


def _frames(pictures: Sequence[tuple[int, Path]]) -> Iterator[Image.Image]:
    """Yield pictures on canvases of one size, its sides even, each over its update's number."""
    sizes = [_opened(path).size for _, path in pictures]
    width, height = (max(side) for side in zip(*sizes, strict=True))
    scale = max(1, -(-SMALLEST_SIDE // max(width, height)))
    width, height = width * scale, height * scale
    # video has one colour for two by two pixels
    canvas_size = (width + width % 2, height + BAR + (height + BAR) % 2)
    font = ImageFont.load_default(20)
    for update, path in pictures:
        picture = _opened(path)
        picture = picture.resize([side * scale for side in picture.size], Image.Resampling.NEAREST)
        canvas = Image.new("RGB", canvas_size, "white")
        canvas.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
        pen = ImageDraw.Draw(canvas)
        done = round(canvas.width * update / max(1, pictures[-1][0]))
        pen.rectangle((0, height, canvas.width, height + 4), fill="#dddddd")
        pen.rectangle((0, height, done, height + 4), fill="#33658a")
        pen.text((10, height + 12), f"{update:,} updates", fill="black", font=font)
        yield canvas


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path).convert("RGB")
    except (OSError, SyntaxError) as error:
        raise UserError(f"picture {path} cannot be read; delete it") from error


def _write_video(
    file: IO[bytes], frames: Iterator[Image.Image], count: int, seconds: float
) -> None:
    """Write H.264, or MPEG-4 where PyAV lacks it, at 25 frames a second."""
    import av

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    ends = [round((i + 1) * seconds * RATE / count) for i in range(count)]
    # by name, not through the open file, which a browser could then not begin to play at once
    with av.open(file.name, "w", format="mp4", options={"movflags": "faststart"}) as film:
        stream = film.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        shown = 0
        for end, picture in zip(ends, frames, strict=True):
            if not shown:
                stream.width, stream.height = picture.size
            while shown < end:
                frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
                frame.pts, frame.time_base = shown, Fraction(1, RATE)
                film.mux(stream.encode(frame))
                shown += 1
        film.mux(stream.encode())


def _write_loop(file: IO[bytes], frames: Frames, count: int, seconds: float) -> None:
    """Write an animation that begins anew, GIF or WebP by the file's name."""
    kind = "GIF" if ".gif" in Path(file.name).suffixes else "WEBP"
    first, *others = frames
    first.save(
        file,
        kind,
        save_all=True,
        append_images=others,
        duration=max(20, round(1000 * seconds / count)),
        loop=0,
        **({"quality": 90} if kind == "WEBP" else {}),
    )


WRITERS: dict[str, Callable[[IO[bytes], Frames, int, float], None]] = {
    ".mp4": _write_video,
    ".gif": _write_loop,
    ".webp": _write_loop,
}
