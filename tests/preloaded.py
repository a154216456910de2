"""What most forked processes need: the modules of a training, W&B's client, and the digits."""

import ot  # noqa: F401
import wandb.sdk.launch  # noqa: F401

import gan_lightning.cli.train
import gan_lightning.training.train  # noqa: F401
from gan_lightning.assets.loader import MD5, read_idx

for name in MD5:
    read_idx(name)
