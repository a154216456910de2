"""Saved models on Hugging Face's hub: push one, and download one without executing its code."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan_lightning.config.experiments import read_yaml
from gan_lightning.errors import UserError, summary
from gan_lightning.export.exporting import CARD, PICTURE, export_run
from gan_lightning.export.formats import FORMATS
from gan_lightning.export.saved_model import SAVED_MODEL
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.utils.import_path import is_import_path
from gan_lightning.utils.optional import require

__all__ = ["download", "push"]

FILES = (FORMATS["safetensors"].file, CARD, PICTURE, *SAVED_MODEL)
"""The files that are pushed and downloaded; none can hold code."""


def push(run: str, repository: str, *, private: bool = False, precision: str = "float32") -> str:
    """Push the generator of a run to the hub as a saved model, with its card and a picture.

    Args:
        run: as `export_run` takes it.
        repository: `USER/NAME`; it is created where it does not exist.
        private: whether a new repository is private.
        precision: of the weights in the file: float32, float16 or int8.

    Returns:
        URL of the commit.

    Raises:
        UserError: the extra `hub` is missing, there is no such run, nobody is logged in, or the hub
            cannot be reached.
    """
    require("hub")
    import huggingface_hub

    with tempfile.TemporaryDirectory() as parent:
        target = Path(parent) / "model"
        export_run(run, "safetensors", target, precision=precision)
        with _hub_errors(repository):
            api = huggingface_hub.HfApi()
            name = api.create_repo(repository, private=private, exist_ok=True).repo_id
            commit: Any = api.upload_folder(
                repo_id=name, folder_path=target, commit_message="Add a generator of gan-lightning"
            )
    return str(commit.commit_url)


def download(repository: str, revision: str | None = None) -> Path:
    """Download a saved model from the hub, or find it among those downloaded before.

    Args:
        repository: `USER/NAME`.
        revision: branch, tag or commit; None for the newest.

    Returns:
        Folder of the model, in the cache of `huggingface_hub`.

    Raises:
        UserError: the extra `hub` is missing, there is no such model, the hub cannot be reached, or
            the model names classes that are not of gan-lightning.
    """
    require("hub")
    import huggingface_hub

    with _hub_errors(repository):
        snapshot = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=list(FILES)
        )
    folder = Path(snapshot)
    if not (folder / FORMATS["safetensors"].file).is_file():
        raise UserError(
            f"{repository} is no model of gan-lightning: it has no {FORMATS['safetensors'].file}; "
            f"such models are made by `gan-lightning export RUN --format safetensors`"
        )
    own = sorted({*_own_code(read_yaml(RunDirectory(folder).config_file))})
    if own:
        raise UserError(
            f"{repository} needs {', '.join(own)}, code that is not of gan-lightning; read it, put "
            f"it where Python finds it, and load the folder {folder}"
        )
    return folder


def _own_code(value: Any) -> Iterator[str]:
    """Yield the import paths in a config, at any depth, of code outside this package."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _own_code(part)
    elif is_import_path(value) and not value.startswith("gan_lightning."):
        yield value


@contextmanager
def _hub_errors(repository: str) -> Iterator[None]:
    """Turn the errors of the hub, of many classes, into one line."""
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except HFValidationError as error:
        raise UserError(f"{repository!r} is no name of a repository; write USER/NAME") from error
    except Exception as error:
        raise UserError(
            f"the hub does not give or take {repository}: {summary(error)}; check the name, the "
            f"network, and `hf auth login`"
        ) from error
