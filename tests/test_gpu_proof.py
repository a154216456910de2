"""The proof of `make gpu`: what it compares, what it stores, and that it can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CHECKOUT
from factories import ALL_GANS, make_config
from fake_device import DEVICE, WaitError, fake_trainer
from fake_device import fake_device as fake_device
from recorded_graphs import recorded_graphs as recorded_graphs
from torch.utils._python_dispatch import TorchDispatchMode

from gan_lightning.data import DATASETS, LoaderConfig
from gan_lightning.gans import GAN
from gan_lightning.testing.synthetic import SyntheticData
from gan_lightning.training.build import build


@pytest.fixture
def proof(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the package; importing the benchmarks registers a dataset."""
    before = dict(DATASETS)
    monkeypatch.syspath_prepend(CHECKOUT / "benchmarks")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import gpu_proof

    yield gpu_proof
    DATASETS.clear()
    DATASETS.update(before)


class DrawsOnHost(TorchDispatchMode):
    """Fails where random numbers are drawn on the fake device."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in function.tags and isinstance(result, torch.Tensor):
            assert result.device != DEVICE, function
        return result


@pytest.mark.parametrize("model", ALL_GANS)
def test_all_random_numbers_are_those_of_the_host(
    model: str, proof: Any, fake_device: Callable[[], list[int]]
) -> None:
    """Otherwise a GPU and the processor would play different games, and no weights be compared."""
    from gpu_proof.training import host_randomness

    gan, data = build(make_config(model))
    noise = SyntheticData(data.model_spec)
    assert isinstance(gan, GAN)
    noise.loader_config = LoaderConfig(1, gan.config.minibatches_per_round)
    with host_randomness(), DrawsOnHost():
        fake_trainer().fit(gan, datamodule=noise)
    assert fake_device() == [1]


def test_the_host_draws_what_it_draws_alone(proof: Any) -> None:
    from gpu_proof.training import host_randomness

    images = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)
    drawn = []
    for context in (host_randomness(), torch.random.fork_rng()):
        torch.manual_seed(0)
        with context:
            rng = torch.Generator("cpu").manual_seed(1)
            drawn.append([torch.rand_like(images), torch.rand(3, generator=rng), torch.randn(2)])
    for first, second in zip(*drawn, strict=True):
        assert torch.equal(first, second)


def test_weights_that_differ_are_wrong(proof: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpu_proof import equality

    (setup,) = [s for name, s in equality.setups(quick=True).items() if name == "gan"]
    row = equality.compare(setup, "cpu", 4)
    assert row["verdict"] == "holds"
    assert (row["difference"], row["repeated"], row["resumed"]) == (0, True, True)
    train, calls = equality.train, []

    def disturbed(*args: Any, **settings: Any) -> Any:
        calls.append(args)
        weights = train(*args, **settings)
        if len(calls) in (2, 4):  # on the device; a second time with deterministic algorithms
            weights = {name: value + 1e-3 for name, value in weights.items()}
        return weights

    monkeypatch.setattr(equality, "train", disturbed)
    row = equality.compare(setup, "cpu", 4)
    assert row["verdict"] == "WRONG"
    assert (row["difference"] > 1e-4, row["repeated"], row["resumed"]) == (True, False, True)


def test_weights_with_graphs_are_compared_with_those_without(
    proof: Any, monkeypatch: pytest.MonkeyPatch, recorded_graphs: None
) -> None:
    from gpu_proof import equality
    from gpu_proof.record import Settings

    setup, settings = equality.setups(quick=True)["gan"], Settings("cpu", quick=True)
    row = equality.compare_graphs(setup, settings, 6)
    assert (row["verdict"], row["difference"], row["equal"]) == ("holds", 0, True)
    assert row["text"].startswith("1 graphs")
    monkeypatch.setattr(GAN, "reason_against_graphs", lambda gan: "it differs")
    row = equality.compare_graphs(setup, settings, 6)
    assert (row["verdict"], row["text"]) == ("skipped", "rounds are eager: it differs")
    (row,) = [item.measure() for item in equality.items(settings) if "graphs" in item.name]
    assert row["verdict"] == "skipped"
    assert row["text"].startswith("rounds are eager: not on CUDA")


def test_speeds_with_graphs_are_at_least_so_many_times_those_without(
    proof: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpu_proof import speed
    from gpu_proof.record import Settings

    times = {"trainer.cuda_graphs=true": 1.0}

    def time_loop(loop: str, experiment: str, overrides: Any, *_: Any) -> dict[str, float]:
        return {"milliseconds": times[overrides[1]]}

    monkeypatch.setattr(speed, "time_loop", time_loop)
    rows = []
    for eager, at_least in ((4.0, 5.0), (4.0, None), (6.0, 5.0)):
        times["trainer.cuda_graphs=false"] = eager
        rows.append(speed._graphs("gan_ring", at_least, Settings("cuda"), speed.QUICK))
    assert [row["verdict"] for row in rows] == ["WRONG", "holds", "holds"]
    assert rows[2]["text"] == "1 ms an update, eager 6: 6.00 times as fast"
    row = speed._graphs("gan_ring", 5.0, Settings("cpu"), speed.QUICK)
    assert (row["verdict"], row["text"]) == ("skipped", "rounds are eager: not on CUDA")


def test_steps_are_strict_and_nothing_else_is(proof: Any) -> None:
    from gpu_proof import training, waiting

    modes: list[str] = []
    setup = training.setups(quick=True)["gan"]
    step = GAN.training_step
    with waiting.strict_steps(modes.append):
        training.train(setup, "cpu", 2)
    assert modes == ["error", "default"] * 4  # two transfers and two steps
    assert GAN.training_step is step
    with pytest.raises(WaitError), waiting.strict_steps(fail):
        training.train(setup, "cpu", 2)


def fail(mode: str) -> None:
    raise WaitError(mode)


def test_measures_that_differ_are_named(proof: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpu_proof import measures
    from gpu_proof.record import Settings

    settings = Settings("cpu", quick=True)
    assert measures.compare("gan_ring", settings, 100)["verdict"] == "holds"
    values = iter(
        [{"a": 1.0, "b": 2.0, "c": float("nan")}, {"a": 1.0, "b": 2.1, "c": float("nan")}]
    )
    monkeypatch.setattr(measures, "evaluate", lambda *_: next(values))
    row = measures.compare("gan_ring", settings, 100)
    assert row["verdict"] == "WRONG"
    assert row["text"] == "2 of 3 measures are equal; b 2, 2.1"


def test_speeds_are_medians_of_blocks(proof: Any) -> None:
    from gpu_proof import speed
    from gpu_proof.record import Settings

    settings = Settings("cpu", quick=True)
    measured = speed.time_loop("bare", *speed.POINTS, settings, speed.Plan(1, 2, 3))
    assert measured["images"] == pytest.approx(16_000 / measured["milliseconds"])
    assert measured["mebibytes"] == 0


def test_the_whole_list_has_each_part_once(proof: Any) -> None:
    import gpu
    from gpu_proof.record import Settings

    for settings in (Settings("cuda"), Settings("cpu", quick=True)):
        keys = [item.key for item in gpu._ordered(settings)]
        assert len(keys) == len(set(keys))
        assert {key[0] for key in keys} == set("abcde")
        assert keys[0].startswith("b ")


def test_results_are_kept_errors_too_and_the_time_is_limited(proof: Any, tmp_path: Path) -> None:
    from gpu_proof.record import Item, Record, run_items, verdict

    measured: list[str] = []

    def measure(name: str) -> Callable[[], dict[str, Any]]:
        def row() -> dict[str, Any]:
            measured.append(name)
            if name == "broken":
                raise RuntimeError("no\nkernel")
            if name == "ended":
                raise SystemExit("the work is not the same")
            return verdict(True, "fine")

        return row

    items = [Item("a", name, measure(name)) for name in ("one", "broken", "ended", "four")]
    path, about = tmp_path / "gpu.json", {"revision": "1"}
    assert not [*run_items(items, Record.open(path, about), -1.0)]
    run = run_items(items, Record.open(path, about), 60)
    assert next(run)[0] == "a one"
    run.close()
    rows = dict(run_items(items, Record.open(path, about), 60))
    assert measured == ["one", "broken", "ended", "four"]
    assert (rows["a broken"]["verdict"], rows["a broken"]["text"]) == (
        "WRONG",
        "RuntimeError: no kernel",
    )
    assert rows["a ended"]["text"] == "SystemExit: the work is not the same"
    assert len(Record.open(path, about).rows) == 4
    assert not Record.open(path, {"revision": "2"}).rows


def test_the_page_is_that_of_the_record(proof: Any, tmp_path: Path) -> None:
    from gpu_proof.page import page
    from gpu_proof.record import Record, verdict

    assert (CHECKOUT / "docs" / "gpu.md").read_text() == page(None)
    record = Record(tmp_path / "gpu.json", {"GPU": "of a test"})
    record.add("b gan", verdict(False, "it waits"))
    text = page(record)
    assert "Measured with: GPU of a test. Of 1 items 1 are wrong." in text
    assert "| gan | WRONG | it waits |" in text


def test_the_command_measures_and_writes_its_page(
    proof: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the items that start processes, which `make gpu` runs."""
    import gpu

    few = ("b all", "d gan_ring")
    items = [item for item in gpu._ordered(gpu.Settings("cpu", True)) if item.key in few]
    monkeypatch.setattr(gpu, "_ordered", lambda settings: items)
    for _ in range(2):
        with pytest.raises(SystemExit, match="0"):
            gpu.main(["--accelerator", "cpu", "--quick", "--output", str(tmp_path)])
    assert capsys.readouterr().out.count("holds   d gan_ring") == 1
    assert "| gan_ring | holds |" in (tmp_path / "gpu.md").read_text()


def test_a_processor_is_refused_where_a_gpu_belongs(
    proof: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import gpu

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for arguments, message in (
        ([], "there is no CUDA GPU; --accelerator cpu --quick"),
        (["--accelerator", "cpu"], "docs/gpu.md is the page of a GPU"),
    ):
        with pytest.raises(SystemExit):
            gpu.main(arguments)
        assert message in capsys.readouterr().err
