"""What the README shows runs, and what it says of the repository is so."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
SHELL = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
PYTHON = [block for kind, block in BLOCKS if kind == "python"]


def test_the_two_commands_stand_there() -> None:
    assert "pip install -r requirements.txt && python app.py" in SHELL
    assert "python tests/run.py" in SHELL


@pytest.mark.parametrize(
    "line", [line for line in SHELL if re.match(r"python -m seq2seq (translate|compare|--help)", line)]
)
def test_shell_examples_run(line: str, tmp_path: Path) -> None:
    command = shlex.split(line, comments=True)
    done = subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_train_command_is_understood() -> None:
    """Every flag of the README's training command exists; the files are looked for, and said to be missing."""
    block = next(block for kind, block in BLOCKS if kind == "sh" and "seq2seq train" in block)
    command = shlex.split(block.split("do\n")[1].split("\ndone")[0].replace("\\\n", " ").replace("$kind", "plain"))
    command = [part.replace("data/", "no-such-folder/") for part in command]
    command[command.index("--out") + 1] = "no-such-folder/out"
    done = subprocess.run([sys.executable, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no such file" in done.stderr and not (ROOT / "no-such-folder").exists()


def test_commands_of_guided_training_are_understood() -> None:
    block = next(block for kind, block in BLOCKS if kind == "sh" and "seq2seq align" in block)
    commands = [line for line in block.replace("\\\n", " ").splitlines() if line.startswith("python -m seq2seq")]
    assert len(commands) == 2
    for line in commands:
        command = [part.replace("data/", "no-such-folder/") for part in shlex.split(line)]
        command[command.index("--out") + 1] = "no-such-folder"
        done = subprocess.run([sys.executable, *command[1:]], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 2 and "no such file" in done.stderr, done.stderr
    assert not (ROOT / "no-such-folder").exists()


def test_python_example_runs(tmp_path: Path) -> None:
    (example,) = [block for block in PYTHON if "from_checkpoint" in block]
    example = example.replace('"checkpoints/', f'"{ROOT.as_posix()}/checkpoints/')
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "heatmap.html").stat().st_size > 1_000_000, "an offline page holds Plotly"


def test_random_weights_example_prints_the_shapes_it_promises() -> None:
    (example,) = [block for block in PYTHON if "kinds()" in block]
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    shown = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert shown == {
        "plain": "[5, 256] [6, 2000] None",
        "additive": "[5, 256] [6, 2000] [6, 5]",
        "multiplicative": "[5, 256] [6, 2000] [6, 5]",
        "classic-plain": "[10, 256] [6, 2000] None",
        "classic-attention": "[10, 256] [6, 2000] [6, 10]",
    }


def test_import_command_is_understood(tmp_path: Path) -> None:
    """Its flags exist; the files are looked for, and the first is said to be missing."""
    block = next(block for kind, block in BLOCKS if kind == "sh" and "import-tutorial" in block)
    command = shlex.split(block.replace("\\\n", " "))
    done = subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 2 and "encoder.pt" in done.stderr and not list(tmp_path.iterdir())


def seconds(training: dict[str, Any] | None, name: str) -> list[float]:
    """Of each run behind a checkpoint's weights that was one of its own."""
    if training is None:
        return []
    own = [training["seconds"]] if name in training["command"].split("--out ")[1].split()[0] else []
    return own + seconds(training.get("before"), name)


def sure(scores: dict[str, Any]) -> str:
    """BLEU with its interval."""
    low, high = scores["bleu_interval"]
    return f"{scores['bleu']:.1f} ({low:.1f} to {high:.1f})"


def test_numbers_are_those_of_the_metrics() -> None:
    """Each row about a checkpoint says what its metrics.json says, rounded."""
    checked = 0
    for folder in sorted(path.parent for path in (ROOT / "checkpoints").glob("*/config.json")):
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        if "multi30k.test_2016_flickr" not in metrics:  # a model of scenes, see below
            continue
        captions, everyday = metrics["multi30k.test_2016_flickr"], metrics["tatoeba.test"]
        scores = [[f"{row['bleu']:.1f}" for row in captions["by_length"]]]
        whole = [sure(captions), f"{captions['bleu_lower_tok']:.1f}", sure(everyday)]
        scores.append([f"{metrics['training']['parameters']:,}", *whole])
        if judged := metrics.get("multi30k.test_2016_flickr.faithfulness"):
            scores[1].append(f"{100 * judged['matters']:.1f} %")
        sets = ("multi30k.test_2016_flickr", "multi30k.test_2016_flickr.beam5", "tatoeba.test", "tatoeba.test.beam5")
        size = (folder / "model.safetensors").stat().st_size / 1e6
        threes = ["{bleu:.1f} · {bleu_lower_tok:.1f} · {chrf:.1f}".format(**metrics[name]) for name in sets]
        aligned = metrics.get("hansards.dev")
        ways = (aligned, aligned["posterior"]) if aligned else ()
        errors = [f"{way['aer']:.2f} · {way['short']['aer']:.2f}" for way in ways]
        long = [" · ".join(f"{metrics[f'{name}.joined']['bleu']:.1f}" for name in (sets[0], sets[2]))]
        trained = f"{sum(seconds(metrics['training'], folder.name)):,.0f}"
        lengths = [" · ".join(scores[0])]
        scores.append([scores[1][0], f"{size:.1f} MB", *threes[:2], *lengths, *threes[2:], *long, *errors, trained])
        rows = [row for row in README.splitlines() if row.startswith(f"| `{folder.name}` |")]
        tables = [[cell.strip() for cell in row.strip("|").split("|")[1:]] for row in rows]
        for expected in scores:
            assert [*expected] in [[cell for cell in cells if cell] for cells in tables], (folder.name, expected)
            checked += 1
    assert checked == 3 * 7


@pytest.mark.parametrize(("way", "measure"), [("caption", "exact"), ("draw", "whole")])
@pytest.mark.parametrize("kind", ["plain", "additive"])
def test_numbers_of_scenes_are_those_of_the_metrics(way: str, measure: str, kind: str) -> None:
    folder = ROOT / "checkpoints" / f"scenes-{way}-{kind}"
    known = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    truth = known[f"scenes-{way}.heldout.truth"]
    shares = [row[measure] for row in truth["by_objects"]] + [
        truth["new"],
        *([truth["pointing"]] if kind != "plain" else []),
    ]
    [row] = [line for line in README.splitlines() if line.startswith(f"| `{folder.name}` |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")[1:]]
    expected = [f"{known['training']['parameters']:,}", *(f"{100 * share:.1f}" for share in shares)]
    assert [cell for cell in cells if cell] == expected


def test_layout_is_the_repository() -> None:
    layout = next(
        block for kind, block in re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL) if "seq2seq/\n" in block
    )
    named = set(re.findall(r"\w+\.py", layout))
    there = {path.name for path in (ROOT / "seq2seq").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert named - {"app.py"} == there


def test_space_front_matter_fits() -> None:
    front = dict(line.split(": ", 1) for line in README.split("---\n")[1].splitlines())
    assert f"gradio=={front['sdk_version']}" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert len(front["short_description"]) <= 60
    assert (ROOT / front["app_file"]).exists()


def test_shipped_files_are_small_enough_for_a_space() -> None:
    for path in (ROOT / "checkpoints").glob("*/*.*"):
        assert path.stat().st_size < 10_000_000, path
    for folder in {path.parent for path in (ROOT / "checkpoints").glob("*/*.*")}:
        for name in ("config.json", "model.safetensors", "tokenizer.json", "metrics.json", "README.md"):
            assert (folder / name).is_file(), f"{folder} has no {name}"


DOCUMENTS = [ROOT / "README.md", *ROOT.glob(".github/*.md"), *ROOT.glob("checkpoints/**/*.md")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_row_of_a_table_has_a_cell_for_each_column(path: Path) -> None:
    for table in re.findall(r"^(.*\n\|---.*\n(?:.+\n)*)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
