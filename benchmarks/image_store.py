"""Measure the image store: reading speed, loading time, memory, and the time to prepare it.

`python benchmarks/image_store.py [--pictures N] [--repeats K] [--folder DIR]`

On synthetic JPEGs of 178x218 pixels, CelebA's size, it measures:

* images per second in batches of 128 at 64 pixels: read from the store as in training (mirrored and
  scaled), and decoded by torchvision's ImageFolder with CenterCrop, Resize, RandomHorizontalFlip,
  ToTensor and Normalize in a DataLoader with two worker processes; the two take turns;
* the fraction of an update of dcgan_celeba that loading takes on this processor;
* the anonymous memory of the process after reading a tenth of the store, and after all of it;
* images per second of `prepare`, and of a bare loop that decodes, crops and resizes the same files
  in as many processes and stores nothing; the two take turns.
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

from gan_lightning.store import ImageTransform, default_store, folders, prepare
from gan_lightning.utils.hardware import format_machine, machine_info

SIZE, CROP, BATCH = 64, 178, 128
PROCESSES = 2


def write_image(folder: Path, number: int) -> None:
    """Write a JPEG with noise at all scales, to decode about as slowly as a photograph."""
    rng = np.random.default_rng(number)
    layers = np.zeros((218, 178, 3))
    for side in (4, 12, 36, 108):
        coarse = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        layers += np.asarray(coarse.resize((178, 218), Image.Resampling.BICUBIC)) / side
    pixels = (layers / layers.max() * 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f"{number:06d}.jpg", quality=90)


def decode(folder: Path, names: list[str]) -> int:
    """Decode, crop and resize files, discard the images, and return the number of files."""
    for name in names:
        with Image.open(folder / name) as image:
            left, top = (image.width - CROP) // 2, (image.height - CROP) // 2
            square = image.crop((left, top, left + CROP, top + CROP))
            np.asarray(square.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return len(names)


def time_decoding(folder: Path) -> float:
    """Return the seconds of the bare loop, with the start of its processes as for `prepare`."""
    names = sorted(path.name for path in folder.iterdir())
    chunks = [names[start : start + 256] for start in range(0, len(names), 256)]
    start = time.perf_counter()
    with get_context("spawn").Pool(PROCESSES) as pool:
        for _ in pool.imap_unordered(partial(decode, folder), chunks):
            pass
    return time.perf_counter() - start


def time_prepare(root: Path) -> float:
    """Return the seconds of preparing the store from scratch."""
    store = default_store(root, SIZE)
    shutil.rmtree(store, ignore_errors=True)
    start = time.perf_counter()
    prepare(folders.folder(root), ImageTransform("folder", SIZE), str(root), store, PROCESSES)
    return time.perf_counter() - start


def stored_batches(root: Path) -> Iterator[object]:
    """Yield batches indefinitely, as training reads them."""
    from gan_lightning.data import ImageFolder, LoaderConfig, RoundLoader

    data = ImageFolder(ImageFolder.Config(root=str(root), batch_size=BATCH))
    rows, _ = data.training_data()
    stream = RoundLoader(
        rows,
        None,
        random_mirror=data.random_mirror,
        batch_size=BATCH,
        loader_config=LoaderConfig(10**9),
    )
    return (data.on_after_batch_transfer(batch, 0) for batch in stream)


def decoded_batches(root: Path) -> Iterator[object]:
    """Yield batches of torchvision's pipeline indefinitely."""
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


def seconds_per_batch(batches: Iterator[object], count: int) -> float:
    """Return the mean seconds per batch over `count` batches."""
    start = time.perf_counter()
    for _ in islice(batches, count):
        pass
    return (time.perf_counter() - start) / count


def seconds_per_update(root: Path, updates: int) -> float:
    """Return the median seconds of an update of dcgan_celeba on the store, with the Trainer."""
    from loops import Finished, trainer

    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config
    from gan_lightning.core.module import BaseModule

    overrides = ["data.name=folder", f"data.root={root}", "log.wandb=disabled"]
    config = load_config(read_yaml(experiment_path("dcgan_celeba")), overrides)
    times: list[float] = []

    def tick(model: BaseModule, updates_made: int) -> None:
        times.append(time.perf_counter())
        if updates_made >= updates + 2:
            raise Finished

    with suppress(Finished):
        trainer(config, tick)
    return median(after - before for before, after in pairwise(times[2:]))


def anonymous_memory() -> float:
    """Return the resident anonymous memory of this process in MiB, without mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


def measure_in_turns(repeats: int, *functions: Callable[[], float]) -> list[list[float]]:
    """Call timing functions in turns, and return `repeats` results of each."""
    turns = [[function() for function in functions] for _ in range(repeats)]
    return [list(column) for column in zip(*turns, strict=True)]


def main() -> None:
    """Write the images, measure, and print a report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--updates", type=int, default=8, help="timed updates of dcgan_celeba")
    parser.add_argument("--folder", type=Path, help="keep the images here (default: delete them)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = (options.folder or Path(temporary)) / "faces"
        images = root / "all"
        images.mkdir(parents=True, exist_ok=True)
        for number in range(len(list(images.iterdir())), options.pictures):
            write_image(images, number)
        report(root, images, options)


def report(root: Path, images: Path, options: argparse.Namespace) -> None:
    """Measure, and print one line for each measurement."""
    count = options.pictures
    print(f"{count:,} JPEGs of 178x218 pixels; {format_machine(machine_info())}", flush=True)
    decoding, preparing = measure_in_turns(
        options.repeats, partial(time_decoding, images), partial(time_prepare, root)
    )
    ratios = [slow / fast for slow, fast in zip(decoding, preparing, strict=True)]
    print(
        f"prepare: {count / median(preparing):,.0f} images/s, bare loop "
        f"{count / median(decoding):,.0f} images/s: "
        f"{median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )
    from gan_lightning.core.fast_paths import set_up_process

    set_up_process()
    import torch

    torch.set_num_threads(PROCESSES)
    pipelines = ((decoded_batches(root), 30), (stored_batches(root), 300))
    for batches, _ in pipelines:
        seconds_per_batch(batches, 4)
    functions = [partial(seconds_per_batch, *pipeline) for pipeline in pipelines]
    decoded, stored = measure_in_turns(options.repeats, *functions)
    ratios = [slow / fast for slow, fast in zip(decoded, stored, strict=True)]
    print(
        f"batches: {BATCH / median(stored):,.0f} images/s from the store, "
        f"{BATCH / median(decoded):,.0f} images/s decoded by two worker processes: "
        f"{median(ratios):.0f} times ({min(ratios):.0f} to {max(ratios):.0f})",
        flush=True,
    )
    memory = []
    for number in (max(1, count // BATCH // 10), count // BATCH):
        seconds_per_batch(stored_batches(root), number)
        memory.append(anonymous_memory())
    print(
        f"anonymous memory: {memory[0]:.0f} MiB after reading a tenth of the store, "
        f"{memory[1]:.0f} MiB after all of it",
        flush=True,
    )
    if options.updates:
        update = seconds_per_update(root, options.updates)
        print(
            f"an update of dcgan_celeba takes {update * 1e3:.0f} ms, of which loading takes "
            f"{median(stored) * 1e3:.2f} ms: {median(stored) / update:.2%}",
            flush=True,
        )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
