"""Who may know whom. Read off the source, so that a wrong import is found even where no test runs it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "seq2seq"
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}

# From the bottom up: a module may import those of lower layers, and of its own where that makes no circle.
LAYERS = (
    {"language"},
    {"scenes"},
    {"grammar"},
    {"config", "tokenizer", "data", "checkpoint"},
    {"encoder", "attention", "aligner", "augment", "upload", "sources", "scene_data"},
    {"decoder"},
    {"classic"},
    {"model"},
    {"search", "dial", "tutorial"},
    {"translation"},
    {"translator"},
    {
        "batching",
        "evaluation",
        "explain",
        "inside",
        "comparison",
        "bottleneck",
        "training_state",
        "batch",
        "scale",
        "ensemble",
        "truth",
    },
    {"training", "trial"},
)
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names}
RESULTS_ONLY = {"figures", "report", "charts", "sheet", "picture", "slides"}
"""These see finished translations: no model, no page."""


def imports(path: Path, at_import_only: bool = False) -> set[str]:
    """Every module that a file imports anywhere, as a dotted name; relative ones made absolute.

    at_import_only: without what stands inside functions or under `if TYPE_CHECKING`.
    """
    package = ("seq2seq", *path.relative_to(PACKAGE).parent.parts)
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if at_import_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and at_import_only:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*start, *filter(None, [node.module])))
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def ours(path: Path, at_import_only: bool = False) -> set[str]:
    """The modules of the package, among the imports."""
    names = {name.removeprefix("seq2seq.") for name in imports(path, at_import_only) if name.startswith("seq2seq.")}
    return {name for name in names if name in MODULES or f"{name}.__init__" in MODULES}


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def test_the_reader_of_imports_reads_all_kinds(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    path = tmp_path / "demo" / "tab.py"
    path.parent.mkdir()
    path.write_text(
        "import a.b as c\nfrom d import e\nfrom . import f\nfrom ..g import h\ndef i():\n    import gradio\n"
    )
    assert {"a.b", "d", "d.e", "seq2seq.demo.f", "seq2seq.g", "seq2seq.g.h", "gradio"} <= imports(path)
    assert "gradio" not in imports(path, at_import_only=True)


def test_the_layers_are_modules_of_the_package():
    assert {"config", "decoder", "training", "search"} <= MODULES.keys()
    assert not LAYER.keys() - MODULES.keys() - {"explain"}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name):
    assert ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8"))), f"{name} has no docstring"


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("demo")])
def test_gradio_lives_in_the_demo_only(name):
    assert not {"gradio", "gradio_client", "spaces"} & roots(MODULES[name])


@pytest.mark.parametrize("name", [name for name in MODULES if name in LAYER])
def test_imports_point_one_way(name):
    known = {other for other in ours(MODULES[name]) if other != "__init__"}
    allowed = {other for other, level in LAYER.items() if level <= LAYER[name]} - {name}
    # A result may draw itself: only when it is asked to, and only through `figures`.
    if name == "translation":
        assert not ours(MODULES[name], at_import_only=True) - allowed
        known -= RESULTS_ONLY
    if name in {"batch", "trial"}:
        known.discard("report")  # they write tables too
    assert not known - allowed, f"{name} must not know {sorted(known - allowed)}"


@pytest.mark.parametrize("layer", LAYERS, ids=lambda names: ",".join(sorted(names)))
def test_no_circle_within_a_layer(layer):
    edges = {name: ours(MODULES[name]) & layer for name in layer if name in MODULES}
    done: set[str] = set()
    while ready := {name for name, needs in edges.items() if name not in done and needs <= done}:
        done |= ready
    assert done == edges.keys()


@pytest.mark.parametrize("name", sorted(RESULTS_ONLY & MODULES.keys()))
def test_pictures_and_reports_see_results_only(name):
    forbidden = {"translator", "model", "decoder", "search", "training", "evaluation", "explain"}
    assert not {"torch", "gradio"} & roots(MODULES[name])
    assert not {other for other in ours(MODULES[name]) if other.split(".")[0] in forbidden | {"demo"}}


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("demo")])
def test_nothing_knows_the_page_but_the_page(name):
    assert not {other for other in ours(MODULES[name]) if other.split(".")[0] == "demo"}
