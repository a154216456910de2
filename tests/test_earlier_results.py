"""Results of an earlier revision count as long as its code gives today's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_files import make_results

from gan_lightning.config.claim import Claim
from gan_lightning.errors import UserError
from gan_lightning.results.earlier import Trial, describe_trials, read_trials, write_trials
from gan_lightning.results.judging import judge_claims
from gan_lightning.results.outdated import read_known_results
from gan_lightning.results.records import Results

REVISION = "a" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with results of one revision, of an experiment that is not in the project."""
    folder = tmp_path / "results"
    folder.mkdir()
    results = make_results("mine", [1.0, 1.1, 0.9], Claim("m", at_least=0.0))
    for run in results.runs:
        run.versions = {"revision": REVISION}
    results.write(folder, [])
    return folder


def known(folder: Path, equal: bool | None) -> Results:
    write_trials(folder, {("mine", REVISION): Trial("b" * 40, 20, equal)})
    (results,) = read_known_results(folder)
    return results


@pytest.mark.parametrize(("equal", "outdated"), [(True, False), (None, False), (False, True)])
def test_only_other_weights_make_results_outdated(
    folder: Path, equal: bool | None, outdated: bool
) -> None:
    results = known(folder, equal)
    assert results.is_outdated == outdated
    (row,) = judge_claims(results, [])
    assert row.verdict.holds is (None if outdated else True)


def test_a_trial_is_told_where_it_has_shown_something(folder: Path) -> None:
    results = known(folder, True)
    (text,) = describe_trials(results, read_trials(folder))
    assert text.endswith("the code of revision aaaaaaaa and with bbbbbbbb gave equal weights.")
    assert not describe_trials(known(folder, None), read_trials(folder))


def test_a_damaged_file_is_named(folder: Path) -> None:
    folder.with_name("earlier_results.json").write_text('{"mine": 3}')
    with pytest.raises(UserError, match=r"earlier_results\.json is damaged"):
        read_known_results(folder)
