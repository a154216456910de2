"""A stand-in for Hugging Face's hub on loopback: one model, and what its client asks for."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """Answers of a hub that holds the model `somebody/model`."""

    files: dict[str, bytes] = {}  # noqa: RUF012 - of the one hub of this process

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self) -> None:
        body, model = self.read_body(), "/api/models/somebody/model"
        if self.path.startswith("/api/repos/create"):
            self.send_json({"url": self.url})
        elif "/validate-yaml" in self.path:
            self.send_json({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            regular = {"uploadMode": "regular", "shouldIgnore": False}
            self.send_json({"files": [{"path": name, **regular} for name in names]})
        elif "/commit/" in self.path:
            entries = [json.loads(line) for line in body.splitlines()]
            contents = [entry["value"] for entry in entries if entry["key"] == "file"]
            self.files |= {file["path"]: base64.b64decode(file["content"]) for file in contents}
            self.send_json({"commitUrl": f"{self.url}/commit/{COMMIT}", "commitOid": COMMIT})
        elif self.path.startswith(f"{model}/tree"):
            self.send_json([self.entry(name) for name in self.files])
        elif self.path.startswith(model):
            self.send_json({"id": "somebody/model", "sha": self.commit(), "siblings": []})
        elif (name := self.path.rpartition("/")[2]) in self.files and "/resolve/" in self.path:
            etag = ("ETag", f'"{self.entry(name)["oid"]}"')
            self.send(self.files[name], etag, ("X-Repo-Commit", self.path.split("/")[-2]))
        else:
            self.send_error(404)

    def commit(self) -> str:
        """Return a commit for the branch in the path, so that each is downloaded anew."""
        branch = self.path.rpartition("/")[2]
        return hashlib.sha1(branch.encode(), usedforsecurity=False).hexdigest()

    @property
    def url(self) -> str:
        return f"http://{self.headers['Host']}/somebody/model"

    def entry(self, name: str) -> dict[str, Any]:
        content = self.files[name]
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": digest}

    def read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def send_json(self, content: Any) -> None:
        self.send(json.dumps(content).encode(), ("Content-Type", "application/json"))

    def send(self, content: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(200)
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def start_hub(cache: Path) -> None:
    """Serve a hub from this process, which must not have imported its client yet."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(cache),
        "HF_TOKEN": "hf_nobody",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


def push_and_load(run: str) -> None:
    """Push a run, load it from the hub, and check that both give the same samples."""
    start_hub(Path("cache"))
    import gan_lightning

    url = gan_lightning.push_to_hub(run, "somebody/model")
    assert re.fullmatch(rf"http://127.0.0.1:\d+/somebody/model/commit/{COMMIT}", url)
    Hub.files["evil.pkl"] = b"never downloaded"
    loaded = gan_lightning.from_pretrained("somebody/model")
    here = gan_lightning.load(run).model
    assert loaded.model.sample(4, seed=1).data.equal(here.sample(4, seed=1).data)  # type: ignore[operator]
    assert not list(Path("cache").rglob("evil.pkl"))
    refuse_code_and_other_models()


def refuse_code_and_other_models() -> None:
    """Check that models with code of their own, and no models, are one line."""
    import gan_lightning
    from gan_lightning.errors import UserError

    def reason(name: str, revision: str | None = None) -> str:
        try:
            gan_lightning.from_pretrained(name, revision=revision)
        except UserError as error:
            return str(error)
        raise AssertionError(f"{name} was loaded")

    config = yaml.safe_load(Hub.files["config.yaml"])
    config["callbacks"] = [{"class": "os:Evil", "init": {}}]
    Hub.files["config.yaml"] = yaml.safe_dump(config).encode()
    assert "needs os:Evil, code that is not of gan-lightning" in reason("somebody/model", "changed")
    Hub.files = {"model.bin": b""}
    assert "no model of gan-lightning" in reason("somebody/model", "other")
    assert "the hub does not give or take nobody/model" in reason("nobody/model")
    assert "write USER/NAME" in reason("a/b/c")
