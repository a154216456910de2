"""Several processes play one game."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from worlds import config, quiet_trainer, weights

from gan_lightning.build import build
from gan_lightning.distributed import AlternatingDDP


def play(model: str, world: int, folder: Path) -> None:
    """Train in this process, Lightning's launcher starting the others; write each rank's state."""
    torch.set_num_threads(1)
    learner, data = build(config(model, "trainer.max_steps=20"))
    messages: list[int] = []
    import torch.distributed as dist

    reduce = dist.all_reduce

    def counted(tensor: torch.Tensor, *args: object, **kwargs: object) -> object:
        messages.append(tensor.numel())
        return reduce(tensor, *args, **kwargs)

    dist.all_reduce = counted
    strategy = AlternatingDDP() if world > 1 else "auto"
    quiet_trainer(devices=world, strategy=strategy).fit(learner, datamodule=data)
    save_file(
        {name: value.contiguous() for name, value in weights(learner).items()},
        folder / f"{model}-{world}-{learner.global_rank}.safetensors",
    )
    report = {"images": learner.images_seen, "messages": messages}
    (folder / f"{model}-{world}-{learner.global_rank}.json").write_text(json.dumps(report))


def run(model: str, world: int, folder: Path) -> None:
    command = [sys.executable, __file__, model, str(world), str(folder)]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, timeout=120, env=environment, capture_output=True)


@pytest.mark.parametrize("model", ["gan", "infogan"])
def test_two_processes_equal_one_and_each_other(model: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    for world in (1, 2):
        run(model, world, tmp_path)
    one, first, second = (
        load_file(tmp_path / f"{model}-{name}.safetensors") for name in ("1-0", "2-0", "2-1")
    )
    for name, value in one.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value, rtol=1e-3, atol=1e-5)
    reports = [json.loads((tmp_path / f"{model}-{n}.json").read_text()) for n in ("1-0", "2-0")]
    assert reports[0]["images"] == reports[1]["images"] == 20 * 8

    learner, _ = build(config(model))
    sizes = [
        sum(weight.numel() for weight in parameters)
        for parameters in (
            optimizer.param_groups[0]["params"]
            for optimizer in learner.configure_optimizers()  # type: ignore[union-attr]
        )
    ]
    assert [size for size in reports[1]["messages"] if size in sizes] == sizes * 20


if __name__ == "__main__":
    play(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
