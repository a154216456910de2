"""The documentation page of the proof, written from its record alone."""

from __future__ import annotations

from types import ModuleType

from gan_lightning.utils.tables import markdown_table
from gpu_proof import equality, measures, processes, speed, waiting
from gpu_proof.record import Record, Row

__all__ = ["PARTS", "page"]

PARTS: dict[str, ModuleType] = {
    "a": equality,
    "b": waiting,
    "c": speed,
    "d": measures,
    "e": processes,
}
"""Letter -> module, whose docstring explains the part."""

NOTHING = """**Nothing was measured on a GPU yet**, for lack of one: all figures of this
documentation are those of processors, and the tables below are empty. Whether everything fits into
the time on a GPU is not known either. The program itself is tested on a processor
(`tests/test_gpu_proof.py`), and so is that no step waits for its device
(`tests/test_fake_device.py`, on a device without values). That rounds as CUDA graphs give the
weights of eager ones is tested with a stand-in that records the operations of a round and runs them
again (`tests/test_cuda_graphs.py`); no graph of CUDA was captured yet."""

INTRODUCTION = """# Proof on a GPU

`make gpu` measures on one GPU what has to hold there, the most important first; each heading says
what that is. It begins no measurement after nine minutes (`ARGS="--minutes M"`). It can be stopped
and started again: what was measured at the same revision on the same machine is kept.
`make gpu ARGS="--peer CHECKOUT"` also times PyTorch-GAN's scripts, and
`make gpu ARGS="--accelerator cpu --quick --output FOLDER"` tries the program on a processor.

`trainer.cuda_graphs=true` captures whole rounds, all steps of an update, as CUDA graphs, since the
launches of a small network's operations take longer than the operations. Rounds are eager, with a
line in the log that says why: on another device; with several processes, a gradient scaler,
anomaly detection, compiled networks, or a hook around backward passes and steps; with the update
rules extragradient and lookahead; with CycleGAN's pool of images. A graph belongs to the numbers of
an update: rounds are also eager while a schedule changes a learning rate, betas, the weight of a
penalty or instance noise, and penalties in every k-th update have a graph of their own."""


def page(record: Record | None) -> str:
    """Generate docs/gpu.md.

    Args:
        record: what was measured; None for a page that says that nothing was.
    """
    about = NOTHING if record is None else _about(record)
    lines = [INTRODUCTION, "", about]
    for letter, module in PARTS.items():
        title, _, text = (module.__doc__ or "").partition("\n\n")
        lines += ["", f"## {title.removesuffix('.')}", "", text.strip(), ""]
        lines += [markdown_table([["measured", "verdict", "result"], *_rows(record, letter)])]
    return "\n".join(lines) + "\n"


def _about(record: Record) -> str:
    words = ", ".join(f"{name} {value}" for name, value in record.about.items())
    wrong = sum(row["verdict"] == "WRONG" for row in record.rows.values())
    return f"Measured with: {words}. Of {len(record.rows)} items {wrong} are wrong."


def _rows(record: Record | None, letter: str) -> list[list[str]]:
    rows: dict[str, Row] = {} if record is None else record.rows
    found = [
        [key.removeprefix(f"{letter} "), str(row["verdict"]), str(row["text"])]
        for key, row in rows.items()
        if key.startswith(f"{letter} ")
    ]
    return found or [["", "not measured", ""]]
