"""Several processes play one game."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from worlds import config, quiet_trainer, weights

from gan_lightning.build import build
from gan_lightning.distributed import AlternatingDDP
from gan_lightning.gans import GAN


def play(model: str, world: int, folder: Path, *options: str) -> None:
    """Train in this process, Lightning's launcher starting the others; write each rank's state."""
    torch.set_num_threads(1)
    learner, data = build(config(model, "trainer.max_steps=20", *options))
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


def run(model: str, world: int, folder: Path, *options: str) -> None:
    command = [sys.executable, __file__, model, str(world), str(folder), *options]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, timeout=120, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    ("model", "options"), [("gan", ("model.regularisation.r1=0.5",)), ("infogan", ())], ids=str
)
def test_two_processes_equal_one_and_each_other(
    model: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    for world in (1, 2):
        run(model, world, tmp_path, *options)
    one, first = (load_file(tmp_path / f"{model}-{world}-0.safetensors") for world in (1, 2))
    for name, value in one.items():
        torch.testing.assert_close(first[name], value, rtol=1e-3, atol=1e-5)
    assert_one_game(model, options, tmp_path)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("wgan_gp", ("network.spectral_norm=true",)),
        ("unrolled", ("network.packing=2", "model.regularisation.instance_noise=0.1")),
    ],
    ids=str,
)
def test_processes_stay_equal_where_each_has_a_part_of_its_own(
    model: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """Places of the penalty, noise, steps ahead and packs are a process's own; weights are one."""
    run(model, 2, tmp_path, *options)
    assert_one_game(model, options, tmp_path)


def assert_one_game(model: str, options: tuple[str, ...], folder: Path) -> None:
    """Check that two processes end alike, and sent the stepping player's gradients and no more."""
    first, second = (load_file(folder / f"{model}-2-{rank}.safetensors") for rank in (0, 1))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    report = json.loads((folder / f"{model}-2-0.json").read_text())
    learner, _ = build(config(model, *options))
    assert isinstance(learner, GAN)
    steps = learner.config.discriminator_steps
    assert report["images"] == 20 * 8 * steps
    discriminator, generator = (
        sum(weight.numel() for weight in optimizer.param_groups[0]["params"])
        for optimizer in learner.configure_optimizers()
    )
    sent = [size for size in report["messages"] if size in (discriminator, generator)]
    assert sent == ([discriminator] * steps + [generator]) * 20


if __name__ == "__main__":
    play(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
