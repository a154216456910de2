"""Insert code, claims, experiments, commands and tables into the pages.

A paragraph that is a link with one of these titles is replaced by the content that it links to.
Where Markdown is shown without this hook, for example in a repository, it stays a link.

    [`StandardGAN.generator_loss`](../../gan_lightning/gans/standard.py "code")
    [the claims of a topic](../results/mode-collapse.md "claims")
    [the experiments of a topic](../../experiments "experiments")
    [the topics](../../gan_lightning/results/topics.py "topics")
    [the commands](../../gan_lightning/cli/main.py "commands")
    [the config keys](../../gan_lightning/config/reference.py "config keys")
    [`GANS`](../../gan_lightning/gans/__init__.py "table")
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from gan_lightning.cli import COMMANDS
from gan_lightning.cli.main import cli
from gan_lightning.config.experiments import experiment_names, read_yaml
from gan_lightning.config.reference import config_reference
from gan_lightning.results.outdated import read_known_results
from gan_lightning.results.page import section_address
from gan_lightning.results.records import Results
from gan_lightning.results.tables import claims_table
from gan_lightning.results.topics import TOPICS, Topic
from gan_lightning.utils.tables import markdown_table

CHECKOUT = Path(__file__).parents[2]
TOPIC_RESULTS = {"By topic": "results/*.md"}
"""Entry of the navigation that stands for the results pages of all topics."""
TAKEN = re.compile(r'^\[(?P<words>[^\]]+)\]\((?P<path>\S+) "(?P<kind>[\w ]+)"\)$', re.MULTILINE)
# ```python gan_lightning/gans/relativistic_average.py
FILE_OF_BLOCK = re.compile(r"^```(\w+) (\S+)$", re.MULTILINE)
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Insert the topics into the navigation, in the order of the lecture."""
    _known.cache_clear()
    for part in config.nav or []:
        for pages in part.values() if isinstance(part, dict) else ():
            if pages == ["lecture/index.md"]:
                pages += [{topic.title: f"lecture/{topic.slug}.md"} for topic in TOPICS]
            if isinstance(pages, list) and TOPIC_RESULTS in pages:
                pages[pages.index(TOPIC_RESULTS)] = {"By topic": _result_pages()}
    return config


def _result_pages() -> list[dict[str, str]]:
    """Return the navigation entries of the generated results pages that exist."""
    titles = {topic.slug: topic.title for topic in TOPICS} | {"other": "Other experiments"}
    folder = CHECKOUT / "docs" / "results"
    return [
        {title: f"results/{slug}.md"}
        for slug, title in titles.items()
        if (folder / f"{slug}.md").is_file()
    ]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace the links that stand for code, claims and experiments."""

    def taken(found: re.Match[str]) -> str:
        makers: dict[str, Callable[[], str]] = {
            "code": lambda: _code(_target(page, found["path"]), found["words"]),
            "claims": lambda: _claims(_topic(page)),
            "experiments": lambda: _experiments(_topic(page)),
            "topics": _topics,
            "commands": _commands,
            "config keys": config_reference,
            "table": lambda: _table(_target(page, found["path"]), found["words"]),
        }
        if found["kind"] not in makers:
            raise PluginError(f"{page.file.src_uri}: {found[0]} is none of {', '.join(makers)}")
        return makers[found["kind"]]()

    return TAKEN.sub(taken, FILE_OF_BLOCK.sub(r'```\1 title="\2"', markdown))


def _target(page: Page, link: str) -> Path:
    return (Path(page.file.abs_src_path or "").parent / link).resolve()


def _topic(page: Page) -> Topic:
    return next(topic for topic in TOPICS if topic.slug == page.file.name)


def _code(path: Path, words: str) -> str:
    """Show functions, classes and methods of a file as they stand there, without docstrings."""
    source = path.read_text(encoding="utf-8")
    tree, name = ast.parse(source), path.relative_to(CHECKOUT)
    module = ".".join(name.with_suffix("").parts)
    symbols = re.findall(r"[\w.]+", words)
    shown = "\n\n".join(_source(source, _found(tree, symbol, name)) for symbol in symbols)
    described = ", ".join(
        f'<autoref identifier="{module}.{symbol}" optional><code>{symbol}</code></autoref>'
        for symbol in symbols
    )
    return f'```python title="{name}"\n{shown}\n```\n\n<small>{described}</small>'


def _table(path: Path, words: str) -> str:
    """List the classes that a name of the config selects, with the first line of each docstring."""
    module = ".".join(path.relative_to(CHECKOUT).parent.parts)
    rows = [("name", "class", "")]
    for name, owner in getattr(import_module(module), words.strip("`")).items():
        link = f"[`{owner.__name__}`][{owner.__module__}.{owner.__name__}]"
        rows.append((f"`{name}`", link, (owner.__doc__ or "").partition("\n")[0]))
    return markdown_table(rows)


def _found(tree: ast.AST, symbol: str, name: Path) -> ast.stmt:
    """Find a definition by its dotted name."""
    node = tree
    for word in symbol.split("."):
        found = [child for child in ast.iter_child_nodes(node) if _defines(child, word)]
        if not found:
            raise PluginError(f"{name} defines no {symbol}")
        node = found[-1]
    assert isinstance(node, ast.stmt)
    return node


def _defines(node: ast.AST, word: str) -> bool:
    return getattr(node, "name", None) == word


def _source(source: str, node: ast.stmt) -> str:
    """Cut a definition out of its file, its decorators with it and its docstring left out."""
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    lines = source.splitlines()
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    kept = list(range(first, (node.end_lineno or first) + 1))
    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        kept = [
            line for line in kept if not docstring.lineno <= line <= (docstring.end_lineno or 0)
        ]
    return dedent("\n".join(lines[line - 1] for line in kept))


def _claims(topic: Topic) -> str:
    """Return the table of the topic's claims, as on its results page."""
    known = _known()
    of_topic = [results for results in known if results.experiment in topic.experiments]
    unmeasured = [f"`{name}`" for name in topic.experiments if name not in {r.name for r in known}]
    parts = []
    if of_topic:
        parts.append(claims_table(of_topic, known, lambda r: section_address(r, "../results/")))
    if unmeasured:
        parts.append(f"Not measured yet: {', '.join(unmeasured)}.")
    return "\n\n".join(parts)


@cache
def _known() -> list[Results]:
    return read_known_results(CHECKOUT / "docs" / "results")


def _experiments(topic: Topic) -> str:
    """List the topic's commands with what each is."""
    rows = [("command", "what it is", "paper")]
    for name in topic.experiments:
        content = read_yaml(experiment_names()[name])
        paper = ARXIV.sub(r"[\g<0>](https://arxiv.org/abs/\1)", str(content.get("paper") or "ours"))
        rows.append((f"`gan-lightning train {name}`", str(content["title"]), paper))
    return markdown_table(rows)


def _topics() -> str:
    """Give each topic's idea, equations and experiments, in their order."""
    return "\n\n".join(
        f"## [{topic.title}]({topic.slug}.md)\n\n{topic.idea}\n\n$$\n{topic.equations}\n$$\n\n"
        + ", ".join(f"`{name}`" for name in topic.experiments)
        for topic in TOPICS
    )


def _commands() -> str:
    """Print what each command says of itself when it is asked for help."""
    whole = click.Context(cli, info_name="gan-lightning", max_content_width=88, terminal_width=88)
    contexts = [
        click.Context(command, parent=whole, info_name=command.name) for command in COMMANDS
    ]
    return "\n\n".join(
        f"## {context.info_name}\n\n```text\n{context.get_help()}\n```"
        for context in [whole, *contexts]
    )
