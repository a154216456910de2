"""Checks of own classes, for tests: of a GAN, a network family and a DataModule.

from gan_lightning.testing import check_gan

def test_my_gan() -> None:
    check_gan(MyGAN)

A check raises AssertionError with one sentence that names the class and the property that fails.
The project's tests call the same functions for every class of its tables.
"""

from __future__ import annotations

from gan_lightning.testing.data_checks import check_datamodule
from gan_lightning.testing.gan_checks import check_gan
from gan_lightning.testing.network_checks import check_network

__all__ = ["check_datamodule", "check_gan", "check_network"]
