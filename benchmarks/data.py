"""What the image store saves over decoding pictures in training, and what making it costs.

`python benchmarks/data.py [--pictures N] [--repeats K] [--folder DIR]`

On synthetic JPEGs of CelebA's 178x218 pixels:

* images a second, in batches of 128 at 64 pixels: from the store, as training reads them (mirrored
  and scaled), against torchvision's ImageFolder with CenterCrop, Resize, RandomHorizontalFlip,
  ToTensor and Normalize in a DataLoader of two workers, taking turns;
* the share of an update of dcgan_celeba that loading takes, on this processor;
* the process's own memory after the whole store was read, against a tenth of it;
* pictures a second of `prepare`, against a bare loop that decodes, crops and resizes the same files
  in as many processes and keeps nothing, taking turns.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from gan_lightning.store import Recipe, catalog, default_store, prepare
from gan_lightning.utils.hardware import machine, machine_in_words

SIZE, CROP, BATCH = 64, 178, 128
PROCESSES = 2


def picture(folder: Path, number: int) -> None:
    """Write a JPEG with the detail of a photograph: noise of all scales."""
    rng = np.random.default_rng(number)
    layers = np.zeros((218, 178, 3))
    for side in (4, 12, 36, 108):
        coarse = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        layers += np.asarray(coarse.resize((178, 218), Image.Resampling.BICUBIC)) / side
    pixels = (layers / layers.max() * 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f"{number:06d}.jpg", quality=90)


def bare(folder: Path, names: list[str]) -> int:
    """Decode, crop and resize files, and keep nothing."""
    for name in names:
        with Image.open(folder / name) as image:
            left, top = (image.width - CROP) // 2, (image.height - CROP) // 2
            square = image.crop((left, top, left + CROP, top + CROP))
            np.asarray(square.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return len(names)


def time_bare(folder: Path) -> float:
    """Return seconds of the bare loop, the start of its processes included, as for `prepare`."""
    names = sorted(path.name for path in folder.iterdir())
    parts = [names[start : start + 256] for start in range(0, len(names), 256)]
    start = time.perf_counter()
    with get_context("spawn").Pool(PROCESSES) as pool:
        for _ in pool.imap_unordered(partial(bare, folder), parts):
            pass
    return time.perf_counter() - start


def time_prepare(root: Path) -> float:
    """Return seconds of making the store anew."""
    store = default_store(root, SIZE)
    shutil.rmtree(store, ignore_errors=True)
    start = time.perf_counter()
    prepare(catalog.folder(root), Recipe("folder", SIZE), str(root), store, PROCESSES)
    return time.perf_counter() - start


def stored_batches(root: Path) -> Iterator[object]:
    """Yield batches as a run reads them, without end."""
    from gan_lightning.data import PictureFolder, RoundLoader, Schedule

    data = PictureFolder(PictureFolder.Config(root=str(root), batch_size=BATCH))
    rows, _ = data.training_data()
    stream = RoundLoader(
        rows, None, mirrors=data.mirrors, batch_size=BATCH, schedule=Schedule(10**9)
    )
    return (data.on_after_batch_transfer(batch, 0) for batch in stream)


def decoded_batches(root: Path) -> Iterator[object]:
    """Yield batches of torchvision's pipeline, epoch after epoch."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    steps = [
        transforms.CenterCrop(CROP),
        transforms.Resize(SIZE),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.5,) * 3, (0.5,) * 3),
    ]
    dataset = datasets.ImageFolder(str(root), transforms.Compose(steps))
    loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=2, persistent_workers=True)
    while True:
        for images, _ in loader:
            yield images


def seconds_a_batch(batches: Iterator[object], count: int) -> float:
    """Time some batches one after the other."""
    start = time.perf_counter()
    for _ in islice(batches, count):
        pass
    return (time.perf_counter() - start) / count


def seconds_an_update(root: Path, updates: int) -> float:
    """Time updates of dcgan_celeba on the store, through the Trainer; the median."""
    from loops import Finished, trainer

    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config
    from gan_lightning.core.module import BaseModule

    words = ["data.name=folder", f"data.root={root}", "log.wandb=disabled"]
    config = load_config(read_yaml(experiment_path("dcgan_celeba")), words)
    moments: list[float] = []

    def tick(learner: BaseModule, made: int) -> None:
        moments.append(time.perf_counter())
        if made >= updates + 2:
            raise Finished

    with suppress(Finished):
        trainer(config, tick)
    return median(after - before for before, after in pairwise(moments[2:]))


def own_memory() -> float:
    """Return the MiB that belong to this process alone, without mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


def in_turns(repeats: int, *timed: Callable[[], float]) -> list[list[float]]:
    """Time several things in turns, `repeats` times each."""
    rounds = [[time_one() for time_one in timed] for _ in range(repeats)]
    return [list(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    """Make the pictures, time, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--updates", type=int, default=8, help="of dcgan_celeba that are timed")
    parser.add_argument("--folder", type=Path, help="keep the pictures here; by default nowhere")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = (options.folder or Path(temporary)) / "faces"
        images = root / "all"
        images.mkdir(parents=True, exist_ok=True)
        for number in range(len(list(images.iterdir())), options.pictures):
            picture(images, number)
        report(root, images, options)


def report(root: Path, images: Path, options: argparse.Namespace) -> None:
    """Time everything and print a line each."""
    count = options.pictures
    print(f"{count:,} JPEGs of 178x218 pixels; {machine_in_words(machine())}", flush=True)
    plain, ours = in_turns(options.repeats, partial(time_bare, images), partial(time_prepare, root))
    ratios = [before / after for before, after in zip(plain, ours, strict=True)]
    print(
        f"prepare: {count / median(ours):,.0f} pictures/s, bare loop {count / median(plain):,.0f}: "
        f"{median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )
    from gan_lightning.utils.hardware import set_up_arithmetic

    set_up_arithmetic()
    import torch

    torch.set_num_threads(PROCESSES)
    pipelines = ((decoded_batches(root), 30), (stored_batches(root), 300))
    for batches, _ in pipelines:
        seconds_a_batch(batches, 4)
    timed = [partial(seconds_a_batch, *pipeline) for pipeline in pipelines]
    slow, fast = in_turns(options.repeats, *timed)
    ratios = [before / after for before, after in zip(slow, fast, strict=True)]
    print(
        f"batches: {BATCH / median(fast):,.0f} images/s from the store, "
        f"{BATCH / median(slow):,.0f} decoded by two workers: {median(ratios):.0f} times "
        f"({min(ratios):.0f} to {max(ratios):.0f})",
        flush=True,
    )
    memory = []
    for number in (max(1, count // BATCH // 10), count // BATCH):
        seconds_a_batch(stored_batches(root), number)
        memory.append(own_memory())
    print(
        f"memory of its own: {memory[0]:.0f} MiB after a tenth of the store was read, "
        f"{memory[1]:.0f} MiB after all of it",
        flush=True,
    )
    if options.updates:
        update = seconds_an_update(root, options.updates)
        print(
            f"an update of dcgan_celeba takes {update * 1e3:.0f} ms here, loading "
            f"{median(fast) * 1e3:.2f} ms of it: {median(fast) / update:.2%}",
            flush=True,
        )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
