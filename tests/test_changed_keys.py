"""A run is resumed with another value of a key: it takes effect, is refused, or affects no result.

Keys without effect on results are those that `affects_result` declares, and those of the
evaluation. A run is continued with one changed key as `train` does it, but for evaluation, pictures
and files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from factories import make_config, quiet_trainer
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from torch.utils._pytree import tree_leaves

from gan_lightning.callbacks import Checkpoints
from gan_lightning.config.fingerprint import affects_result, flatten
from gan_lightning.config.load import load_config, to_yaml
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.data.mnist import domains, pairs
from gan_lightning.errors import UserError
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build
from gan_lightning.training.resume import TrainingStart
from gan_lightning.training.train import Run, train
from gan_lightning.training.trainer import build_trainer
from gan_lightning.utils.settings import Setting, settings_of

UPDATES, MORE = 1, 4
SCHEDULE = "{kind: linear, warmup: 2, updates: 8, start: 0.1, final: 0.2}"
BETAS_SCHEDULE = "{kind: linear, warmup: 2, updates: 8, start: [0.1, 0.1], final: [0.2, 0.9]}"
DIGITS = {
    "network": {"name": "dcgan", "width": 4},
    "data": {"name": "mnist", "batch_size": 8},
}
CASES: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "plain": ("gan", ["model.discriminator_steps=2"], {}),
    "schedules": (
        "gan",
        [
            "model.ema_decay=0.05",
            f"model.ema_schedule={SCHEDULE}",
            f"model.generator_optimizer.schedule={SCHEDULE}",
            f"model.generator_optimizer.betas_schedule={BETAS_SCHEDULE}",
            f"model.discriminator_optimizer.schedule={SCHEDULE}",
            f"model.discriminator_optimizer.betas_schedule={BETAS_SCHEDULE}",
            "model.regularisation.instance_noise=0.1",
            f"model.regularisation.instance_noise_schedule={SCHEDULE}",
        ],
        {},
    ),
    "penalties": (
        "gan",
        [
            "model.regularisation.r1=1",
            f"model.regularisation.r1_schedule={SCHEDULE}",
            "model.regularisation.r2=1",
            f"model.regularisation.r2_schedule={SCHEDULE}",
            "model.regularisation.gradient_penalty=1",
            f"model.regularisation.gradient_penalty_schedule={SCHEDULE}",
            "model.regularisation.instance_noise=0.1",
            "network.minibatch_kernels=3",
        ],
        {},
    ),
    "differences": (
        "gan",
        ["model.regularisation={r1: 1, r1_r2_gradients: finite_differences}"],
        {},
    ),
    "scores": (
        "gan",
        [
            "model.regularisation.lecam.weight=0.3",
            "model.regularisation.consistency={real: 1, generated: 1}",
            "model.regularisation.ada={enabled: true, target: -1, images: 16, interval: 8}",
        ],
        DIGITS,
    ),
    **{name: (name, [], {}) for name in ("acgan", "cogan", "ebgan", "pix2pix", "semi_supervised")},
    "cyclegan": ("cyclegan", ["model.identity_weight=1"], {}),
    "began": ("began", ["model.diversity_ratio=1", "model.proportional_gain=0.1"], {}),
    "projected": ("projected", [], DIGITS),
    "unrolled": ("unrolled", ["data.name=grid"], {}),
    "wgan": ("wgan", ["data.name=swissroll"], {}),
    "dirac": ("gan", [], {"network": {"name": "dirac"}, "data": {"name": "dirac"}}),
    "bilinear": ("wgan", [], {"network": {"name": "bilinear"}, "data": {"name": "dirac"}}),
    "consensus": ("gan", ["model.update_rule.name=consensus"], {}),
    "symplectic": (
        "gan",
        ["model.objective=minimax", "model.update_rule.name=symplectic"],
        {"network": {"name": "dirac", "psi": 4.0}, "data": {"name": "dirac"}},
    ),
    "lookahead": ("gan", ["model.update_rule={name: lookahead, lookahead_updates: 2}"], {}),
    "digits": ("infogan", [], DIGITS),
}
"""Name -> model, overrides and sections of runs that have, together, the keys that are checked."""

CHECKED_IN = {
    "data.labelled": "semi_supervised",
    "data.labelled_seed": "semi_supervised",
    "data.size": "digits",
    "model.ema_decay": "schedules",
    "model.ema_schedule": "schedules",
    "model.regularisation.augmentation": "digits",
    "model.regularisation.ada.enabled": "scores",
    "model.regularisation.ada.images": "scores",
    "model.regularisation.ada.interval": "scores",
    "model.regularisation.ada.target": "scores",
    "model.regularisation.ada.transforms": "scores",
    "model.regularisation.consistency.generated": "scores",
    "model.regularisation.consistency.real": "scores",
    "model.regularisation.consistency.transforms": "scores",
    "model.regularisation.lecam.decay": "scores",
    "model.regularisation.lecam.start_update": "scores",
    "model.regularisation.lecam.weight": "scores",
    "model.regularisation.gradient_penalty_norm": "penalties",
    "model.regularisation.gradient_penalty_points": "penalties",
    "model.regularisation.gradient_penalty_schedule": "penalties",
    "model.regularisation.instance_noise_schedule": "schedules",
    "model.regularisation.r1_schedule": "penalties",
    "model.regularisation.r2_schedule": "penalties",
    "model.regularisation.r1_r2_every_n_updates": "penalties",
    "model.regularisation.r1_r2_gradients": "penalties",
    "model.regularisation.finite_difference_step": "differences",
    "model.regularisation.instance_noise_updates": "penalties",
    "model.regularisation.one_sided": "penalties",
    "model.update_rule.align": "symplectic",
    "model.update_rule.lookahead_rate": "lookahead",
    "model.update_rule.lookahead_updates": "lookahead",
    "model.update_rule.weight": "consensus",
    "network.minibatch_dimensions": "penalties",
    "network.minibatch_layer": "penalties",
    "trainer.channels_last": "digits",
}
"""Keys that matter where another key is set; others are checked in the first case that has them."""

VALUES: dict[str, Any] = {
    "callbacks": [{"class": "pytorch_lightning.callbacks:Timer"}],
    "claims": [{"metric": "modes/covered", "at_least": 8}],
    "data.training_samples": 64,
    "evaluation.features": "pixels",
    "evaluation.measures": ["reconstruction"],
    "model.ema_decay": 0.1,
    "model.margin": 0.01,
    "model.regularisation.lecam.start_update": 3,
    "model.shared_generator_layers": 0,
    "model.discriminator_optimizer.clip_norm": 1e-3,
    "model.generator_optimizer.clip_norm": 1e-3,
    "overridden": {"seed": 1},
    "trainer.accelerator": "mps",
    "trainer.max_updates": MORE + 1,
    "trainer.precision": "bf16-mixed",
}
"""Other values, where the one that `other_value` chooses is not valid or too small a change."""

REFUSED = {
    "data.dimensions",
    "data.size",
    "evaluation.inception",
    "model.categorical_codes",
    "model.continuous_codes",
    "model.freeze_discriminator_layers",
    "model.discriminator_width",
    "model.latent_size",
    "model.pool_size",
    "model.regularisation.ada.enabled",
    "model.shared_generator_layers",
    "model.width",
    "network.batch_norm",
    "network.blocks",
    "network.discriminator_hidden",
    "network.discriminator_norm",
    "network.discriminator_width",
    "network.full_resolution_width",
    "network.generator_hidden",
    "network.generator_norm",
    "network.initialisation",
    "network.kernel",
    "network.maxout_pieces",
    "network.minibatch_dimensions",
    "network.minibatch_kernels",
    "network.minibatch_layer",
    "network.norm",
    "network.packing",
    "network.patch",
    "network.pixels",
    "network.psi",
    "network.smallest_map",
    "network.spectral_norm",
    "network.theta",
    "network.width",
    "network.x",
    "network.y",
    "trainer.accelerator",
    "trainer.start_from",
    "trainer.sync_batch_norm",
}
"""Keys that a run keeps: those of shapes and initial weights, and of what this machine lacks."""

SAME_NUMBERS = {
    "network.sync_minibatch_discrimination": "differs with several processes",
    "trainer.compile": "differs by rounding",
    "trainer.tf32": "differs on NVIDIA GPUs",
}
"""Keys that affect a result elsewhere, and here not."""


@dataclass(frozen=True)
class Key:
    """A key of a config, where it is declared, and its value."""

    name: str
    type: str
    declared: Setting | None
    value: Any


def keys_of(config: Any, prefix: str = "") -> Iterator[Key]:
    """Yield the keys of a config, those of optional sections included."""
    for entry in fields(config):
        key = Key(
            f"{prefix}{entry.name}",
            str(entry.type),
            settings_of(type(config))[entry.name],
            getattr(config, entry.name),
        )
        if is_dataclass(key.value):
            yield from keys_of(key.value, f"{key.name}.")
        if not is_dataclass(key.value) or "None" in key.type:
            yield key


@cache
def config_of(case: str) -> RunConfig:
    model, words, sections = CASES[case]
    return make_config(
        model, f"trainer.max_updates={UPDATES}", "log.wandb=disabled", *words, **sections
    )


@cache
def keys_checked_in() -> dict[str, list[Key]]:
    """Return case -> the keys that are checked in it; the name of a section is another test's."""
    chosen: dict[str, list[Key]] = {case: [] for case in CASES}
    seen = set()
    for case in CASES:
        for key in keys_of(config_of(case)):
            is_class = key.name in ("model.name", "network.name", "data.name")
            if CHECKED_IN.get(key.name, case) == case and not is_class and key.name not in seen:
                seen.add(key.name)
                chosen[case].append(key)
    return chosen


def other_value(key: Key) -> Any:
    """Return another valid value of a key."""
    if key.name in VALUES:
        return VALUES[key.name]
    value, declared = key.value, key.declared or Setting(description="")
    if is_dataclass(value):
        return None
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        choices = declared.valid_values() or ["word"]
        return [other_value(Key("", "", declared, value[0])), *value[1:]] if value else choices[:1]
    if choices := declared.valid_values():
        return next(choice for choice in choices if choice != value)
    if isinstance(value, int | float):
        nearby = (2 * value, value + 1, value - 1, value / 2, value + 0.1)
        return next(x for x in nearby if x != value and declared.contains(x))
    if "BetasSchedule" in key.type:
        return {"kind": "linear", "updates": 5, "final": [0.1, 0.9]}
    if "Schedule" in key.type:
        return {"kind": "linear", "updates": 5}
    return 0.5 if "float" in key.type else 1 if "int" in key.type else "word"


def override(key: Key) -> str:
    return f"{key.name}={json.dumps(other_value(key))}"


def begin(config: RunConfig, folder: Path) -> RunDirectory:
    """Train a run, and write the files that resuming it needs."""
    model, data = build(config)
    run = RunDirectory(folder)
    save = Checkpoints(run.checkpoints, 0, 1, config=to_yaml(config))
    quiet_trainer(callbacks=[save], enable_checkpointing=True).fit(model, datamodule=data)
    run.write_config(config)
    return run


class Continued(Exception):  # noqa: N818 - not an error
    """Raised instead of writing results.

    Args:
        config: config of the training.
        state: what the training has computed and how.
    """

    def __init__(self, config: RunConfig, state: list[Any]) -> None:
        super().__init__()
        self.config, self.state = config, state


def continue_training(run: Run, start: TrainingStart, keep_folder: bool = False) -> None:
    """Train on from the checkpoint, as `_train_in_directory` does, and write nothing."""
    config, model, own = run.config, run.model, run.extensions.callbacks
    trainer = build_trainer(config, run.experiment, start.run_directory, run.data.spec, [*own])
    if trainer.world_size == 1:
        trainer.fit(model, datamodule=run.data, ckpt_path=start.checkpoint, weights_only=True)
    weights = model.state_dict()
    state = [
        weights,
        [optimizer.state_dict() for optimizer in trainer.optimizers],
        model.updates,
        [value.stride() for value in weights.values()],
        [type(callback).__name__ for callback in own],
        (trainer.world_size, trainer.num_nodes),
    ]
    raise Continued(config, state)


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    trainer = partial(Trainer, enable_checkpointing=False, enable_progress_bar=False)
    monkeypatch.setattr("gan_lightning.training.train._train_in_directory", continue_training)
    monkeypatch.setattr("gan_lightning.training.trainer.Trainer", trainer)
    monkeypatch.setattr("gan_lightning.training.trainer.default_loggers", lambda *_: [])
    connector = "pytorch_lightning.trainer.connectors.callback_connector"
    monkeypatch.setattr(f"{connector}._load_external_callbacks", lambda _: [])  # searches packages
    monkeypatch.setattr("gan_lightning.training.checks.os.cpu_count", lambda: 2)
    monkeypatch.setattr("gan_lightning.data.mnist.datamodule.read_idx", few_digits)
    monkeypatch.setattr("gan_lightning.data.mnist.datamodule._padded_images", few_padded)
    caches = (pairs._training_edges, domains._translated_half)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:  # what was made of the noise
        cached.cache_clear()


def few_digits(name: str) -> NDArray[np.uint8]:
    """Return noise in place of the digits, which take long to be read, or their labels."""
    if "labels" in name:
        return np.arange(64, dtype=np.uint8) % 10
    return np.random.default_rng(0).integers(0, 256, (64, 28, 28), dtype=np.uint8)


def few_padded(name: str, border: int) -> torch.Tensor:
    digits = torch.from_numpy(few_digits(name))
    return torch.nn.functional.pad(digits, (border,) * 4).unsqueeze(-1)


def resume(run: RunDirectory, *changes: str) -> Continued | str:
    """Resume a run with changes; return what was computed, or the one line of the refusal."""
    config = load_config(as_plain(run_config(run)), [f"trainer.max_updates={MORE}", *changes])
    try:
        train(config, "test", resume=run)
    except Continued as continued:
        return continued
    except UserError as error:
        (line,) = str(error).splitlines()
        return line
    raise AssertionError("neither trained nor refused")


@cache
def run_config(run: RunDirectory) -> RunConfig:
    return run.config()


def same(first: Continued, second: Continued) -> bool:
    leaves = [tree_leaves(continued.state) for continued in (first, second)]
    return len(leaves[0]) == len(leaves[1]) and all(map(_equal, *leaves))


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return torch.equal(first, second)
    return bool(first == second)


def without_effect(key: str) -> bool:
    return not affects_result(key) or key.startswith("evaluation.") or key in SAME_NUMBERS


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("case", CASES)
def test_every_key_takes_effect_or_is_refused_or_has_no_effect(case: str, tmp_path: Path) -> None:
    run = begin(config_of(case), tmp_path / "run")
    files = contents(run.path)
    unchanged = resume(run)
    assert isinstance(unchanged, Continued)
    found: dict[str, str] = {}
    kept = []
    for key in keys_checked_in()[case]:
        if key.name not in REFUSED and without_effect(key.name):
            kept.append(key)
            continue
        result = resume(run, override(key))
        if isinstance(result, str):
            found[key.name] = "refused"
            reasons = (key.name, key.name.partition(".")[2], "does not fit the config: ")
            assert any(reason in result for reason in reasons), (key.name, result)
        else:
            found[key.name] = "no effect" if same(unchanged, result) else "effect"
            values = dict(flatten(as_plain(result.config)))
            if values.get(key.name) is not None:
                assert values[key.name] == other_value(key)
    expected = {name: "refused" if name in REFUSED else "effect" for name in found}
    assert {name: found[name] for name in found if found[name] != expected[name]} == {}
    result = resume(run, *map(override, kept))
    assert isinstance(result, Continued), result
    assert same(unchanged, result)
    assert contents(run.path) == files


def test_the_cases_have_all_keys_of_the_models() -> None:
    from gan_lightning.gans import GANS

    checked = {key.name for keys in keys_checked_in().values() for key in keys}
    for name, owner in GANS.items():
        for key in fields(owner.Config):
            start = f"model.{key.name}"
            assert any(k == start or k.startswith(f"{start}.") for k in checked), (name, start)
