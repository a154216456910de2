"""Timelapse of a training run: the pictures that it has drawn as a video or an animation."""

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
from gan_lightning.runs.models import find_trained
from gan_lightning.utils.files import write_output
from gan_lightning.utils.optional import require

__all__ = ["write_timelapse"]

Frames = Iterator[Image.Image]

PREFERRED_KINDS = (
    "portrait",
    "translations",
    "pairs",
    "scatter",
    "samples",
    "attacked",
    "traversal",
)
"""Kinds of picture; the first that a run has drawn is its default."""

NAME = re.compile(r"(?P<kind>.+)_(?P<update>\d{7,})\.png")
FRAME_RATE = 25
"""Frames per second of a video; GIF and WebP have one frame per picture."""

MIN_SIDE = 400
"""Pixels; smaller pictures are enlarged by a whole factor."""

CAPTION_HEIGHT = 44
"""Pixels below a picture for the progress bar and the number of updates."""

MAX_SECONDS = 600.0


def write_timelapse(
    run: str, output: Path | None = None, picture: str | None = None, seconds: float = 10.0
) -> tuple[Path, int]:
    """Write the pictures that a run has drawn during training as a video or an animation.

    Args:
        run: run directory, or name of an experiment.
        output: `.mp4`, `.gif` or `.webp` file; None for timelapse.mp4 in the run directory.
        picture: kind of picture, for example `samples`; None for the first of `PREFERRED_KINDS`
            that the run has drawn.
        seconds: duration.

    Returns:
        The file, and the number of pictures in it.

    Raises:
        UserError: there is no such run or kind, the run has less than two pictures of the kind, or
            the file cannot be written.
    """
    folder = find_trained(run)
    target = output or folder.path / "timelapse.mp4"
    if target.suffix not in WRITERS:
        raise UserError(f"--output is {target}; its name must end in {', '.join(WRITERS)}")
    if not 0 < seconds <= MAX_SECONDS:
        raise UserError(f"--seconds is {seconds:g}; it must be above 0 and at most {MAX_SECONDS:g}")
    if target.suffix == ".mp4":
        require("video")
    pictures = _pictures(folder, picture)
    limit = max(2, int(seconds * FRAME_RATE))
    if len(pictures) > limit:  # at even distances, including the first and the last
        pictures = [pictures[i * (len(pictures) - 1) // (limit - 1)] for i in range(limit)]
    write = WRITERS[target.suffix]
    write_output(target, lambda file: write(file, _frames(pictures), len(pictures), seconds))
    return target, len(pictures)


def _pictures(folder: RunDirectory, kind: str | None) -> list[tuple[int, Path]]:
    """Return (update, file) of the pictures of a kind, by update."""
    kinds: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(folder.samples.glob("*.png")):
        if match := NAME.fullmatch(path.name):
            kinds.setdefault(match["kind"], []).append((int(match["update"]), path))
    if kind is None:
        default = next(iter(kinds), "samples")
        kind = next((name for name in PREFERRED_KINDS if name in kinds), default)
    if kind not in kinds and kinds:
        raise UserError(f"--picture is {kind!r}; this run has {nearest_first(kind, kinds)}")
    pictures = sorted(kinds.get(kind, []))
    if len(pictures) < 2:
        count = "one picture" if pictures else "no pictures"
        raise UserError(
            f"run {folder.path} has {count}, and a timelapse needs two; train with a smaller "
            f"pictures.every_n_updates, for example pictures.every_n_updates=100"
        )
    return pictures


def _frames(pictures: Sequence[tuple[int, Path]]) -> Frames:
    """Yield pictures on canvases of the same even size, above a caption with the update."""
    sizes = [_open(path).size for _, path in pictures]
    width, height = (max(side) for side in zip(*sizes, strict=True))
    scale = max(1, -(-MIN_SIDE // max(width, height)))
    width, height = width * scale, height * scale
    # yuv420p stores one colour for two by two pixels
    canvas_size = (width + width % 2, height + CAPTION_HEIGHT + (height + CAPTION_HEIGHT) % 2)
    font = ImageFont.load_default(20)
    for update, path in pictures:
        picture = _open(path)
        picture = picture.resize([side * scale for side in picture.size], Image.Resampling.NEAREST)
        canvas = Image.new("RGB", canvas_size, "white")
        canvas.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
        draw = ImageDraw.Draw(canvas)
        progress = round(canvas.width * update / max(1, pictures[-1][0]))
        draw.rectangle((0, height, canvas.width, height + 4), fill="#dddddd")
        draw.rectangle((0, height, progress, height + 4), fill="#33658a")
        draw.text((10, height + 12), f"{update:,} updates", fill="black", font=font)
        yield canvas


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path).convert("RGB")
    except (OSError, SyntaxError) as error:
        raise UserError(f"picture {path} cannot be read; delete it") from error


def _write_video(file: IO[bytes], frames: Frames, count: int, seconds: float) -> None:
    """Write an MP4 file with H.264, or with MPEG-4 where PyAV lacks it."""
    import av

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    ends = [round((i + 1) * seconds * FRAME_RATE / count) for i in range(count)]
    # by name: an open file cannot have the index at its front, which browsers need to start early
    with av.open(file.name, "w", format="mp4", options={"movflags": "faststart"}) as video:
        stream = video.add_stream(codec, rate=FRAME_RATE)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        shown = 0
        for end, picture in zip(ends, frames, strict=True):
            if not shown:
                stream.width, stream.height = picture.size
            while shown < end:
                frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
                frame.pts, frame.time_base = shown, Fraction(1, FRAME_RATE)
                video.mux(stream.encode(frame))
                shown += 1
        video.mux(stream.encode())


def _write_animation(file: IO[bytes], frames: Frames, count: int, seconds: float) -> None:
    """Write an animation in an endless loop, GIF or WebP by the name of the file."""
    image_format = "GIF" if ".gif" in Path(file.name).suffixes else "WEBP"
    first, *others = frames
    first.save(
        file,
        image_format,
        save_all=True,
        append_images=others,
        duration=max(20, round(1000 * seconds / count)),
        loop=0,
        **({"quality": 90} if image_format == "WEBP" else {}),
    )


WRITERS: dict[str, Callable[[IO[bytes], Frames, int, float], None]] = {
    ".mp4": _write_video,
    ".gif": _write_animation,
    ".webp": _write_animation,
}
