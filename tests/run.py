"""Installs what the tests need into the environment of this Python, finds or installs a Chromium, and runs all tests.

    python tests/run.py [arguments of pytest]

Only the standard library is used here, because nothing else is there yet. The tests are told of the browser by the
environment variable CHROMIUM: the path of one, or empty for playwright's own. Set it to choose the browser yourself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
ALIGNER = "eflomal==2.0.0"
"""The extra `align` in pyproject.toml. It comes as source only: where there is no C compiler, tests do without it."""
WORKERS = 4
"""Most processes that test at once: each may need 3 GB of memory."""
PAUSE = 5
"""Seconds before a failed download is tried once more."""
LAUNCH = """
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    playwright.chromium.launch(executable_path=sys.argv[1] or None, args=["--no-sandbox"]).close()
"""


def say(message: str) -> None:
    print(f"tests/run.py: {message}", file=sys.stderr, flush=True)


def run(*command: str, tries: int = 2) -> bool:
    """Runs a command that downloads; a network that failed once may work the next time. -> whether it succeeded"""
    for left in reversed(range(tries)):
        say(" ".join(command))
        if subprocess.run(command, cwd=ROOT).returncode == 0:
            return True
        if left:
            say(f"failed; trying once more in {PAUSE} seconds")
            time.sleep(PAUSE)
    return False


def starts(browser: str) -> bool:
    """Whether playwright can start this browser; "" is its own. A command on PATH may be a mere stub."""
    done = subprocess.run([sys.executable, "-c", LAUNCH, browser], capture_output=True, timeout=120)
    return done.returncode == 0


def on_path() -> str | None:
    """The first Chromium among the commands that starts."""
    return next((path for path in map(shutil.which, NAMES) if path and starts(path)), None)


def find_chromium() -> str | None:
    """The one that is there, else playwright's own, else Debian's package when root; None if there is no way."""
    found = on_path()
    if found:
        return found
    if starts("") or (run(sys.executable, "-m", "playwright", "install", "chromium") and starts("")):
        return ""
    return on_path() if install_package("chromium") else None


def install_package(name: str, tries: int = 2) -> bool:
    """Debian's package, when root -> whether it is there now."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if not (is_root and shutil.which("apt-get")):
        return False
    return run("apt-get", "update", tries=tries) and run("apt-get", "install", "-y", name, tries=tries)


def main() -> int:
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q")
    if not run(*pip, "-r", "requirements.txt", "-r", "tests/requirements.txt"):
        say("the packages could not be installed; see above")
        return 1
    if not run(*pip, ALIGNER, tries=1):
        say("no aligner: it needs a C compiler; its tests will be skipped")
    # Debian puts it where only root's PATH looks.
    if not (
        shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or install_package("nginx-light", tries=1)
    ):
        say("no nginx: the tests of the page behind one will be skipped")
    chromium = os.environ.get("CHROMIUM")
    if chromium is None:
        chromium = find_chromium()
    if chromium is None:
        say("no Chromium starts here; install one, put it on PATH or name it in CHROMIUM, and run this again")
        return 1
    say(f"browser: {chromium or 'the one of playwright'}")
    # A file's tests stay in one process, which starts its own page and browser; those of tests/browser, which take longest,
    # come first, as they are found (but see tests/conftest.py), so that no process is alone with one at the end.
    workers = ["-n", str(min(os.cpu_count() or 1, WORKERS)), "--dist", "loadfile", "--no-loadscope-reorder"]
    tests = [sys.executable, "-m", "pytest", *workers, *sys.argv[1:]]  # a later -n wins: `-n 0 --pdb`
    environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"CHROMIUM": chromium}
    return subprocess.run(tests, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
