"""A GAN in a plain Lightning script: any DataLoader, and the callbacks and loggers of Lightning.

python examples/plain_trainer.py  # needs tensorboard
"""

from __future__ import annotations

from pathlib import Path

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from gan_lightning.data import MNIST
from gan_lightning.gans import WGANGP


def train(images: Tensor, folder: Path, batch_size: int = 64, max_epochs: int = 3) -> Path:
    """Train on images (N, 28, 28, 1) in uint8; return the checkpoint with the best fd_digits."""
    gan = WGANGP({"latent_size": 64, "discriminator_steps": 2}, "mlp", data=(1, 28, 28))
    best = ModelCheckpoint(folder, monitor="fd_digits")
    trainer = Trainer(
        max_epochs=max_epochs,
        callbacks=[EarlyStopping("fd_digits"), best],
        logger=TensorBoardLogger(folder),
        default_root_dir=folder,
    )
    trainer.fit(gan, DataLoader(images, batch_size, shuffle=True))
    return Path(best.best_model_path)


if __name__ == "__main__":
    digits, _ = MNIST(MNIST.Config()).training_data()
    checkpoint = train(digits[:6400], Path("plain_runs"))
    gan = WGANGP.load_from_checkpoint(checkpoint)
    print(checkpoint, gan.updates, gan.sample(16, seed=0).data.shape)
