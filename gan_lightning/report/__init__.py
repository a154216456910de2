"""Reports about finished and unfinished runs: one HTML file, a table on the screen, a video."""

from __future__ import annotations

__all__: list[str] = []
