"""The README's examples for programs that talk to a running page, taken out of it and run; only the port is another."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client
from playwright.sync_api import Page

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
IN_THE_README = "http://127.0.0.1:7860"


def example(kind: str, address: str) -> str:
    (found,) = (block for name, block in BLOCKS if name == kind and IN_THE_README in block)
    return found.replace(IN_THE_README, address)


@pytest.fixture(scope="module")
def answer(server: str) -> dict:
    return Client(server, verbose=False).predict("A dog sleeps.", "en-fr-additive", 1, api_name="/translate")


def without_seconds(answer: dict) -> dict:
    return answer | {"seconds": 0}


def test_curl(server: str, answer: dict) -> None:
    """Bash and curl are on every Linux and Mac; on Windows the browser and Node run the other example."""
    if not (shutil.which("bash") and shutil.which("curl")):
        pytest.skip("no bash or no curl here")
    done = subprocess.run(["bash", "-c", example("bash", server)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    event, data = done.stdout.strip().splitlines()[-2:]
    assert event == "event: complete"
    (said,) = json.loads(data.removeprefix("data: "))
    assert without_seconds(said) == without_seconds(answer)


def test_curl_is_told_what_is_wrong(server: str) -> None:
    if not (shutil.which("bash") and shutil.which("curl")):
        pytest.skip("no bash or no curl here")
    wrong = example("bash", server).replace("en-fr-additive", "no-such-model")
    done = subprocess.run(["bash", "-c", wrong], capture_output=True, text=True, timeout=120)
    assert "event: error" in done.stdout and "no-such-model" in done.stdout


def test_javascript_in_a_browser(open_page: Callable[..., Page], server: str, answer: dict) -> None:
    page = open_page()
    with page.expect_console_message(lambda message: message.type == "log") as logged:
        page.evaluate(f"async () => {{ {example('js', server)} }}")
    translation, attention = (argument.json_value() for argument in logged.value.args)
    assert (translation, attention) == (answer["translation"], answer["attention"])


def test_javascript_in_a_browser_says_what_is_wrong(open_page: Callable[..., Page], server: str) -> None:
    wrong = example("js", server).replace("en-fr-additive", "no-such-model")
    said = open_page().evaluate(f"async () => {{ try {{ {wrong} }} catch (error) {{ return error.message }} }}")
    assert said.startswith("There is no model “no-such-model” here.")


def test_javascript_in_node(server: str, answer: dict, tmp_path: Path) -> None:
    """As a module in a file, as the README says. The test above runs the same lines where there is no Node."""
    if not shutil.which("node"):
        pytest.skip("no Node here")
    (tmp_path / "example.mjs").write_text(example("js", server), encoding="utf-8")
    done = subprocess.run(["node", "example.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(answer["translation"])


def test_python(server: str, tmp_path: Path) -> None:
    (tmp_path / "sentences.txt").write_text("A dog sleeps.\n", encoding="utf-8")
    code = f"{example('python', server)}\nprint(answer['translation'], both['chrf']['right'], matters, table, objects)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Un chien dort." in done.stdout and "translations.csv" in done.stdout
