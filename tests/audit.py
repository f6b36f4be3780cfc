"""Asks the public lists of known holes about every pinned dependency and what they bring with them.

    python tests/audit.py

For a machine with a network; no test runs it. It makes an environment of its own for `pip-audit`, which it removes again.
Exit 0: none is known; 1: some are, and they are listed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AUDITOR = "pip-audit==2.10.0"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", AUDITOR], check=True)
        files = [part for name in ("requirements.txt", "tests/requirements.txt") for part in ("-r", ROOT / name)]
        return subprocess.run([python, "-m", "pip_audit", "--progress-spinner", "off", *files]).returncode


if __name__ == "__main__":
    sys.exit(main())
