"""Random command lines never end in a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzzing import command_lines, outcome_of
from hypothesis import HealthCheck, event, given, settings


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in a temporary folder, which accepted configs write run directories to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("fuzzing"))
        yield


@given(words=command_lines())
@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_a_config_is_accepted_or_refused_in_one_line(words: list[str]) -> None:
    outcome, seconds = outcome_of(words)
    event(outcome)
    assert seconds < 5, (words, seconds)
    assert not list(Path().rglob("*.partial"))
