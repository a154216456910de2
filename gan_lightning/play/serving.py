"""Build the page of a run, and serve it until it is interrupted."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
import time
import webbrowser
from typing import TYPE_CHECKING

import click

from gan_lightning.errors import UserError
from gan_lightning.gans import GAN, GANS
from gan_lightning.runs.models import find_model
from gan_lightning.training.restore import load_model
from gan_lightning.utils.optional import install_command

if TYPE_CHECKING:
    import gradio

__all__ = ["PageServer", "build_page", "play", "serve"]

MAX_PORT = 65535


class PageServer:
    """A page that is being served.

    Args:
        page: Gradio's.
        address: URL of the page.
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
        run: run directory, or an experiment's name for its latest run.
        checkpoint: `latest` or `best`.
        directions: number of directions of latent space to find, at least 0.
        host: address to listen at.
        port: to listen at; 0 for any free port.
        open_browser: whether to open the page in the user's browser.

    Raises:
        UserError: an argument is out of range, the run or the checkpoint does not exist, its model
            has no page, or the port is not available.
    """
    check_port(host, port)
    server = serve(build_page(run, checkpoint, directions), host, port)
    try:
        click.echo(f"serving {run} at {server.address}; press Ctrl-C to stop")
        if open_browser:
            webbrowser.open(server.address)
        # A signal that arrives just before an endless wait would not end it; short waits do end.
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        click.echo("\nstopped")
    finally:
        server.close()


def build_page(run: str, checkpoint: str = "latest", directions: int = 5) -> gradio.Blocks:
    """Build the page of a run.

    Args:
        run: run directory, or an experiment's name for its latest run.
        checkpoint: `latest` or `best`.
        directions: number of directions of latent space to find, at least 0.

    Raises:
        UserError: Gradio is not installed, the run or the checkpoint does not exist, or its model
            has no page.
    """
    _set_up_gradio()
    if directions < 0:
        raise UserError(f"--directions is {directions}; it must be at least 0")
    try:
        import gradio  # noqa: F401 - fail before a model is loaded
    except ImportError as error:
        raise UserError(
            f"play needs Gradio, which cannot be imported ({error}); "
            f"install it by `{install_command('play')}`"
        ) from error
    from gan_lightning.play.drawing_page import translator_page
    from gan_lightning.play.page import generator_page
    from gan_lightning.play.playground import Playground
    from gan_lightning.play.translator import Translator

    directory = find_model(run)
    model, data, config = load_model(directory, checkpoint, needs_data=False)
    if not isinstance(model, GAN):
        raise UserError(
            f"run {run!r} trained a {config.model.name}, which generates nothing; "
            f"choose a run of {', '.join(sorted(GANS))}"
        )
    if data.spec.shape == (1,):
        raise UserError(
            f"run {run!r} generates scalars, for which there is no page; choose a run on images or "
            f"2-D points, for example infogan_mnist or gan_ring"
        )
    title = f"{config.title or config.model.name}, after {model.updates:,} updates"
    if "source" in model.condition_fields():
        return translator_page(Translator(model, data), title)
    return generator_page(Playground(model, data, directions), title)


def serve(page: gradio.Blocks, host: str, port: int) -> PageServer:
    """Start to serve a page from threads of this process.

    Args:
        page: Gradio's.
        host: address to listen at.
        port: to listen at; 0 for any free port.

    Raises:
        UserError: the host or the port is not available.
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
    except OSError as error:  # another process took the port after the check
        raise UserError(f"cannot serve at {host}:{port}: {error}; choose another --port") from error
    return PageServer(page, address)


def check_port(host: str, port: int) -> int:
    """Check that a port is available, and return its number; choose a free port for 0.

    Raises:
        UserError: the port is in use or not allowed, or the host is no address of this machine.
    """
    if not 0 <= port <= MAX_PORT:
        raise UserError(f"--port is {port}; it must be in 0 to {MAX_PORT}, 0 for any free port")
    try:
        return _bind(host, port)
    except socket.gaierror as error:
        raise UserError(f"--host is {host!r}, an unknown host; use 127.0.0.1") from error
    except OverflowError as error:
        raise UserError(f"--host is {host!r}, which is no address; use 127.0.0.1") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        try:
            fix = f"--port {_bind(host, 0)} is free"
        except OSError:
            raise UserError(f"cannot serve at --host {host}: {reason}; use 127.0.0.1") from error
        raise UserError(f"cannot serve at {host}:{port}: {reason}; {fix}") from error


def _bind(host: str, port: int) -> int:
    """Bind a port for a moment, and return its number."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        return int(bound.getsockname()[1])


def _set_up_gradio() -> None:
    """Turn off the telemetry of Gradio and its dependencies, and delete their files at exit.

    They read these environment variables when they are imported.
    """
    for name, value in (("GRADIO_ANALYTICS_ENABLED", "False"), ("HF_HUB_DISABLE_TELEMETRY", "1")):
        os.environ[name] = value
    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="gan-lightning-play-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["GRADIO_TEMP_DIR"] = folder
