"""`play`: a run's generator in a browser."""

from __future__ import annotations

import click

from gan_lightning.cli.arguments import checkpoint_option, run_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["play"]


@click.command()
@run_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=int, default=7860, show_default=True, help="0 for any free one.")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser, or not.")
@click.option(
    "--directions", type=int, default=5, show_default=True, help="Of latent space, to find."
)
@checkpoint_option
@handle_errors
def play(run: str, host: str, port: int, browser: bool, directions: int, checkpoint: str) -> None:
    """Play with a run's generator on a page of this machine; Ctrl-C ends it.

    Sliders move InfoGAN's codes and directions in latent space; there are a picker for classes, the
    way between two samples, both domains of a coupled GAN, and for pix2pix a board to draw on. The
    page asks nothing of any other machine. It needs pip install 'gan-lightning[play]'.

    \b
    Examples:
      gan-lightning play infogan_mnist
      gan-lightning play pix2pix_edges_mnist --port 8000 --no-browser
    """
    with gc_paused_imports():
        from gan_lightning.play import serving

    serving.play(
        run,
        checkpoint=checkpoint,
        directions=directions,
        host=host,
        port=port,
        open_browser=browser,
    )
