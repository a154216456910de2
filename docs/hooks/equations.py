"""LaTeX in the pages becomes MathML, which browsers show without a script or a font of ours."""

from __future__ import annotations

import html
import re
from typing import Any

from math_core import LatexToMathML

# what pymdownx.arithmatex makes of $…$ and $$…$$
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
CONVERTER = LatexToMathML(fancy_error=False)


def on_page_content(content: str, **_: Any) -> str:
    """Write each equation of a page as MathML.

    Raises:
        LatexError: an equation is no LaTeX; the build ends with it.
    """
    return EQUATION.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    tag, latex = found[1], html.unescape(found[2]).strip()
    written = CONVERTER.convert_with_local_state(latex, displaystyle=tag == "div")
    return f'<div class="equation">{written}</div>' if tag == "div" else written
