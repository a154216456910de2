"""Notebooks become pages, as they were committed: their cells and their outputs."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put a page, and the pictures of its cells, beside each notebook."""
    exporter = MarkdownExporter()  # type: ignore[no-untyped-call]  # nbconvert's own
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        text, resources = exporter.from_file(StringIO(notebook.content_string))
        place = PurePosixPath(notebook.src_uri)
        page = File.generated(config, str(place.with_suffix(".md")), content=text)
        files.append(page)
        for name, content in resources["outputs"].items():
            files.append(File.generated(config, str(place.with_name(name)), content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to notebooks, which work in a clone, to their pages."""
    return re.sub(r"\]\(([^)\s]+)\.ipynb\)", r"](\1.md)", markdown)
