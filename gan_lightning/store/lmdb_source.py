"""Source of the images in an LMDB database, as LSUN is distributed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.store.transform import InvalidImageError
from gan_lightning.utils.optional import require

__all__ = ["LMDB"]


class LMDB:
    """The values of an LMDB database, by their keys, as LSUN is distributed. Nothing is unpickled.

    Args:
        path: folder with data.mdb.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """List the keys."""
        environment = self._environment
        import lmdb

        try:
            with environment.begin() as transaction:
                keys = transaction.cursor().iternext(keys=True, values=False)
                return [key.decode("latin-1") for key in keys]
        except lmdb.Error as error:
            raise UserError(
                f"{self.path / 'data.mdb'} is damaged ({error}); unpack it again"
            ) from error

    def stamp(self, name: str) -> str:
        """Return an empty text: the keys of LSUN are hashes of the images."""
        return ""

    def read(self, name: str) -> bytes:
        """Return a value."""
        environment = self._environment
        import lmdb

        try:
            with environment.begin() as transaction:
                value = transaction.get(name.encode("latin-1"))
        except lmdb.Error as error:
            raise InvalidImageError(f"is damaged in the LMDB database ({error})") from None
        if value is None:
            raise InvalidImageError("has no value in the LMDB database")
        return bytes(value)

    @cached_property
    def _environment(self) -> Any:
        require("lsun")
        import lmdb

        if not (self.path / "data.mdb").is_file():
            raise UserError(
                f"{self.path} has no data.mdb; unpack LSUN's zip archive again, which contains "
                f"data.mdb and lock.mdb"
            )
        data = self.path / "data.mdb"
        try:
            environment = lmdb.open(
                str(self.path), readonly=True, lock=False, readahead=False, max_readers=1
            )
            needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        except lmdb.Error as error:
            raise UserError(
                f"{data} is truncated or no LMDB database ({error}); unpack it again"
            ) from error
        if (size := data.stat().st_size) < needed:  # reading past its end would kill the process
            raise UserError(
                f"{data} is truncated: it has {size:,} bytes of {needed:,}; unpack it again"
            )
        return environment

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open environment out of a pickle."""
        return {"path": self.path}
