"""What programs that read the code say about it. Their settings are in pyproject.toml."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHECKED = ("seq2seq", "tests", "app.py")


def reads(*command: str, at: Path = ROOT) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=at, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_ruff_finds_nothing(command: tuple[str, ...]) -> None:
    reads("ruff", *command, *CHECKED)


def test_types_fit(tmp_path: Path) -> None:
    """In a copy without the stubs that Gradio writes beside its components: they hide what else is in those modules."""
    shutil.copytree(ROOT / "seq2seq", tmp_path / "seq2seq", ignore=shutil.ignore_patterns("*.pyi", "__pycache__"))
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    reads("ty", "check", "--python", sys.executable, "--output-format", "concise", at=tmp_path)


def test_a_wrong_type_is_found(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("length: int = 'three'\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="invalid-assignment"):
        reads("ty", "check", "--python", sys.executable, "--output-format", "concise", at=tmp_path)
