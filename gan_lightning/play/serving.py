"""A run becomes a page, and the page is served until its person has played enough."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
import time
import webbrowser
from typing import TYPE_CHECKING, Any

import click

from gan_lightning.errors import UserError
from gan_lightning.gans import GAN, GANS, Pix2Pix
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model

if TYPE_CHECKING:
    import gradio

__all__ = ["Served", "page_of", "play", "serve"]

LAST_PORT = 65535


class Served:
    """A page that is being served.

    Args:
        page: Gradio's.
        address: where it can be seen.
    """

    def __init__(self, page: gradio.Blocks, address: str) -> None:
        self.address = address
        self._page = page

    def close(self) -> None:
        """Stop serving."""
        self._page.close(verbose=False)


def play(
    run: str, *, checkpoint: str, directions: int, host: str, port: int, open_browser: bool
) -> None:
    """Serve the page of a run until it is interrupted.

    Args:
        run: folder, or an experiment's name.
        checkpoint: `latest` or `best`.
        directions: of latent space to find.
        host: address to listen at.
        port: to listen at; 0 for any that is free.
        open_browser: show the page in the person's browser.

    Raises:
        UserError: there is no such run, it cannot be played, or the port cannot be had.
    """
    check_port(host, port)
    served = serve(page_of(run, checkpoint, directions), host, port)
    try:
        click.echo(f"play {run} at {served.address} - Ctrl-C ends it")
        if open_browser:
            webbrowser.open(served.address)
        while True:  # second by second: a signal on the way into one endless wait ends nothing
            time.sleep(1)
    except KeyboardInterrupt:
        click.echo("\nstopped")
    finally:
        served.close()


def page_of(run: str, checkpoint: str = "latest", directions: int = 5) -> gradio.Blocks:
    """Make the page of a run.

    Raises:
        UserError: Gradio is not installed, there is no such run, or it has nothing to play with.
    """
    _set_up_gradio()
    if directions < 0:
        raise UserError(f"--directions is {directions}; it must be at least 0")
    try:
        import gradio  # noqa: F401 - said before a model is loaded
    except ImportError as error:
        raise UserError(
            f"play needs Gradio, which cannot be imported ({error}); "
            f"install it by pip install 'gan-lightning[play]'"
        ) from error
    from gan_lightning.play.drawing_page import translator_page
    from gan_lightning.play.page import generator_page
    from gan_lightning.play.playground import Playground
    from gan_lightning.play.translator import Translator

    folder = RunDirectory.find(run)
    learner, data, config = load_model(folder, checkpoint)
    if not isinstance(learner, GAN):
        raise UserError(
            f"run {run!r} is of {config.model.name}, which generates nothing to play with; "
            f"take a run of {', '.join(sorted(GANS))}"
        )
    if data.spec.shape == (1,):
        raise UserError(
            f"run {run!r} makes numbers on a line, with nothing to see; take a run on images or "
            f"2-D points, as infogan_mnist or gan_ring"
        )
    title = f"{config.title or config.model.name}, after {learner.updates:,} updates"
    if isinstance(learner, Pix2Pix):
        return translator_page(Translator(learner, data), title)
    return generator_page(Playground(learner, data, directions), title)


def serve(page: gradio.Blocks, host: str, port: int) -> Served:
    """Begin to serve a page, from threads of this process.

    Raises:
        UserError: the port cannot be had.
    """
    import gradio

    from gan_lightning.play.page import STYLE

    port = check_port(host, port)
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            css_paths=STYLE,
            theme=gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono="monospace"),
        )
    except OSError as error:  # taken since it was looked at
        raise UserError(f"cannot serve at {host}:{port}: {error}; choose another --port") from error
    return Served(page, address)


def check_port(host: str, port: int) -> int:
    """Return the port, or one that is free where it is 0.

    Raises:
        UserError: it is taken or not allowed, or there is no such host here.
    """
    if not 0 <= port <= LAST_PORT:
        raise UserError(f"--port is {port}; it must lie in 0 to {LAST_PORT}, 0 for any free one")
    try:
        return _bound(host, port)
    except socket.gaierror as error:
        raise UserError(f"--host is {host!r}, which names no machine; use 127.0.0.1") from error
    except OverflowError as error:
        raise UserError(f"--host is {host!r}, which is no address; use 127.0.0.1") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        try:
            fix = f"--port {_bound(host, 0)} is free"
        except OSError:
            raise UserError(f"cannot serve at --host {host}: {why}; use 127.0.0.1") from error
        raise UserError(f"cannot serve at {host}:{port}: {why}; {fix}") from error


def _bound(host: str, port: int) -> int:
    """Take a port for a moment, and return its number."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        found: Any = taken.getsockname()
    return int(found[1])


def _set_up_gradio() -> None:
    """Keep Gradio and what it imports from calling home, and its files from staying.

    They read this when they are imported.
    """
    for name, value in (("GRADIO_ANALYTICS_ENABLED", "False"), ("HF_HUB_DISABLE_TELEMETRY", "1")):
        os.environ[name] = value
    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="gan-lightning-play-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["GRADIO_TEMP_DIR"] = folder
