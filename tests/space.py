"""Starts the page as a Hugging Face Space would: a fresh clone, its front matter, a fresh environment, the settings of a Space.

    python -m tests.space [--python python3.12] [--limit MINUTES]

What is committed is cloned into a temporary folder, for a push takes nothing else along, and the environment is made there
by the given Python: `requirements.txt`, and beside it what the Hub adds by itself (`HUB`). The page is asked what a browser
asks when it opens: to translate its example. Says what took how long and how much memory, and exits with 0 when that went
well, else with 1. It downloads all packages; only the standard library is used here. For a minute the page can be reached
from the network, as a Space can. Not on Windows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

from tests.hosting import ROOT, free_ports, wait_for

HUB = ("gradio[oauth,mcp]=={sdk_version}", "uvicorn>=0.14.0", "websockets>=10.4", "spaces")
"""What the build log of a Gradio Space names after its requirements. `spaces` does nothing on hardware other than ZeroGPU."""
AS_A_SPACE = {"SPACE_ID": "user/attention-lens", "SYSTEM": "spaces", "GRADIO_SERVER_NAME": "0.0.0.0"}
"""What the Hub sets, by which Gradio, and the page, know where they are."""
FRENCH = "target-text"
"""The page's id of the box in which the translation stands."""


def front_matter(readme: str) -> dict[str, str]:
    """`key: value` lines between the first two lines of three dashes, quotes taken off. Raises ValueError if it is missing."""
    head, *rest = readme.split("\n")
    if head != "---" or "---" not in rest:
        raise ValueError("README.md has no front matter: lines of `key: value` between two lines of three dashes")
    pairs = (line.partition(":") for line in rest[: rest.index("---")] if line.strip())
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def clone(folder: Path) -> Path:
    """What is committed here, in a folder of its own. Raises CalledProcessError."""
    made = folder / "clone"
    subprocess.run(["git", "clone", "-q", "--depth", "1", ROOT.as_uri(), made], check=True)
    return made


def install(python: str, folder: Path, matter: dict[str, str], limit: float) -> Path:
    """Makes the environment of the clone in `folder` -> its Python. Raises CalledProcessError, or TimeoutExpired after
    `limit` seconds."""
    environment = folder / "venv"
    subprocess.run([python, "-m", "venv", environment], check=True, timeout=limit)
    made = environment / "bin" / "python"
    wanted = ("-r", folder / "clone" / "requirements.txt", *(name.format(**matter) for name in HUB))
    pip = (made, "-m", "pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check")
    subprocess.run([*pip, *wanted], check=True, timeout=limit)
    return made


def example(address: str) -> str:
    """The translation with which the page opens. Raises AssertionError if it does not open with one."""
    with urllib.request.urlopen(f"{address}/config", timeout=60) as answer:
        page = json.load(answer)
    [box] = [part["id"] for part in page["components"] if part["props"].get("elem_id") == FRENCH]
    opening = [
        one
        for one in page["dependencies"]
        if box in one["outputs"] and any(event == "load" for _, event in one["targets"]) and one["types"]["generator"]
    ]
    assert len(opening) == 1, "the page has no single event that writes a translation when it opens"
    session = uuid.uuid4().hex
    body = {"data": [], "fn_index": opening[0]["id"], "session_hash": session}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/gradio_api/queue/join", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=60).close()
    place, french = opening[0]["outputs"].index(box), ""
    with urllib.request.urlopen(f"{address}/gradio_api/queue/data?session_hash={session}", timeout=300) as answer:
        for line in answer:
            message = json.loads(line[5:]) if line.startswith(b"data:") else {"msg": ""}
            if message["msg"] == "process_generating" and isinstance(message["output"]["data"][place], str):
                french = message["output"]["data"][place]
            if message["msg"] in ("process_completed", "close_stream"):
                assert message.get("success", True), message
                break
    assert french.strip(), "the page opens, but its example is not translated"
    return french


def memory(pid: int) -> str:
    """What a process holds and the most it held; where there is no /proc, that it is not known."""
    with contextlib.suppress(OSError):
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return f"{int(lines['VmRSS'].split()[0]) // 1024} MB, at most {int(lines['VmHWM'].split()[0]) // 1024} MB"
    return "not known"


def check(python: str, folder: Path, limit: float) -> None:
    """Does it all. Raises what went wrong."""
    cloned = clone(folder)
    matter = front_matter((cloned / "README.md").read_text(encoding="utf-8"))
    version = subprocess.run([python, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    print(
        f"{version}; the front matter asks for Python {matter['python_version']}, Gradio {matter['sdk_version']}",
        flush=True,
    )
    began = time.monotonic()
    made = install(python, folder, matter, limit)
    print(f"installed in {time.monotonic() - began:.0f} seconds", flush=True)
    [port] = free_ports(1)
    address, log = f"http://127.0.0.1:{port}", folder / "app.log"
    where = AS_A_SPACE | {"GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1"}
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    began = time.monotonic()
    with log.open("w") as output, contextlib.ExitStack() as running:
        command = [made, matter["app_file"]]
        app = subprocess.Popen(command, cwd=cloned, env=clean | where, stdout=output, stderr=output)
        running.callback(app.wait, timeout=20)
        running.callback(app.send_signal, signal.SIGTERM)
        wait_for(f"{address}/", app, log)
        print(f"the page answered after {time.monotonic() - began:.1f} seconds", flush=True)
        french = example(address)
        print(f"its example stood there after {time.monotonic() - began:.1f} seconds: {french}", flush=True)
        print(f"memory: {memory(app.pid)}", flush=True)
        with urllib.request.urlopen(f"{address}/gradio_api/mcp/schema", timeout=60) as answer:
            print("tools for language models:", *(tool["name"] for tool in json.load(answer)), flush=True)
    assert "Traceback" not in log.read_text(), log.read_text()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.space", description="Start the page as a Space would.")
    parser.add_argument("--python", default=sys.executable, help="Makes the environment; this one by default.")
    parser.add_argument("--limit", type=float, default=30, metavar="MINUTES", help="For the installation.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="attention-lens-space-") as folder:
        try:
            check(given.python, Path(folder), given.limit * 60)
        except (AssertionError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            print(f"tests/space.py: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
