"""Command `play`: explore the generator of a run in a browser."""

from __future__ import annotations

import click

from gan_lightning.cli.arguments import checkpoint_option, run_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.imports import fast_imports

__all__ = ["play"]


@click.command()
@run_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=int,
    default=7860,
    show_default=True,
    help="Port to listen on; 0 for any free one.",
)
@click.option("--browser/--no-browser", default=True, help="Whether to open the page in a browser.")
@click.option(
    "--directions",
    type=int,
    default=5,
    show_default=True,
    help="Number of directions in latent space to find.",
)
@checkpoint_option
@handle_errors
def play(run: str, host: str, port: int, browser: bool, directions: int, checkpoint: str) -> None:
    """Serve a page on which you explore the generator of a run; Ctrl-C stops it.

    The page has sliders for InfoGAN's codes and for directions in latent space, a menu of classes,
    interpolation between two samples, both domains of a coupled GAN, and a canvas to draw on for
    pix2pix. It loads nothing from other machines. It needs the extra `play`.

    \b
    Examples:
      gan-lightning play infogan_mnist
      gan-lightning play pix2pix_edges_mnist --port 8000 --no-browser
    """
    with fast_imports():
        from gan_lightning.play import serving

    serving.play(
        run,
        checkpoint=checkpoint,
        directions=directions,
        host=host,
        port=port,
        open_browser=browser,
    )
