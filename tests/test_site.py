"""The documentation's site, built once as `make docs` builds it."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import os
import re
import shlex
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from conftest import CHECKOUT, Once, run_process
from filelock import FileLock

from gan_lightning.cli import COMMANDS
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.folder_experiment import folder_experiment
from gan_lightning.config.load import load_config
from gan_lightning.errors import UserError
from gan_lightning.results.claims import ClaimRow
from gan_lightning.results.judging import judge_claims
from gan_lightning.results.outdated import read_known_results
from gan_lightning.results.records import results_folder
from gan_lightning.results.tables import format_interval
from gan_lightning.results.topics import TOPICS, topic_of
from gan_lightning.store import FolderImages

pytest.importorskip("mkdocs")
PAGES = CHECKOUT / "docs" / "lecture"
COMMAND = re.compile(r"gan-lightning (?:train|show) [^`\n]*")


@dataclass
class Html:
    """What a page links to, loads, and says."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    pictures: list[dict[str, str | None]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    text: str = ""


class Reader(HTMLParser):
    """Collects them."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Html()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.page.tags.append(tag)
        self.page.ids |= {value for key in ("id", "name") if (value := given.get(key))}
        if tag == "a" and (link := given.get("href")):
            self.page.links.append(link)
        elif source := given.get("src") or (tag == "link" and given.get("href")):
            self.page.loaded.append(source)
        if tag == "img":
            self.page.pictures.append(given)

    def handle_data(self, data: str) -> None:
        self.page.text += data


def mkdocs(words: Sequence[str]) -> None:
    from mkdocs.__main__ import cli

    cli(words)


@pytest.fixture(scope="session")
def site(shared: Path) -> Path:
    """Build it, once for all workers, without what takes half the time.

    Those are the index of the search and the source code in the reference.
    """
    folder, building = shared / "site", shared / "building"
    with FileLock(shared / "site.lock"):
        if not folder.exists():
            env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
            env |= {"SITE_SEARCH": "false", "SITE_SOURCES": "false"}
            words = ["build", "--strict", "--site-dir", str(building)]
            built = run_process(words, CHECKOUT, env, mkdocs)
            assert built.code == 0, built.err[-3000:]
            assert "WARNING" not in built.err
            building.rename(folder)
    return folder


@pytest.fixture(scope="session")
def pages(site: Path, once: Once) -> dict[Path, Html]:
    """Parse all pages, once for all workers."""

    def parse(_: Path) -> dict[Path, Html]:
        found = {}
        for path in site.rglob("*.html"):
            reader = Reader()
            reader.feed(path.read_text(encoding="utf-8"))
            found[path] = reader.page
        return found

    return once("site/pages", parse)


def target_of(link: str, page: Path, site: Path) -> Path:
    path = unquote(urlsplit(link).path)
    place = site / path.lstrip("/") if path.startswith("/") else page.parent / path
    place = page if not path else place.resolve()
    return place / "index.html" if place.is_dir() else place


def test_all_links_anchors_and_pictures_are_there(pages: dict[Path, Html], site: Path) -> None:
    missing = []
    for page, html in pages.items():
        for link in [*html.links, *html.loaded]:
            if urlsplit(link).scheme:
                continue
            target, fragment = target_of(link, page, site), urlsplit(link).fragment
            known = pages[target].ids if target in pages else set()
            if not target.is_file() or (fragment and unquote(fragment) not in known):
                missing.append(f"{page.relative_to(site)}: {link}")
    assert not missing
    assert sum(len(html.pictures) for html in pages.values()) > 100


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Html]) -> None:
    assert not [link for html in pages.values() for link in html.loaded if urlsplit(link).netloc]


def test_each_picture_says_what_it_shows(pages: dict[Path, Html]) -> None:
    assert all(picture.get("alt") for html in pages.values() for picture in html.pictures)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.slug)
def test_each_topic_has_its_page(topic: Any, pages: dict[Path, Html], site: Path) -> None:
    html = pages[site / "lecture" / topic.slug / "index.html"]
    assert (PAGES / f"{topic.slug}.md").read_text().startswith(f"# {topic.title}\n")
    for name in topic.experiments:
        assert f"gan-lightning train {name}" in html.text
    assert "math" in html.tags
    assert "figure" in html.tags or html.pictures
    assert not re.search(r"\$\$|\\[(\[]", html.text), "an equation was not converted"
    for heading in ("The equations", "In code", "Run it", "What came out", "Try next"):
        assert heading in html.text


def test_no_page_of_the_lecture_is_without_a_topic() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {"index", *(t.slug for t in TOPICS)}


def shown_verdict(row: ClaimRow) -> str:
    """Return a verdict as a page has it, without formatting."""
    same_claim = f"the same claim as that of {row.same_as}"
    return same_claim if row.same_as else row.verdict.text.replace("`", "")


def test_pages_show_the_verdicts_of_the_results(pages: dict[Path, Html], site: Path) -> None:
    known = read_known_results(results_folder())
    for topic in TOPICS:
        text = pages[site / "lecture" / topic.slug / "index.html"].text
        for results in known:
            if results.experiment in topic.experiments:
                assert all(shown_verdict(row) in text for row in judge_claims(results, known))
        measured = {results.name for results in known}
        assert ("Not measured yet" in text) == (not measured.issuperset(topic.experiments))


def test_all_results_are_on_the_page_of_their_topic(pages: dict[Path, Html], site: Path) -> None:
    known = read_known_results(results_folder())
    index = pages[site / "results" / "index.html"]
    for results in known:
        topic = topic_of(results.experiment)
        page = pages[site / "results" / (topic.slug if topic else "other") / "index.html"]
        assert results.name in page.ids
        for row in judge_claims(results, known):
            for text in (page.text, index.text):
                assert shown_verdict(row) in text
                assert row.same_as or format_interval(row.values) in text


def test_the_reference_has_every_command(pages: dict[Path, Html], site: Path) -> None:
    html = pages[site / "reference" / "command-line" / "index.html"]
    for command in COMMANDS:
        assert command.name in html.ids
        assert f"Usage: gan-lightning {command.name}" in html.text


def test_the_readme_leads_to_every_topic_and_to_nothing_that_is_not_there() -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (CHECKOUT / "README.md").read_text())
    files = [link for link in links if not urlsplit(link).scheme]
    assert {f"docs/lecture/{topic.slug}.md" for topic in TOPICS} <= set(files)
    assert [link for link in files if not (CHECKOUT / link).exists()] == []


def commands_of_the_pages() -> list[str]:
    pages = sorted((CHECKOUT / "docs").rglob("*.md"))
    text = "\n".join(page.read_text() for page in pages)
    text = re.sub(r"\s*\\\n\s*", " ", text)  # commands on several lines
    joined = re.sub(r"`gan-lightning [^`]*`", lambda found: found[0].replace("\n", " "), text)
    lines = dict.fromkeys(line.split("#")[0].strip() for line in COMMAND.findall(joined))
    # tests/test_new_project.py runs those of the project that `gan-lightning new` writes
    return [
        line
        for line in lines
        if line.split()[2:] and line.split()[2].islower() and "my_gan.yaml" not in line
    ]


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the Python files of the page about own GANs into the current folder."""
    page = (CHECKOUT / "docs" / "own-gan.md").read_text()
    block = re.compile(r"^```python (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for name, content in block.findall(page):
        (tmp_path / name).write_text(content)
    (tmp_path / "examples").symlink_to(CHECKOUT / "examples")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("own_files")
@pytest.mark.parametrize("line", commands_of_the_pages())
def test_each_command_on_a_page_is_one_that_the_project_takes(line: str) -> None:
    _, _, experiment, *words = shlex.split(line)
    overrides = [word for word in words if re.match(r"[a-z_.]+=", word)]
    on_a_page = experiments_of_the_pages()
    if "--images" in words:
        folder_experiment(experiment, FolderImages(Path("my_photos")), overrides=overrides)
        return
    source = on_a_page.get(experiment) or read_yaml(experiment_path(experiment))
    load_config(source, overrides)


@functools.cache
def experiments_of_the_pages() -> dict[str, Any]:
    """Return name -> content of the experiment files that the pages show."""
    block = re.compile(r"^```yaml experiments/(\w+)\.yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    pages = sorted((CHECKOUT / "docs").glob("*.md"))
    blocks = [found for page in pages for found in block.findall(page.read_text())]
    return {name: yaml.safe_load(content) for name, content in blocks}


def test_a_wrong_command_would_be_found() -> None:
    assert len(commands_of_the_pages()) > 40
    with pytest.raises(UserError, match="max_update"):
        test_each_command_on_a_page_is_one_that_the_project_takes(
            "gan-lightning train gan_ring trainer.max_update=5"
        )


def hook() -> Any:
    path = CHECKOUT / "docs" / "hooks" / "taken.py"
    spec = importlib.util.spec_from_file_location("taken", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_code_comes_from_the_source_and_a_wrong_name_ends_the_build() -> None:
    from mkdocs.exceptions import PluginError

    path = CHECKOUT / "gan_lightning" / "losses.py"
    shown = hook()._code(path, "`wasserstein_critic`")
    assert (
        "return at_least_float32(fake_scores).mean() - at_least_float32(real_scores).mean()"
        in shown
    )
    assert "Lipschitz" not in shown, "docstrings are in the reference"
    with pytest.raises(PluginError, match=r"losses\.py defines no wasserstein_critics"):
        hook()._code(path, "`wasserstein_critics`")


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.mark.parametrize("place", ["lecture/wasserstein/", "results/", "results/unrolled/"])
def test_a_browser_shows_it_without_errors_or_requests_elsewhere(
    place: str, address: str, browser: Any
) -> None:
    errors: list[str] = []
    elsewhere: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((address, "data:", "blob:"))
            else elsewhere.append(asked.url)
        ),
    )
    page.goto(address + place, wait_until="networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "wider than a phone"
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert page.evaluate(broken) == []
    page.close()
    assert not errors
    assert not elsewhere


@pytest.mark.parametrize("place", ["lecture/wasserstein/", "results/wasserstein/", "results/"])
def test_equations_and_tables_fit_into_a_laptop_s_window(
    place: str, address: str, browser: Any
) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    page.goto(address + place)
    wide = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    assert page.locator(".equation, .md-typeset__scrollwrap").evaluate_all(wide) == []
    page.close()


def test_words_of_tables_break_after_slashes_and_underscores_only(
    pages: dict[Path, Html], site: Path
) -> None:
    text = (site / "results" / "wasserstein" / "index.html").read_text()
    assert "<code>critic/<wbr>rank_<wbr>correlation &gt;= 0.9" in text
    assert ">wgan_<wbr>gp_<wbr>ring</a>" in text
    assert "critic/rank_correlation" in pages[site / "results" / "wasserstein" / "index.html"].text
