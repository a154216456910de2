"""A damaged .npz file of samples is an error of one line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from gan_lightning.errors import UserError
from gan_lightning.inference.evaluate import _read_array


@pytest.mark.parametrize("offset", [0, 4, 6, 8, 10, 26])
def test_every_byte_of_a_header_may_be_wrong(offset: int, tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    np.savez(file, points=np.zeros((4, 2), np.float32))
    content = file.read_bytes()
    for start in (0, content.index(b"PK\x01\x02")):
        for value in (1, 203, 255):
            damaged = bytearray(content)
            damaged[start + offset] = value
            file.write_bytes(damaged)
            with suppress(UserError):  # any other error fails the test
                _read_array(file, "points")
