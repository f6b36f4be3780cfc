"""Checkpoints by hub id, against a stub of the Hub's HTTP answers on this machine.

The stub takes every file as part of the commit. The real Hub asks for weights to be stored apart (LFS, Xet) before it, which is
the business of `huggingface_hub`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import huggingface_hub.constants
import pytest
import torch

from seq2seq.checkpoint import seal
from seq2seq.model import BESIDE, CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, CheckpointError, Seq2Seq
from seq2seq.translator import Translator
from tests.conftest import ENGLISH, tiny_model

ROOT = Path(__file__).parents[1]
MAIN, OLDER = "a" * 40, "b" * 40
REFUSALS = {
    "private": (401, "RepoNotFound", "Repository not found"),
    "gated": (403, "GatedRepo", "Access to model user/gated is restricted"),
    "forbidden": (403, "", "You have no right to this"),
    "broken": (500, "", "Internal Server Error"),
    "busy": (503, "", "Service Unavailable"),
}
"""What the stub answers to any question about user/NAME: status, error code, message."""


class Hub(BaseHTTPRequestHandler):
    """Models, by id and commit, as the Hub serves them and as it takes them."""

    server: HubServer

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        self.server.asked.append((self.command, "/".join(parts)))
        if self.refuse(parts):
            return
        if parts[2:3] != ["resolve"]:  # user/name/resolve/revision/file
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
            return
        repository, (revision, name) = "/".join(parts[:2]), (parts[3], "/".join(parts[4:]))
        versions = self.server.models.get(repository)
        if versions is None:
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
            return
        commit = {"main": MAIN, "v1": OLDER}.get(revision, revision)
        if commit not in versions:
            self.answer(404, b"", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        elif name not in versions[commit]:
            self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        else:
            body = versions[commit][name]
            etag = f'"{hashlib.sha256(body).hexdigest()}"'
            self.answer(200, body, {"X-Repo-Commit": commit, "ETag": etag})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        self.server.asked.append((self.command, "/".join(parts)))
        if parts == ["api", "repos", "create"]:
            asked = json.loads(body)
            repository = f"{asked.get('organization') or 'user'}/{asked['name']}"
            if self.refuse(repository.split("/")):
                return
            known = repository in self.server.models
            self.server.models.setdefault(repository, {})
            self.answer_json(409 if known else 200, {"url": f"{self.server.address}/{repository}"})
            return
        if parts == ["api", "validate-yaml"]:  # the front matter of a model card
            self.answer_json(200, {"errors": [], "warnings": []})
            return
        repository, what, revision = "/".join(parts[2:4]), parts[4], parts[5]
        if self.refuse(parts[2:4]):
            return
        if what == "preupload":
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            self.answer_json(200, {"files": files})
        elif what == "commit":
            lines = [json.loads(line) for line in body.splitlines()]
            files = {
                line["value"]["path"]: base64.b64decode(line["value"]["content"])
                for line in lines
                if line["key"] == "file"
            }
            self.server.commits.append((repository, revision, lines[0]["value"]["summary"], sorted(files)))
            self.server.models[repository][{"main": MAIN, "v1": OLDER}[revision]] = files
            address = f"{self.server.address}/{repository}/commit/{MAIN}"
            self.answer_json(200, {"success": True, "commitOid": MAIN, "commitUrl": address})

    def refuse(self, parts: list[str]) -> bool:
        name = (parts[2:] if parts[0] == "api" else parts)[1:2]
        if not name or name[0] not in REFUSALS:
            return False
        status, code, message = REFUSALS[name[0]]
        self.answer(status, b"", {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {}))
        return True

    def answer_json(self, status: int, answer: dict) -> None:
        self.answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


class HubServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hub)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.models: dict[str, dict[str, dict[str, bytes]]] = {}
        self.asked: list[tuple[str, str]] = []
        self.commits: list[tuple[str, str, str, list[str]]] = []


def use(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """As HF_ENDPOINT does, which the library reads only when it is imported."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub of this process, whose own cache is empty."""
    server = HubServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    use(monkeypatch, server.address)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    monkeypatch.setattr("time.sleep", lambda _: None)  # the library waits before it tries again
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path, tokenizer) -> Path:
    """A checkpoint of all five files."""
    folder = tmp_path / "tiny"
    tiny_model("additive", len(tokenizer)).save_pretrained(folder)
    (folder / TOKENIZER_FILE).write_text(tokenizer.to_json())
    (folder / "metrics.json").write_text("{}\n")
    (folder / "README.md").write_text("# A model card\n")
    seal(folder)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refusal(*arguments, **options) -> str:
    """The message of a CheckpointError, which has to be one line of a length that can be read, wherever the cache lies."""
    with pytest.raises(CheckpointError) as caught:
        Seq2Seq.from_pretrained(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message.replace(huggingface_hub.constants.HF_HUB_CACHE, "")) < 200
    return message


def test_a_checkpoint_is_fetched_once_and_kept(hub, folder):
    hub.models["user/tiny"] = {MAIN: files_of(folder)}
    here, there = Translator.from_checkpoint(folder, "cpu"), Translator.from_checkpoint("user/tiny", "cpu")
    assert there.name == "user/tiny" and there.translate(ENGLISH[0]).text == here.translate(ENGLISH[0]).text
    for mine, theirs in zip(here.model.parameters(), there.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    fetched = sorted(path.rpartition("/")[2] for method, path in hub.asked if method == "GET" and "/resolve/" in path)
    assert fetched == sorted([CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE]), "each once, and nothing else"
    hub.shutdown()
    hub.server_close()  # from here on there is no network
    assert Translator.from_checkpoint("user/tiny", "cpu").translate(ENGLISH[0]).text


def test_a_revision_is_the_one_that_was_asked_for(hub, folder, tmp_path):
    older = tmp_path / "older"
    tiny_model("plain", 12, seed=5).save_pretrained(older)
    hub.models["user/tiny"] = {MAIN: files_of(folder), OLDER: files_of(older)}
    assert Seq2Seq.from_pretrained("user/tiny").config.kind == "additive"
    for revision in ("v1", OLDER):
        assert Seq2Seq.from_pretrained("user/tiny", revision=revision).config.kind == "plain"
    assert "no such revision" in refusal("user/tiny", revision="v2")


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE])
def test_a_missing_file_is_named(hub, folder, name):
    hub.models["user/tiny"] = {MAIN: {key: body for key, body in files_of(folder).items() if key != name}}
    with pytest.raises(CheckpointError, match=f"its {name} could not be fetched.*no such file") as caught:
        Translator.from_checkpoint("user/tiny", "cpu")
    assert "\n" not in str(caught.value)


def test_a_broken_file_is_named(hub, folder):
    hub.models["user/tiny"] = {MAIN: files_of(folder) | {WEIGHTS_FILE: b"<html>"}}
    assert WEIGHTS_FILE in refusal("user/tiny")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "no such repository"),
        ("private", "no such repository"),
        ("gated", "gated"),
        ("forbidden", "403"),
        ("broken", "500"),
        ("busy", "503"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_line(hub, name, said):
    message = refusal(f"user/{name}")
    assert message.startswith(f"no folder user/{name}, and its {CONFIG_FILE} could not be fetched") and said in message


def test_no_network(hub, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        use(monkeypatch, f"http://127.0.0.1:{free.getsockname()[1]}")
    assert "cannot be reached" in refusal("user/tiny")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refusal("user/tiny")


def test_pushed_and_fetched_again(hub, folder):
    """All five files in one commit; what else lies in the folder stays at home."""
    (folder / "training").mkdir()
    (folder / "training" / "log.csv").write_text("step\n")
    (folder / "secret.txt").write_text("stays here\n")
    model = Seq2Seq.from_pretrained(folder)
    address = model.push_to_hub("user/tiny", folder=folder, commit_message="First")
    assert str(address).startswith(f"{hub.address}/user/tiny")
    assert hub.commits == [("user/tiny", "main", "First", sorted((CONFIG_FILE, WEIGHTS_FILE, *BESIDE)))]
    pushed = files_of(folder)
    del pushed["secret.txt"]
    assert hub.models["user/tiny"][MAIN] == pushed
    assert Translator.from_checkpoint("user/tiny", "cpu").translate(ENGLISH[0]).text
    model.push_to_hub("user/tiny")  # it is there already; without a folder only the model itself
    assert hub.commits[1][3] == [CONFIG_FILE, WEIGHTS_FILE]


def test_saving_may_push(hub, folder):
    model = Seq2Seq.from_pretrained(folder)
    assert model.save_pretrained(folder, push_to_hub=True, repo_id="user/other", dtype=torch.float32)
    assert hub.commits[0][3] == sorted((CONFIG_FILE, WEIGHTS_FILE, *BESIDE))
    assert hub.models["user/other"][MAIN] == files_of(folder), "of the same precision as in the folder"
    model.save_pretrained(folder, push_to_hub=True)
    assert hub.commits[1][0] == "user/tiny", "by default the name is the folder's"


@pytest.mark.parametrize(("name", "said"), [("forbidden", "403"), ("broken", "500"), ("private", "no such repository")])
def test_a_refused_push_is_one_line(hub, folder, name, said):
    with pytest.raises(CheckpointError, match=f"user/{name} could not be pushed") as caught:
        Seq2Seq.from_pretrained(folder).push_to_hub(f"user/{name}")
    assert "\n" not in str(caught.value) and said in str(caught.value) and hub.commits == []


def test_from_the_command_line(hub, folder, tmp_path):
    """As a user sets it up: by environment variables, in a process of its own."""
    hub.models["user/tiny"] = {MAIN: files_of(folder)}
    environment = os.environ | {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "seq2seq", "translate", "--json", "A man rides.", "--checkpoint"]
    run = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run([*command, "user/tiny"], **run)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["checkpoint"] == "user/tiny"
    done = subprocess.run([*command, "user/nothing"], **run)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "no such repository" in done.stderr
