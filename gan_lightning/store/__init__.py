"""The image store: images decoded once into flat uint8 files. Does not import torch.

`prepare` makes a store of a dataset that the user has downloaded, `FolderImages` that of a folder
of images; `data/image_store.py` reads it.
"""

from __future__ import annotations

from gan_lightning.store.layout import default_store
from gan_lightning.store.manifest import Manifest, open_store
from gan_lightning.store.on_demand import FolderImages
from gan_lightning.store.prepare import prepare
from gan_lightning.store.transform import ImageTransform

__all__ = ["FolderImages", "ImageTransform", "Manifest", "default_store", "open_store", "prepare"]
