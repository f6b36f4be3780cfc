"""The repository as a Hugging Face Space: front matter that the Hub accepts, and files that need no LFS."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import space

ROOT = Path(__file__).parents[1]
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
HARDWARE = (
    "cpu-basic cpu-upgrade zero-a10g t4-small t4-medium l4x1 l4x4 l40sx1 l40sx4 l40sx8 a10g-small a10g-large a10g-largex2 "
    "a10g-largex4 a100-large h100 h100x8"
).split()
MAX_BYTES = 10_000_000
"""Of one file: the Hub takes larger ones by LFS only."""


def text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() == value != "" and "\n" not in value


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def names(value: Any) -> bool:
    return isinstance(value, list) and all(map(text, value))


def one_of(*values: str) -> Any:
    return lambda value: value in values


def like(pattern: str) -> Any:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def in_the_repository(value: Any) -> bool:
    return text(value) and (ROOT / value).is_file() and (ROOT / value).resolve().is_relative_to(ROOT)


# The Hub's "Spaces Configuration Reference", as far as it is about Gradio Spaces.
KEYS = {
    "title": text,
    # One picture: no letters, no digits, no marks of ASCII.
    "emoji": lambda value: text(value) and len(value) <= 8 and not any(c.isalnum() or c.isascii() for c in value),
    "colorFrom": one_of(*COLORS),
    "colorTo": one_of(*COLORS),
    "sdk": one_of("gradio"),
    "sdk_version": like(r"\d+\.\d+\.\d+"),
    "python_version": like(r"3\.\d+(\.\d+)?"),
    "app_file": in_the_repository,
    "short_description": lambda value: text(value) and len(value) <= 60,
    "startup_duration_timeout": like(r"[1-9]\d*(s|m|h|d|ms)"),
    "license": like(r"[a-z0-9.-]+"),
    "pinned": flag,
    "fullWidth": flag,
    "header": one_of("mini", "default"),
    "thumbnail": text,
    "models": names,
    "datasets": names,
    "tags": names,
    "suggested_hardware": one_of(*HARDWARE),
    "suggested_storage": one_of("small", "medium", "large"),
    "base_path": like(r"/.*"),
    "disable_embedding": flag,
    "hf_oauth": flag,
    "hf_oauth_expiration_minutes": lambda value: type(value) is int and 0 < value <= 43200,
    "hf_oauth_scopes": names,
    "hf_oauth_authorized_org": lambda value: text(value) or names(value),
    "preload_from_hub": names,
    "custom_headers": lambda value: (
        isinstance(value, dict)
        and value.keys() <= {f"cross-origin-{of}-policy" for of in ("embedder", "opener", "resource")}
    ),
}
NEEDED = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "license"}


def front_matter(readme: str) -> dict[str, Any]:
    """The YAML between the first two lines of three dashes; raises ValueError where there is none."""
    match = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    if match is None:
        raise ValueError("no front matter at the very beginning")
    found = yaml.safe_load(match[1])
    if not isinstance(found, dict):
        raise ValueError("the front matter is not made of keys and values")
    return found


def problems(found: dict[str, Any]) -> list[str]:
    """What the Hub would refuse, or overlook without a word."""
    unknown = [f"{key}: unknown key" for key in found if key not in KEYS]
    wrong = [f"{key}: {value!r} is not allowed" for key, value in found.items() if key in KEYS and not KEYS[key](value)]
    return unknown + wrong + [f"{key}: missing" for key in sorted(NEEDED - found.keys())]


@pytest.fixture(scope="module")
def matter() -> dict[str, Any]:
    return front_matter((ROOT / "README.md").read_text(encoding="utf-8"))


def test_the_front_matter_is_one_the_hub_accepts(matter):
    assert problems(matter) == []


def test_what_is_started_is_what_is_pinned(matter):
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))
    assert matter["sdk"] == "gradio" and matter["sdk_version"] == pins["gradio"]
    assert matter["python_version"] == "3.12"
    assert matter["app_file"] == "app.py"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"short_description": "x" * 61}, "short_description"),
        ({"python_version": 3.12}, "python_version"),  # a number without quotes: 3.10 would be 3.1
        ({"sdk_version": "6"}, "sdk_version"),
        ({"sdk": "streamlit"}, "sdk"),
        ({"colorFrom": "teal"}, "colorFrom"),
        ({"emoji": "lens"}, "emoji"),
        ({"app_file": "main.py"}, "app_file"),
        ({"app_file": "../app.py"}, "app_file"),
        ({"startup_duration_timeout": 30}, "startup_duration_timeout"),
        ({"pinned": "yes"}, "pinned"),
        ({"models": "user/name"}, "models"),
        ({"color": "blue"}, "color: unknown"),
        ({"suggested_hardware": "gpu"}, "suggested_hardware"),
    ],
)
def test_the_schema_refuses(matter, change, said):
    [problem] = problems(matter | change)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    "readme", ["# No front matter\n", "\n---\ntitle: a\n---\n", "---\n- a\n---\n", "---\ntitle: a\n"]
)
def test_a_readme_without_front_matter_is_refused(readme):
    with pytest.raises(ValueError, match="front matter"):
        front_matter(readme)


def test_the_trial_of_a_space_reads_the_same_front_matter(matter):
    """It has no YAML at hand, so it reads plain lines only; that is what there is."""
    assert space.front_matter((ROOT / "README.md").read_text(encoding="utf-8")) == matter


@pytest.mark.parametrize("readme", ["# No front matter\n", "\n---\ntitle: a\n---\n", "---\ntitle: a\n", ""])
def test_the_trial_of_a_space_misses_front_matter(readme):
    with pytest.raises(ValueError, match="front matter"):
        space.front_matter(readme)


def test_no_file_is_over_ten_megabytes():
    """Of what a commit of this working tree would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert ROOT / "app.py" in files
    assert {
        path.name: path.stat().st_size for path in files if path.is_file() and path.stat().st_size > MAX_BYTES
    } == {}


def test_the_command_that_sends_a_space_is_one_that_is_installed():
    """As `.github/HOSTING.md` writes it; the Hub itself is not asked."""
    [line] = [
        one for one in (ROOT / ".github" / "HOSTING.md").read_text(encoding="utf-8").splitlines() if "hf upload" in one
    ]
    words = line.split()
    assert words[:2] == ["hf", "upload"] and "--repo-type" in words and words[-1] == "space"
    shown = subprocess.run(
        [Path(sys.executable).with_name("hf"), "upload", "--help"], capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 0 and "--repo-type" in shown.stdout and "space" in shown.stdout
