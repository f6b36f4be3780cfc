"""What no line of the package may do. Read off the source, so that it holds also where no test runs it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / "app.py", *sorted((ROOT / "seq2seq").rglob("*.py"))]
SCRIPTS = sorted((ROOT / "seq2seq").rglob("*.js"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "runpy", "yaml"}
"""These make code of data, or objects of any class."""
CALLS = {"eval", "exec", "compile", "__import__"}
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\s*\(|new Function|setTimeout\s*\(\s*['\"`]"
)


def crimes(source: str) -> list[str]:
    """Calls and imports that run or unpack what somebody may have sent."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in MODULES]
        elif isinstance(node, ast.Call):
            named = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
            called = ast.unparse(node.func)
            if called in CALLS or called in ("os.system", "os.popen") or named.get("shell"):
                found.append(called)
            if called == "torch.load" and named.get("weights_only") is not True:
                found.append("torch.load without weights_only=True")
            if called in ("np.load", "numpy.load", "pd.read_pickle") and named.get("allow_pickle", called[0] == "p"):
                found.append(called)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_sent_is_run_or_unpickled(path: Path) -> None:
    own = ["runpy"] if path.name == "cli.py" else []  # `serve` runs app.py, and nothing that a caller names
    assert crimes(path.read_text(encoding="utf-8")) == own


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "eval(text)",
        "exec(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "np.load(path, allow_pickle=True)",
    ],
)
def test_the_reader_of_sources_finds_each(source: str) -> None:
    assert crimes(source)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_pages_scripts_make_no_markup_of_text(path: Path) -> None:
    assert not MARKUP.findall(path.read_text(encoding="utf-8"))


def test_dependencies_are_pinned() -> None:
    for name in ("requirements.txt", "tests/requirements.txt"):
        lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
        assert all(re.fullmatch(r"[\w.-]+==[\d.]+", line) for line in lines if line), name


def test_every_promise_names_a_test_that_is_there() -> None:
    """`.github/SECURITY.md` names the test of each promise."""
    text = (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8")
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)
    assert len(named) >= 20
    assert [
        name for name in named if f"def {name}(" not in tests and not list((ROOT / "tests").rglob(f"{name}.py"))
    ] == []
