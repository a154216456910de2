"""Atomic writes and locks of files."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from gan_lightning.errors import UserError

__all__ = [
    "Content",
    "atomic_write",
    "exclusive_lock",
    "flush_to_disk",
    "is_lock_held",
    "sync_folder",
    "write_output",
]

Content = str | bytes | Callable[[IO[bytes]], Any]
"""Text, which is encoded as UTF-8, bytes, or a function that writes to an open binary file."""

LOCK_ATTEMPTS = 3
LOCK_PAUSE = 0.02
"""Seconds between attempts; `is_lock_held` in another process takes a free lock for a moment."""

WAIT_PAUSE = 0.2
"""Seconds between attempts to take a lock that another process may hold for long."""


def atomic_write(path: Path, content: Content, *, durable: bool = False) -> None:
    """Write a file so that readers see its previous content or the new one, never a part of it.

    The content is written to `.NAME.<random>.partial` in the same folder, which then replaces the
    file. On an error the partial file is deleted and the previous content stays. A process that is
    killed leaves its partial file behind.

    Args:
        path: the file; its folder must exist.
        content: text, bytes, or a function that writes to an open binary file.
        durable: flush the file and its folder to the disk, so that the file survives a power
            failure.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    # a random name, since several processes may write the same file at once
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}.partial")
    try:
        with partial.open("xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


def write_output(path: Path, content: Content) -> None:
    """Write the file that a command's --output names, atomically, and make its folder.

    Raises:
        UserError: the path is a folder, its folder cannot be written, or the disk is full.
    """
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; name a file by --output")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; choose another --output"
        ) from error


def flush_to_disk(path: Path) -> None:
    """Flush a file and its folder to the disk, so that it survives a power failure."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk, so that they survive a power failure."""
    if os.name != "posix":  # Windows opens no folders, and needs no flush of them
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_lock(
    path: Path, activity: str, wait: Callable[[str], object] | None = None
) -> Iterator[None]:
    """Hold a lock inside the block, so that no other process does the same at the same time.

    The operating system releases the lock when the process ends, however it ends, so a lock is
    never stale. The file stays and names the process that holds the lock or held it last. On a file
    system without locks the block runs unprotected.

    Args:
        path: the lock file; made where it is missing.
        activity: what the lock protects, for the message, for example "the store X is being
            prepared".
        wait: called with a line that names the other process if there is one, before waiting until
            it has ended; None raises an error instead.

    Raises:
        UserError: another process holds the lock, and `wait` is None; the message names it.
    """
    with path.open("ab+") as file:
        try:
            free = _try_lock(file)
            if not free and wait is not None:
                wait(f"{activity} by another process, {_owner(file)}; waiting until it ends")
                free = _wait_for_lock(file)
        except OSError:
            free = True
        if not free:
            raise UserError(f"{activity} by another process, {_owner(file)}; wait until it ends")
        file.truncate(0)
        # on Windows nobody else can read the first byte of the file while it is locked
        file.write(f" {os.getpid()} on {platform.node()}".encode())
        file.flush()
        yield


def is_lock_held(path: Path) -> bool:
    """Return whether a process holds a lock; the lock file is neither made nor changed.

    Where the lock file is missing or the file system has no locks, the answer is False.
    """
    try:
        # some network file systems lock only files that are open for writing
        with path.open("rb+" if os.access(path, os.W_OK) else "rb") as file:
            return not _try_lock(file)
    except OSError:
        return False


def _try_lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; return False where another process holds the lock.

    Raises:
        OSError: the file system has no locks.
    """
    from filelock import lock_descriptor

    for _ in range(LOCK_ATTEMPTS):
        if lock_descriptor(file.fileno(), blocking=False):
            return True
        time.sleep(LOCK_PAUSE)
    return False


def _wait_for_lock(file: IO[bytes]) -> bool:
    """Lock an open file as soon as no other process holds its lock."""
    from filelock import lock_descriptor

    while not lock_descriptor(file.fileno(), blocking=False):
        time.sleep(WAIT_PAUSE)
    return True


def _owner(file: IO[bytes]) -> str:
    file.seek(1)
    return file.read().decode(errors="replace").strip() or "unknown"
