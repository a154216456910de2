"""A text key keeps the words of its value; values of a wrong type are one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from gan_lightning.config.experiments import read_yaml
from gan_lightning.config.load import load_config, to_yaml
from gan_lightning.config.merge import merge_overrides
from gan_lightning.config.python import override_words
from gan_lightning.config.schema import as_plain
from gan_lightning.errors import UserError
from gan_lightning.utils.type_hints import unsupported_field
from gan_lightning.utils.typed_values import merge

BASE: dict[str, Any] = {"model": {"name": "gan"}, "data": {"name": "folder"}}
WORDS = ("2024_05", "007", "1e3", "on", "No", "12:30", "0x1F", "1_0", ".5", "a: b", "#1", "@x", "")
WORDS += ("/data/a #b", "C:\\data", "true", "-1", "*x", "2024-05-01", "9" * 5000, "a = b")


@pytest.mark.parametrize("key", ["title", "data.root"])
@pytest.mark.parametrize("word", WORDS)
def test_a_text_key_keeps_the_word(key: str, word: str) -> None:
    config = load_config(BASE, [f"{key}={word}"])
    assert (config.title if key == "title" else config.data.root) == word
    again = load_config(yaml.load(to_yaml(config), yaml.SafeLoader))
    assert as_plain(again) == as_plain(config)


@pytest.mark.parametrize("word", [*WORDS, "y", "N", "inf", "nan", "é", "line\nbreak", " x"])
def test_omegaconf_reads_the_same_words(word: str) -> None:
    config = load_config(BASE)
    config.title = word
    assert OmegaConf.create(to_yaml(config)).title == word


def test_optional_keys_and_lists_of_texts_keep_the_words() -> None:
    words = ["log.entity=007", "log.tags=[007, on, 'x', 2024_05, null_, \"1e3\"]"]
    log = load_config(BASE, words).log
    assert log.entity == "007"
    assert log.tags == ["007", "on", "x", "2024_05", "null_", "1e3"]
    assert load_config(BASE, ["log.entity=null"]).log.entity is None
    assert load_config(BASE, ["log.entity="]).log.entity is None
    assert load_config(BASE, ["log={project: 007, tags: [1e3]}"]).log.project == "007"


@pytest.mark.parametrize(
    ("text", "value"), [("'007'", "007"), ('"on"', "on"), ("null", None), ("[a]", None)]
)
def test_quotes_and_brackets_are_yaml(text: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(UserError, match=r"title is .* it must be text"):
            load_config(BASE, [f"title={text}"])
    else:
        assert load_config(BASE, [f"title={text}"]).title == value


def test_numbers_stay_numbers() -> None:
    words = ["trainer.max_updates=2_000", "seed=007", "trainer.compile=on", "data.batch_size='8'"]
    config = load_config(BASE, [*words, "model.generator_optimizer.learning_rate=1e-3"])
    assert (config.trainer.max_updates, config.seed, config.trainer.compile) == (2000, 7, True)
    assert config.data.batch_size == 8
    assert config.model.generator_optimizer.learning_rate == 1e-3


def test_a_yaml_file_keeps_the_words(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "title: 2024_05\nmodel: {name: gan}\ndata: {name: folder, root: 007}\n"
        "log: {project: on, tags: [1e3, 12:30, '7'], entity: 1_0}\n"
    )
    config = load_config(read_yaml(file), ["seed=1"])
    assert (config.title, config.data.root, config.log.project) == ("2024_05", "007", "on")
    assert (config.log.tags, config.log.entity) == (["1e3", "12:30", "7"], "1_0")
    # a section that is replaced does not get the words of the file
    assert load_config({**read_yaml(file), "title": 5}).title == "5"


@pytest.mark.parametrize("value", ["007", "on", "1e3", "/data/a #b", "[a]", "{", "it's", 'a "b"'])
def test_python_values_are_kept(value: str) -> None:
    words = override_words([{"title": value, "log": {"tags": [value], "project": "p"}}])
    config = load_config(BASE, words)
    assert (config.title, config.log.tags) == (value, [value])


def test_a_key_with_an_equals_sign_is_refused() -> None:
    with pytest.raises(UserError, match="'title=x'"):
        override_words([{"title=x": 1}])


@dataclass
class Nested:
    label: str = "a"
    size: int = 1


@dataclass
class Own:
    name: str = ""
    names: dict[str, str] = field(default_factory=dict)
    parts: list[Nested] = field(default_factory=list)
    nested: Nested = field(default_factory=lambda: Nested(size=5))
    optional: Nested | None = None
    either: int | str = 0
    any: Any = None
    pair: list[float] = field(default_factory=lambda: [0.5, 0.9])


def own(*words: str) -> Own:
    content = merge_overrides({}, words)
    return merge(Own, content, content.words)


def test_the_declared_type_decides_in_own_classes() -> None:
    assert unsupported_field(Own) is None
    made = own("names={a: 007, b: on}", "parts=[{label: 1e3}]", "nested.label=1_0", "any=007")
    assert made.names == {"a": "007", "b": "on"}
    assert made.parts == [Nested("1e3")]
    assert made.nested == Nested("1_0", 5)
    assert made.any == 7
    assert own("optional.label=12:30").optional == Nested("12:30")
    assert (own("either=5").either, own("either=x").either) == (5, "x")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("pair={}", r"pair is {}; it must be a list of numbers, for example \[0.5, 0.9\]"),
        ("pair=[[1]]", r"pair\[0\] is \[1\]; it must be a number"),
        ("parts={a: 1}", "parts is {'a': 1}; it must be a list"),
        ("parts=[1]", r"parts\[0\] is 1; it must be `key: value` pairs"),
        ("names=[a]", r"names is \['a'\]; it must be `key: value` pairs"),
        ("names={a: [1]}", r"names.a is \[1\]; it must be text"),
        ("nested=5", "nested is 5; it must be `key: value` pairs"),
        ("nested.size={}", "nested.size is {}; it must be a whole number"),
        ("nested.sizes=1", "key 'sizes' in nested is unknown; valid are size, label"),
        ("optional=[]", r"optional is \[\]; it must be `key: value` pairs, or null"),
        ("name={}", "name is {}; it must be text"),
        ("nested.size=99999999999999999999", "at most 64 bits"),
        (f"nested.size={'9' * 5000}", "…; it must be a whole number of at most 64 bits"),
        (f"nested.size=0x{'f' * 5000}", "…; it must be a whole number"),
        (f"pair=[{'9' * 400}]", r"pair\[0\] is 9+…; it must be a number"),
    ],
)
def test_a_value_of_a_wrong_type_names_key_value_and_type(word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        own(word)


@pytest.mark.parametrize(
    "word",
    [
        "log.tags={}",
        "network.generator_hidden=[[1]]",
        "model.generator_optimizer.betas={}",
        "model.regularisation.augmentation={a: 1}",
        "trainer.threads=5000000000",
        "network.discriminator_hidden=[99999999999999999999]",
        "data.x=[1",
        "title=" + "[" * 5000,
        "seed=" + "${a" * 300 + "}" * 300,
        "callbacks=&a [*a]",
        "title=\x07",
        "title=\udcff",
    ],
)
def test_odd_overrides_are_one_line(word: str) -> None:
    with pytest.raises(UserError) as refused:
        load_config(BASE, [word])
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


ODD_FILES = {
    "deep": "title: " + "[" * 5000 + "]" * 5000,
    "deep block": "\n".join(" " * i + "a:" for i in range(1000)),
    "dotted key": "model: {name: gan}\ndata: {name: ring}\n'a.b': 1",
    "dotted key below": "model: {name: gan, 'a.b': 1}\ndata: {name: ring}",
    "digits": f"model: {{name: gan, latent_size: {'1' * 5000}}}\ndata: {{name: ring}}",
    "interpolations": "title: " + "${a" * 300 + "}" * 300,
    "chain": "\n".join(f"a{i}: ${{a{i + 1}}}" for i in range(2000)) + "\na2000: 1",
    "recursive": "title: &a [*a]",
    "bomb": "a0: &a0 [1, 1]\n"
    + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 20)),
    "set": "title: !!set {a}",
    "mapping as key": "? {a: 1}\n: 2",
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_FILES)
def test_odd_files_are_one_line(name: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(ODD_FILES[name])
    with pytest.raises(UserError) as refused:
        load_config(read_yaml(file))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600
