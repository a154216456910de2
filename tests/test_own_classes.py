"""Own GANs, networks and data by import path: found, validated, remembered, never confused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import assert_mistake
from conftest import CHECKOUT, Outcome, run_cli

from gan_lightning.cli.config_keys import override_keys
from gan_lightning.config import registry
from gan_lightning.config.experiments import read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.registry import class_name, find_class
from gan_lightning.config.schema import as_plain
from gan_lightning.config.sections import selected_class
from gan_lightning.config.source_keys import find_source_class
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN, GANConfig, StandardGAN
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build
from gan_lightning.utils.import_path import import_object
from gan_lightning.utils.settings import setting

SOURCE = '''
from dataclasses import dataclass, field
from pathlib import Path

import gan_lightning.networks as nets
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.data import Ring
from gan_lightning.gans import GAN, GANConfig
from gan_lightning.utils.settings import setting

RATE = 2e-3
with open(__file__ + ".imported", "w") as marker:
    marker.write("executed")

@dataclass
class Extra:
    weight: float = 0.5

@dataclass
class MarginConfig(GANConfig):
    margin: float = setting(1.0, "Margin.", minimum=0)
    sizes: list[int] = field(default_factory=lambda: [1, 2])
    extra: Extra = setting(Extra(weight=2.0), "Nested.")
    generator_optimizer: OptimizerConfig = setting(OptimizerConfig(learning_rate=RATE), "Own.")

class MarginGAN(GAN):
    Config = MarginConfig

class Smaller(MarginGAN):
    """Inherits the config."""

class OwnNetworks(nets.MLP):
    pass

class OwnRing(Ring):
    pass

@dataclass
class ComputedConfig(GANConfig):
    length: float = len("four") / 2

class Computed(GAN):
    Config = ComputedConfig

class NoGAN:
    pass

class NoDataclass(GAN):
    Config = dict

class Undecorated(GAN):
    class Config(GANConfig):
        margin: float = 1.0

class Unusable(GAN):
    @dataclass
    class Config(GANConfig):
        path: object = Path
'''

EXPERIMENT = """
model: {{name: "{module}:Smaller", latent_size: 2, margin: 3.0}}
network: {{name: "{module}:OwnNetworks", generator_hidden: [8], discriminator_hidden: [8]}}
data: {{name: "{module}:OwnRing", points: 64, batch_size: 8}}
trainer: {{max_updates: 2}}
evaluation: {{every_n_updates: 0, samples: 40}}
log: {{wandb: disabled}}
"""


@dataclass(frozen=True)
class Project:
    """A folder with a module of own classes and an experiment that names them."""

    folder: Path
    module: str

    @property
    def file(self) -> Path:
        return self.folder / f"{self.module}.py"

    @property
    def experiment(self) -> str:
        return str(self.folder / "own.yaml")

    def was_imported(self) -> bool:
        return self.file.with_name(f"{self.file.name}.imported").exists()


def make_project(folder: Path, module: str) -> Project:
    project = Project(folder, module)
    folder.mkdir(exist_ok=True)
    project.file.write_text(SOURCE)
    Path(project.experiment).write_text(EXPERIMENT.format(module=module))
    return project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> Project:
    """Make a project with a module name of its own, and an empty current folder beside it."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    name = "".join(c for c in request.node.name if c.isalnum())
    return make_project(tmp_path / "project", f"own_{name}"[:60])


@pytest.fixture(autouse=True)
def restored_imports() -> Iterator[None]:
    before, path = dict(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in {*sys.modules} - {*before}:
        if name.startswith("own_"):
            del sys.modules[name]


def words(outcome: Outcome) -> list[str]:
    return [line for line in outcome.err.splitlines() if line.startswith("gan-lightning: ")]


def test_a_run_remembers_its_classes_and_says_what_has_become_of_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run_cli("train", project.experiment, "--output", "run")
    assert outcome.code == 0, outcome
    announced = words(outcome)[0]
    for part in (f"{project.module}:Smaller", str(project.file), project.experiment):
        assert part in announced
    run = RunDirectory(Path("run"))
    remembered = json.loads((run.path / "environment.json").read_text())["classes"]
    assert {section: Path(entry["file"]) for section, entry in remembered.items()} == dict.fromkeys(
        ("model", "network", "data"), project.file.resolve()
    )
    assert remembered["model"]["path"] == run.config().model.name == f"{project.module}:Smaller"
    assert words(run_cli("sample", "run", "--count", "4", "--output", "a.npz")) == []

    project.file.write_text(f"{SOURCE}\n# a change\n")
    outcome = run_cli("sample", "run", "--count", "4", "--output", "b.npz")
    assert outcome.code == 0
    [warning] = words(outcome)
    assert f"{project.file.resolve()} has changed since run run was started" in warning

    project.file.rename(project.file.with_suffix(".txt"))
    del sys.modules[project.module]
    outcome = run_cli("sample", "run", "--count", "4", "--output", "c.npz")
    assert_mistake(outcome, "run run needs the class", str(project.file), "does not exist", "put")

    moved = Path(project.file.name)  # the current folder is searched, too
    project.file.with_suffix(".txt").rename(moved)
    assert run_cli("sample", "run", "--count", "4", "--output", "d.npz").code == 0


def test_show_and_completion_read_the_keys_and_import_nothing(project: Project) -> None:
    outcome = run_cli("show", project.experiment, "model.extra.weight=7")
    assert outcome.code == 0, outcome
    for line in ("margin: 3.0", "weight: 7.0", "learning_rate: 0.002", f"{project.module}:OwnRing"):
        assert line in outcome.out
    computed = run_cli("show", project.experiment, f"model.name={project.module}:Computed")
    assert "length: len('four') / 2" in computed.out
    assert_mistake(
        run_cli("show", project.experiment, "model.margn=1"), "'margn'", "valid are margin"
    )
    assert_mistake(run_cli("show", project.experiment, "model.margin=-1"), "model.margin is -1")
    missing = run_cli("show", project.experiment, f"model.name={project.module}:Margin")
    assert_mistake(missing, f"{project.module}:Margin", str(project.file), "MarginGAN")
    assert run_cli("list").code == 0
    keys = override_keys(project.experiment)
    assert not project.was_imported()

    config = as_plain(load_config(read_yaml(Path(project.experiment))))
    assert project.was_imported()
    assert set(keys) == set(run_cli_keys(config))
    assert "model.extra.weight" in keys


def run_cli_keys(config: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from run_cli_keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.mark.parametrize("name", ["bigan", "cut", "lsgan"])
def test_keys_and_defaults_of_the_source_are_those_of_the_class(name: str) -> None:
    source = read_yaml(CHECKOUT / "examples" / f"{name}.yaml")
    read = as_plain(load_config(source, import_own=False))
    assert read == as_plain(load_config(source))


BAD_MODULES = {
    "own_raises": "x = 1\nraise KeyError('no\\nway')\n",
    "own_lacks": "import no_such_package_at_all\n",
    "own_syntax": "def broken(:\n",
}


@pytest.mark.parametrize(
    ("section", "name", "parts"),
    [
        ("model", "MODULEx:Smaller", ["MODULEx:Smaller", "no file MODULEx.py", "MODULE", "folder"]),
        ("model", "MODULE:MarginGA", ["MODULE.py has no 'MarginGA'", "MarginGAN"]),
        ("model", "MODULE:NoGAN", ["'MODULE:NoGAN'", "MODULE.py", "GAN or Classifier", "derive"]),
        ("model", "MODULE:RATE", ["'MODULE:RATE'", "float", "GAN or Classifier"]),
        ("network", "MODULE:MarginGAN", ["'MODULE:MarginGAN'", "NetworkFamily"]),
        ("data", "MODULE:MarginGAN", ["'MODULE:MarginGAN'", "BaseDataModule"]),
        ("model", "MODULE:NoDataclass", ["NoDataclass", "no dataclass", "write"]),
        ("model", "MODULE:Undecorated", ["Undecorated", "margin", "write @dataclass"]),
        ("model", "MODULE:Unusable", ["Unusable", "field that a YAML file cannot have"]),
        ("model", "own_raises:X", ["own_raises.py, line 2", "KeyError", "no\\nway", "correct"]),
        ("model", "own_lacks:X", ["own_lacks.py, line 1", "No module named 'no_such_package"]),
        ("model", "own_syntax:X", ["own_syntax.py, line 1", "SyntaxError"]),
        ("model", "wgan_gpp", ["'wgan_gpp'", "wgan_gp, wgan", "my_gans:MyGAN"]),
        ("network", "mlpp", ["'mlpp'", "valid are mlp", "my_nets:MyNetworks"]),
    ],
)
def test_a_name_that_selects_no_class_is_one_line(
    section: str, name: str, parts: list[str], project: Project
) -> None:
    for module, text in BAD_MODULES.items():
        (project.folder / f"{module}.py").write_text(text)
    name = name.replace("MODULE", project.module)
    source = read_yaml(Path(project.experiment))
    with pytest.raises(UserError) as caught:
        load_config(source, [f"{section}.name={name}"])
    message, place = str(caught.value), 0
    assert "\n" not in message
    for part in (part.replace("MODULE", project.module) for part in parts):
        assert part in message[place:], message
        place += message[place:].find(part) + len(part)


@pytest.mark.parametrize(
    ("path", "valid"),
    [
        ("own_package:MarginGA", "MarginGAN, HingeGAN"),
        ("own_package:Margin", "MarginGAN"),
        ("torchvision.datasets:FakeDat", "FakeData"),
        ("own_package.empty:MarginGAN", "no class"),
    ],
)
def test_classes_that_a_package_imports_from_its_modules_are_named(
    path: str, valid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "losses.py").write_text("class MarginGAN: ...\nclass HingeGAN: ...\n")
    (package / "empty.py").touch()
    (package / "__init__.py").write_text("from .losses import HingeGAN, MarginGAN\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"has .*{valid}"):
        import_object(path)
    if path.startswith("own"):
        with pytest.raises(UserError, match=valid.replace("no class", "none")):
            find_source_class(path)


def test_modules_of_one_name_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    found = []
    for folder in ("a", "b", "a"):
        project = make_project(tmp_path / folder, "own_twice")
        (project.folder / "own_helper.py").write_text(f"WHERE = {folder!r}\n")
        project.file.write_text(f"from own_helper import WHERE\n{SOURCE}")
        config = load_config(read_yaml(Path(project.experiment)))
        owner = selected_class("model", config.model)
        assert folder == sys.modules[owner.__module__].WHERE
        found.append(owner)
    assert found[0] is found[2]
    assert found[0] is not found[1]


def test_a_file_with_the_name_of_a_loaded_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("class MyGAN: pass\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"json\.py: the name of the file is that of .*rename"):
        find_class("model", "json:MyGAN")


def test_a_class_that_a_notebook_defines_again_is_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def define(margin: float) -> type[GAN]:
        owner = type("CellGAN", (StandardGAN,), {"Config": _with_default(margin)})
        owner.__module__ = "__main__"
        monkeypatch.setattr(sys.modules["__main__"], "CellGAN", owner, raising=False)
        return owner

    source = {"model": {"name": "__main__:CellGAN", "latent_size": 2}, "data": {"name": "ring"}}
    for margin in (1.0, 2.0):
        owner = define(margin)
        config = load_config(source)
        assert config.model.margin == margin
        assert type(build(config)[0]) is owner
    with pytest.raises(UserError, match="NoCell was defined in a notebook"):
        load_config({**source, "model": {"name": "__main__:NoCell"}})


def _with_default(value: float) -> type[GANConfig]:
    @dataclass
    class CellConfig(GANConfig):
        margin: float = setting(value, "Margin.")

    return CellConfig


@pytest.mark.parametrize(("guarded", "module"), [(True, "own_script"), (False, "__main__")])
def test_a_class_of_a_script_is_named_by_its_file_if_that_can_be_imported(
    guarded: bool, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "own_script.py"
    script.write_text('if __name__ == "__main__":\n    pass\n' if guarded else "pass\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    owner = type("ScriptGAN", (StandardGAN,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "ScriptGAN", owner, raising=False)
    name = class_name("model", owner)
    assert name == f"{module}:ScriptGAN"
    assert find_class("model", name) is owner  # and the script does not run again


def test_names_of_classes(project: Project) -> None:
    read_yaml(Path(project.experiment))
    name = f"{project.module}:MarginGAN"
    assert class_name("model", find_class("model", name)) == name
    assert class_name("model", StandardGAN) == "gan"

    class Local(StandardGAN):
        pass

    with pytest.raises(UserError, match="local to a function"):
        class_name("model", Local)


def test_installed_packages_name_classes_by_entry_points(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = project.folder / "own-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        f"[gan_lightning.gans]\nmargin = {project.module}:MarginGAN\nbroken = {project.module}:No\n"
    )
    monkeypatch.syspath_prepend(project.folder)
    registry._entry_points.cache_clear()
    try:
        experiment = Path("installed.yaml")
        experiment.write_text("model: {name: margin, extra: {weight: 1.5}}\ndata: {name: ring}\n")
        assert "model.extra.weight" in override_keys(str(experiment))
        config = load_config(read_yaml(experiment))
        assert config.model.extra.weight == 1.5
        assert class_name("model", selected_class("model", config.model)) == "margin"
        with pytest.raises(UserError, match=r"entry point .*:No of the package own"):
            find_class("model", "broken")
    finally:
        registry._entry_points.cache_clear()
