"""LaTeX becomes MathML, which browsers show without a script or a font; tables break at words."""

from __future__ import annotations

import html
import re
from typing import Any

from math_core import LatexToMathML

# what pymdownx.arithmatex makes of $…$ and $$…$$
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
SPACE = re.compile(r"\\qquad\b")
CELL = re.compile(r"<t[dh]\b.*?</t[dh]>", re.DOTALL)
NAME = re.compile(r"(?<=>)[^<>]+(?=<)")  # text, outside of tags
CONVERTER = LatexToMathML(fancy_error=False)


def on_page_content(content: str, **_: Any) -> str:
    """Write each equation of a page as MathML, and let names in tables break between words.

    Raises:
        LatexError: an equation is no LaTeX; the build ends with it.
    """
    return CELL.sub(_breakable, EQUATION.sub(_mathml, content))


def _mathml(found: re.Match[str]) -> str:
    tag, latex = found[1], html.unescape(found[2]).strip()
    if tag == "span":
        return CONVERTER.convert_with_local_state(latex, displaystyle=False)
    parts = [CONVERTER.convert_with_local_state(p, displaystyle=True) for p in _parts(latex)]
    return f'<div class="equation">{"".join(parts)}</div>'


def _parts(latex: str) -> list[str]:
    """Split equations that stand beside each other, so that a narrow page stacks them."""
    parts = SPACE.split(latex)
    whole = all(part.count("{") == part.count("}") and r"\begin" not in part for part in parts)
    return parts if whole else [latex]


def _breakable(cell: re.Match[str]) -> str:
    """Allow line breaks after the slashes and underscores of names, and nowhere else in them."""
    return NAME.sub(lambda name: re.sub(r"(?<=[/_])(?=\w)", "<wbr>", name[0]), cell[0])
