"""The page behind a real nginx, as `.github/HOSTING.md` sets it up: its two blocks of configuration, with free ports."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / ".github" / "HOSTING.md"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
"""None where it is not installed. Debian puts it where only root's PATH looks."""
NO_NGINX = "nginx is not installed; on Debian: apt-get install nginx-light"
SECONDS = 120


def block(language: str) -> str:
    """The one code block of a language on the page."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return found


def environment() -> dict[str, str]:
    """What the systemd unit sets."""
    return dict(re.findall(r"^Environment=(\w+)=(.*)$", block("ini"), re.MULTILINE))


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def configuration(folder: Path, port: int, app_port: int) -> str:
    """A whole nginx.conf around the server block of the page, which writes into `folder` only."""
    server = block("nginx")
    for old, new in (("listen 80;", f"listen 127.0.0.1:{port};"), (":7860/;", f":{app_port}/;")):
        assert server.count(old) == 1, f"{PAGE.name} has no single {old!r}"
        server = server.replace(old, new)
    built = subprocess.run([NGINX, "-V"], capture_output=True, text=True).stderr
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = [f"{kind}_temp_path {folder / kind};" for kind in kinds if f"--without-http_{kind}_module" not in built]
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not write into the folder
    lines = (
        user,
        "daemon off;",
        f"pid {folder / 'nginx.pid'};",
        "events {}",
        "http {",
        "access_log off;",
        "log_not_found off;",
        *paths,
    )
    return "\n".join((*lines, server, "}\n"))


@contextlib.contextmanager
def behind_nginx(folder: Path) -> Iterator[str]:
    """Starts both; the address of the page, without a slash at the end. At the end neither may have complained."""
    port, app_port = free_ports(2)
    config, log, errors = folder / "nginx.conf", folder / "app.log", folder / "error.log"
    config.write_text(configuration(folder, port, app_port))
    app = [sys.executable, "app.py"]
    settings = os.environ | environment() | {"GRADIO_SERVER_PORT": str(app_port)}
    address = f"http://127.0.0.1:{port}{settings['GRADIO_ROOT_PATH']}"
    with log.open("w") as output, contextlib.ExitStack() as running:
        for command in (app, [NGINX, "-p", str(folder), "-e", str(errors), "-c", str(config)]):
            process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=output, stderr=output)
            running.callback(process.wait, timeout=20)
            running.callback(process.terminate)
            if command is app:
                wait_for(f"http://127.0.0.1:{app_port}/", process, log)
            else:
                wait_for(f"{address}/", process, log)
        yield address
    assert "Traceback" not in log.read_text(), log.read_text()
    # A refused upload is told of as an error, though it is what was asked for.
    complaints = [line for line in errors.read_text().splitlines() if "too large body" not in line]
    assert not any("[error]" in line or "[crit]" in line for line in complaints), complaints


def wait_for(address: str, process: subprocess.Popen, log: Path, seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}:\n{log.read_text()}"
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.25)
    raise AssertionError(f"{address} did not answer in {seconds} seconds:\n{log.read_text()}")
