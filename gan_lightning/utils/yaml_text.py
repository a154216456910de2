"""Read and write YAML text, and remember how the values of text keys are written.

value, words = read_text("{root: 007, tags: [2024_05]}")
value  # {"root": 7, "tags": [202405]}
words.text(("root",), 7)  # "007"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePath
from typing import Any, NamedTuple

import yaml

__all__ = ["Path", "Unreadable", "Words", "dump_yaml", "read_override", "read_text"]

Path = tuple[str | int, ...]
"""Keys and indices that lead to a value, for example `("log", "tags", 0)`."""

MAX_DEPTH = 100
"""Lists and mappings that may contain each other."""

MAX_NODES = 100_000
"""Values of a document after its aliases have been expanded."""

MAX_BITS = 10_000
"""Size of integers; Python refuses to print those with more than about 14,000 bits."""

NULL = ("~", "null", "Null", "NULL")
"""Words of the value null, which is no text."""

STRUCTURED = ("'", '"', "[", "{", "!")
"""First characters of values whose form is YAML's; anything else may be meant as text."""


class Word(NamedTuple):
    """A value that YAML has read from a text."""

    value: Any
    text: str


class Words(dict[Path, Word]):
    """The words of a document by the paths of their values."""

    def text(self, path: Path, value: Any) -> str | None:
        """Return how a value was written; None where that is not known, or the value is another."""
        word = self.get(path)
        if word is None or type(word.value) is not type(value) or word.value != value:
            return None
        return word.text


class Unreadable(str):
    """A text that is not valid YAML, which only a text key accepts."""

    __slots__ = ()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.1 with floats such as `1e3`, and dates and enormous integers as text."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:
        """Return an integer, or the text of one that is too large."""
        try:
            number = super().construct_yaml_int(node)
        except ValueError:  # Python limits the digits
            return node.value
        return number if number.bit_length() <= MAX_BITS else node.value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"""^(?:
         [-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
        |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)
        |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?
        |[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*
        |[-+]?\.(?:inf|Inf|INF)
        |\.(?:nan|NaN|NAN))$""",
        re.VERBOSE,
    ),
    list("-+0123456789."),
)
_Loader.yaml_implicit_resolvers = {
    first: [entry for entry in resolvers if entry[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


PREFIX = "tag:yaml.org,2002:"
TAGS = {
    f"{PREFIX}{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "merge", "value")
}
"""Types of the values of a config."""

PATH_TAG = f"{PREFIX}python/object/apply:pathlib"
"""Beginning of the tag by which earlier versions wrote paths of own classes."""

_Loader.add_multi_constructor(
    PATH_TAG, lambda loader, _, node: str(PurePath(*loader.construct_sequence(node)))
)


def read_text(text: str) -> tuple[Any, Words]:
    """Read a YAML document.

    Returns:
        Its value, and the words of its numbers and booleans.

    Raises:
        YAMLError: it is not valid YAML, nested too deeply, or has a key twice.
        UnicodeError: it has half of a surrogate pair.
    """
    _check_depth(text)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, Words()
        if sum(1 for _ in _nodes(node)) > MAX_NODES:
            raise yaml.YAMLError(f"its aliases expand to more than {MAX_NODES} values")
        value = loader.construct_document(node)
    finally:
        loader.dispose()
    return value, Words(_words(node, value, ()))


def read_override(text: str) -> tuple[Any, Words]:
    """Read the value of an override `key=value`.

    The whole text is a word, too, unless it is null, quoted, a list in brackets or a mapping in
    braces: `/data/a #b` is a path although YAML reads a comment.

    Returns:
        Its value, which is `Unreadable` for a word that is not YAML, and its words.

    Raises:
        YAMLError: it is not valid YAML, and no word, or it has a control character.
        UnicodeError: it has half of a surrogate pair.
    """
    text = text.strip()
    is_text = text not in NULL and not text.startswith(STRUCTURED) and "${" not in text
    try:
        value, words = read_text(text)
    except (yaml.YAMLError, ValueError) as error:
        if not is_text or isinstance(error, yaml.reader.ReaderError | UnicodeError):
            raise
        value, words = Unreadable(text), Words()
    if is_text:
        words[()] = Word(value, text)
    return value, words


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quote texts that OmegaConf, unlike PyYAML, would read as numbers or truth values."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Return the scalar of a text."""
        quoted = text in ("y", "Y", "n", "N") or _is_number(text)
        style = "'" if quoted else None
        scalar: yaml.ScalarNode = self.represent_scalar(f"{PREFIX}str", text, style)
        return scalar


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_multi_representer(PurePath, lambda dumper, path: dumper.represent_text(str(path)))
_Dumper.add_multi_representer(Enum, lambda dumper, member: dumper.represent_text(member.name))


def dump_yaml(value: Any) -> str:
    """Return a value as YAML that `read_text`, PyYAML and OmegaConf read alike.

    OmegaConf's own function first wraps every value, which takes eight times as long.

    Args:
        value: nested mappings, lists, numbers, truth values and texts; a path is written as text,
            and a member of an Enum as its name.
    """
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_depth(text: str) -> None:
    """Check how deeply a document is nested before libyaml, which recurses, composes it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    """Yield a node and those below it, aliases expanded, at most `MAX_NODES` + 1."""
    stack, count = [(node, 1)], 0
    while stack and count <= MAX_NODES:
        node, depth = stack.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise _refusal(f"aliases make it more than {MAX_DEPTH} deep", node)
        if node.tag not in TAGS and not node.tag.startswith(PATH_TAG):
            raise _refusal(f"type {node.tag.removeprefix(PREFIX)} is unknown", node)
        yield node
        if isinstance(node, yaml.SequenceNode):
            stack += [(part, depth + 1) for part in node.value]
        elif isinstance(node, yaml.MappingNode):
            _check_keys(node)
            stack += [(part, depth + 1) for pair in node.value for part in pair]


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if key.value in seen:
                raise _refusal(f"found duplicate key {key.value}", key)
            seen.add(key.value)


def _refusal(reason: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=reason, problem_mark=node.start_mark)


def _words(node: yaml.Node, value: Any, path: Path) -> Iterator[tuple[Path, Word]]:
    """Yield path and word of the plain scalars that are no texts."""
    if isinstance(node, yaml.SequenceNode) and isinstance(value, list):
        for index, part in enumerate(node.value):
            yield from _words(part, value[index], (*path, index))
    elif isinstance(node, yaml.MappingNode) and isinstance(value, dict):
        for key, part in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in value:
                yield from _words(part, value[key.value], (*path, key.value))
    elif isinstance(node, yaml.ScalarNode) and not isinstance(value, str | None):
        yield path, Word(value, node.value)
