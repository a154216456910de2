"""A stub of the Weights & Biases server on 127.0.0.1, for the real client in online mode.

Emulated, as wandb 0.31 uses it: the GraphQL operations that log in, create or resume a run and ask
where its files go; the file stream (history, summary, console, system metrics, exit code); and the
upload of files, among them media and the entries of artifacts (each `wandb.Table` is one); views,
which workspaces and reports are; sweeps, whose agents are handed `WandbServer.suggested`.
Not emulated: reading runs back (public API, downloads), launch.

`wandb_environment` gives a client process an environment that knows this server and no other.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

import yaml

__all__ = ["ENTITY", "Request", "StubRun", "StubView", "WandbServer", "wandb_environment"]

ENTITY = "stub-entity"
API_KEY = "0123456789" * 4
CREATED = "2026-11-24T00:00:00Z"
HISTORY = "wandb-history.jsonl"

Request = tuple[str, str, str]
"""(HTTP method, path, GraphQL operation or "")."""


def wandb_environment(folder: Path, server: WandbServer | None = None) -> dict[str, str]:
    """Return the environment of a process that logs to W&B, without the user's settings and logins.

    Args:
        folder: receives everything that the client writes; runs lie in folder / "wandb".
        server: where to log online; without one the client logs offline.

    Returns:
        A whole environment for `subprocess`, or for `monkeypatch.setenv` item by item. Within one
        process wandb reads it once: call `wandb.teardown()` before and after such a test.
    """
    kept = {key: text for key, text in os.environ.items() if not key.startswith("WANDB_")}
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    own = {"HOME": home, "NETRC": home / "netrc", "WANDB_DIR": folder}
    own |= {f"WANDB_{kind}_DIR": home / kind for kind in ("CACHE", "CONFIG", "DATA")}
    mode = {"WANDB_MODE": "offline"}
    if server is not None:
        mode = {"WANDB_MODE": "online", "WANDB_BASE_URL": server.url, "WANDB_API_KEY": API_KEY}
    quiet = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
    return kept | {key: str(path) for key, path in own.items()} | mode | quiet


@dataclass
class StubRun:
    """The data of one run that the server has received."""

    project: str
    name: str
    display_name: str
    config: dict[str, Any] = field(default_factory=dict)
    step_metrics: dict[str, str] = field(default_factory=dict)
    """Name or glob of a metric -> metric of its x-axis (`define_metric`)."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Uploads by name: config.yaml, media/images/…, artifacts/COLLECTION/ENTRY."""
    lines: dict[str, list[str]] = field(default_factory=dict)
    """The file stream: lines of wandb-history.jsonl, output.log and so on."""
    exit_code: int | None = None

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.get(HISTORY, [])]

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self.lines.get("wandb-summary.json", ["{}"])[-1])
        return summary

    def configure(self, text: str) -> None:
        """Set the config from the client's message: {"key": {"value": …}, "_wandb": …}."""
        values = {key: entry["value"] for key, entry in json.loads(text).items()}
        metrics = values.pop("_wandb", {}).get("m", [])
        self.config = values
        # Protobuf's field numbers as keys: 1 name, 2 glob, 5 one-based place of the step metric.
        self.step_metrics = {
            metric.get("1") or metric["2"]: metrics[metric["5"] - 1]["1"]
            for metric in metrics
            if "5" in metric
        }

    def stream(self, message: dict[str, Any]) -> None:
        """Add one file_stream message; a line that is sent again (a retry) replaces the first."""
        for file, chunk in message.get("files", {}).items():
            lines, first = self.lines.setdefault(file, []), chunk["offset"]
            lines[first : first + len(chunk["content"])] = chunk["content"]
        if message.get("complete"):
            self.exit_code = message["exitcode"]

    def bucket(self) -> dict[str, Any]:
        """Return the run as GraphQL's `bucket`, with the state from which a client resumes."""
        history, events, console = (
            self.lines.get(file, []) for file in (HISTORY, "wandb-events.jsonl", "output.log")
        )
        return (
            _named(self.name)
            | {
                "displayName": self.display_name,
                "project": _named(self.project) | {"entity": _named(ENTITY)},
                "config": json.dumps({key: {"value": value} for key, value in self.config.items()}),
                "summaryMetrics": json.dumps(self.summary),
                "wandbConfig": '{"t": {}}',  # without it the client regards the run as new
                "historyLineCount": len(history),
                "historyTail": json.dumps(history[-1:]),
                "eventsLineCount": len(events),
                "eventsTail": json.dumps(events[-1:]),
                "logLineCount": len(console),
            }
        )


@dataclass
class StubView:
    """A workspace (type project-view) or a report (type runs)."""

    id: str
    entity: str
    project: str
    type: str
    name: str
    display_name: str
    spec: dict[str, Any]

    def node(self) -> dict[str, Any]:
        """Return the view in GraphQL's form."""
        project = _named(self.project) | {"entityName": self.entity}
        user = {"username": "stub", "photoUrl": "", "email": ""}
        return _named(self.name) | {
            "id": self.id,
            "type": self.type,
            "displayName": self.display_name,
            "description": "",
            "project": project,
            "user": user,
            "spec": json.dumps(self.spec),
            "createdAt": CREATED,
            "updatedAt": CREATED,
        }


def _named(name: str) -> dict[str, Any]:
    return {"id": name, "name": name}


class WandbServer:
    """Serve on 127.0.0.1 inside a `with` block, and record the requests of clients.

    Args:
        fail_with: HTTP status that answers every request; may be set or cleared while it serves.
        delay: seconds to wait before each answer; likewise.
    """

    def __init__(self, fail_with: int | None = None, delay: float = 0.0) -> None:
        self.fail_with = fail_with
        self.delay = delay
        self.empty_after: str | None = None
        """GraphQL operation after which every request is answered by `{}`."""
        self.requests: list[Request] = []
        self.unknown: list[str] = []
        """GraphQL operations that are not emulated, and were answered without data."""
        self.runs: dict[str, StubRun] = {}
        self.alerts: list[tuple[str, str]] = []
        """(title, text) of each alert."""
        self.projects: list[str] = []
        self.views: dict[str, StubView] = {}
        """Workspaces and reports by id."""
        self.sweeps: list[dict[str, Any]] = []
        """Configs, in the order of creation."""
        self.suggested: list[dict[str, Any]] = []
        """Values by parameter of the runs that agents have not got yet."""
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.stub = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def run(self) -> StubRun:
        """The only run that was logged."""
        if len(self.runs) != 1:
            raise LookupError(f"expected one run, got {sorted(self.runs)} by {self.requests}")
        return next(iter(self.runs.values()))

    @property
    def config(self) -> dict[str, Any]:
        return self.run.config

    @property
    def history(self) -> list[dict[str, Any]]:
        return self.run.history

    @property
    def summary(self) -> dict[str, Any]:
        return self.run.summary

    @property
    def files(self) -> dict[str, bytes]:
        return self.run.files

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Record a request and return HTTP status and JSON of the response."""
        message = json.loads(body) if path == "/graphql" else {}
        named = re.search(r"(?:query|mutation)\s+(\w+)", message.get("query", ""))
        operation = named[1] if named else ""
        with self._lock:
            self.requests.append((method, path, operation))
        time.sleep(self.delay)
        if self.fail_with is not None:
            return self.fail_with, {"errors": [{"message": f"stub fails with {self.fail_with}"}]}
        if self.empty_after in [asked for *_, asked in self.requests[:-1]]:
            return 200, {}
        with self._lock:
            if path == "/graphql":
                return 200, {"data": self._graphql(operation, message.get("variables") or {})}
            parts = path.strip("/").split("/")
            if parts[0] == "files" and parts[-1] == "file_stream":
                self.runs[parts[3]].stream(json.loads(body))
            elif parts[0] == "upload":
                self.runs[parts[1]].files[unquote("/".join(parts[2:]))] = body
            return 200, {}

    def _graphql(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        match operation:
            case "Viewer":
                user = {"id": "stub", "entity": ENTITY, "username": "stub", "flags": "{}"}
                return {"viewer": user | {"teams": {"edges": []}}}
            case "GetDefaultEntity":
                return {"viewer": {"id": "stub", "entity": ENTITY}}
            case "ServerFeaturesQuery":
                return {"serverInfo": {"features": []}}
            case "OrganizationCoreWeaveOrganizationID":
                return {"entity": None}
            case "RunResumeStatus":
                run = self.runs.get(variables["name"])
                project = _named(variables["project"]) | {"entity": _named(ENTITY)}
                return {"model": project | {"bucket": run.bucket() if run else None}}
            case "UpsertBucket":
                return {"upsertBucket": self._upsert_run(variables)}
            case "CreateRunFiles":
                run_name = variables["run"]
                files = [self._upload(run_name, name) for name in variables["files"]]
                return {"createRunFiles": {"runID": run_name, "uploadHeaders": [], "files": files}}
            case "NotifyScriptableRunAlert":
                self.alerts.append((variables["title"], variables["text"]))
                return {"notifyScriptableRunAlert": {"success": True}}
            case "ArtifactType":
                return {"project": None}
            case "CreateArtifact":
                asked = variables["input"]
                place = f"{asked['runName']}/artifacts/{asked['artifactCollectionName']}"
                sequence = {"id": place, "latestArtifact": None}
                artifact = {"id": place, "state": "PENDING", "artifactSequence": sequence}
                return {"createArtifact": {"artifact": artifact}}
            case "CreateArtifactManifest":
                file = self._upload(variables["artifactID"], variables["name"])
                return {"createArtifactManifest": {"artifactManifest": {"id": "0", "file": file}}}
            case "CreateArtifactFiles":
                entries = variables["input"]["artifactFiles"]
                nodes = [self._upload(entry["artifactID"], entry["name"]) for entry in entries]
                edges = [{"node": node | {"artifact": {"id": "0"}}} for node in nodes]
                return {"createArtifactFiles": {"files": {"edges": edges}}}
            case "CommitArtifact":
                return {"commitArtifact": {"artifact": {"id": variables["artifactID"]}}}
            case "CreateProject" | "GetProjects" | "ProjectInternalId":
                return self._projects(operation, variables)
            case "View" | "ProjectViews" | "UpsertView2" | "upsertView":
                return self._views(operation, variables)
            case "UpsertSweep" | "SweepWithRuns" | "CreateAgent" | "Heartbeat":
                return self._sweeps(operation, variables)
        self.unknown.append(operation)
        return {}

    def _projects(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        if operation == "CreateProject":
            name = variables["input"]["name"]
            new = name not in self.projects
            self.projects += [name] * new
            return {"result": {"project": _named(name), "model": None, "inserted": new}}
        if operation == "ProjectInternalId":
            name = variables["projectName"]
            known = name in self.projects
            return {"project": _named(name) | {"internalId": f"internal-{name}"} if known else None}
        nodes = [
            _named(name)
            | {"__typename": "Project", "entityName": ENTITY, "isBenchmark": False, "user": None}
            | {"createdAt": CREATED}
            for name in self.projects
        ]
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {"models": {"pageInfo": page, "edges": [{"node": node} for node in nodes]}}

    def _views(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Save a view, by its id if it has one, or list the views of a type and a name."""
        if operation.lower().startswith("upsert"):
            identity = variables.get("id") or f"view-{len(self.views)}"
            new = identity not in self.views
            self.views[identity] = StubView(
                identity,
                variables["entityName"],
                variables["projectName"],
                variables["type"],
                variables["name"],
                variables["displayName"],
                json.loads(variables["spec"]),
            )
            return {"upsertView": {"view": self.views[identity].node(), "inserted": new}}
        project = variables["name"] if operation == "View" else variables["project"]
        if project not in self.projects:
            return {"project": None}
        kind, name = variables.get("viewType", "runs"), variables.get("viewName")
        edges = [
            {"node": view.node(), "cursor": view.id}
            for view in self.views.values()
            if (view.project, view.type) == (project, kind) and name in (None, view.name)
        ]
        page = {"endCursor": None, "hasNextPage": False}
        return {"project": {"allViews": {"edges": edges, "pageInfo": page}}}

    def _sweeps(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        if operation == "UpsertSweep":
            self.sweeps.append(yaml.safe_load(variables["config"]))
            project = _named(variables["projectName"]) | {"entity": _named(variables["entityName"])}
            sweep = _named(f"sweep-{len(self.sweeps) - 1}") | {"project": project}
            return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": []}}
        if operation == "SweepWithRuns":
            config = self.sweeps[int(variables["sweep"].removeprefix("sweep-"))]
            sweep = _named(variables["sweep"]) | {"config": yaml.dump(config)}
            return {"project": {"sweep": sweep | {"runs": {"edges": []}}}}
        if operation == "CreateAgent":
            return {"createAgent": {"agent": {"id": f"agent-of-{variables['sweep']}"}}}
        sweep = variables["id"].removeprefix("agent-of-")
        commands: list[dict[str, Any]] = []
        if self.suggested and not json.loads(variables["runState"]):
            values = {key: {"value": value} for key, value in self.suggested.pop(0).items()}
            run = f"{sweep}-run-{len(self.suggested)}"
            program = self.sweeps[int(sweep.removeprefix("sweep-"))].get("program")
            commands = [{"type": "run", "run_id": run, "args": values, "program": program}]
        elif not json.loads(variables["runState"]):
            commands = [{"type": "exit"}]
        heart = {"agent": {"id": variables["id"]}, "commands": json.dumps(commands)}
        return {"agentHeartbeat": heart}

    def _upload(self, place: str, name: str) -> dict[str, Any]:
        """Return the URL for a PUT; `place` is a run or, for artifacts, a folder below it."""
        url = f"{self.url}/upload/{quote(f'{place}/{name}')}"
        return _named(name) | {"storagePath": name, "uploadUrl": url, "uploadHeaders": []}

    def _upsert_run(self, variables: dict[str, Any]) -> dict[str, Any]:
        name = variables["name"]
        new = name not in self.runs
        if new:
            project = variables["project"] or "uncategorized"
            self.runs[name] = StubRun(project, name, variables["displayName"] or name)
        if variables["config"]:
            self.runs[name].configure(variables["config"])
        return {"bucket": self.runs[name].bucket(), "inserted": new}


class _Http(ThreadingHTTPServer):
    stub: WandbServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close the connection, as wandb does when a process ends."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base names it so)
        """Print nothing; `WandbServer.requests` has the requests."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, reply = self.server.stub.answer(self.command, self.path, body)
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 (the names that http.server looks for)
