"""The image store: pictures decoded once into flat uint8 files. Imports no torch.

`prepare` makes one of a user's copy of a data set; `data/stored.py` reads it.
"""

from __future__ import annotations

from gan_lightning.store.layout import default_store
from gan_lightning.store.manifest import Manifest, open_store
from gan_lightning.store.prepare import prepare
from gan_lightning.store.transform import Recipe

__all__ = ["Manifest", "Recipe", "default_store", "open_store", "prepare"]
