"""ZeroGPU, with a stub in the place of the package `spaces`: it lends its GPU, which is the CPU, to another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SENTENCE = "A dog sleeps."

# As the real one: what is decorated runs in a process forked off when it is called; arguments and results are pickled.
STUB = """
import multiprocessing
import pickle

asked = []

class GPU:
    def __init__(self, duration):
        self.duration = duration

    def __call__(self, function):
        asked.append([function.__name__, self.duration])

        def lent(*args, **settings):
            if refuse:
                raise RuntimeError("You have exceeded your GPU quota")
            given, taken = multiprocessing.get_context("fork").Pipe()
            sent = pickle.dumps((args, settings))
            def work():
                args, settings = pickle.loads(sent)
                taken.send(function(*args, **settings))
            process = multiprocessing.get_context("fork").Process(target=work)
            process.start()
            answer = given.recv()
            process.join()
            calls.append(function.__name__)
            return answer
        return lent

calls = []
refuse = False
"""

# There is no CUDA here, so "cuda" is the CPU; which device was asked for is kept.
PROGRAM = """
import json, logging, sys
import torch
torch.set_num_threads(1)
from seq2seq import translator
devices, choose = [], translator.choose_device
translator.choose_device = lambda device="auto": (devices.append(device), choose("cpu"))[1]
from seq2seq.demo import models, zero_gpu
from seq2seq.demo.api import translate
loaded = list(devices)
log = []
kept = logging.Handler()
kept.emit = lambda record: log.append(record.getMessage())
logging.getLogger("seq2seq.demo.zero_gpu").addHandler(kept)
answers = [translate(TEXT, "en-fr-additive", 1), translate(TEXT, "en-fr-plain", 3)]
streamed = [made.translation for made in models.translator("en-fr-additive").stream(TEXT)][-1]
spaces = sys.modules.get("spaces") if zero_gpu.HERE else None
said = {"here": zero_gpu.HERE, "loaded": loaded, "answers": [a["translation"] for a in answers], "streamed": streamed}
if spaces:
    said |= {"asked": spaces.asked, "calls": list(spaces.calls), "device": models.device_name()}
    spaces.refuse = True
    said |= {"refused": translate(TEXT, "en-fr-additive", 1)["translation"], "log": log}
print("SAID" + json.dumps(said))
""".replace("TEXT", repr(SENTENCE))


# A search that took as long as it may: it answers with how many seconds it was given. The deadline was set 10 seconds before.
PATIENT = """
import json, sys, time
from seq2seq import translator
choose = translator.choose_device
translator.choose_device = lambda device="auto": choose("cpu")
from seq2seq.demo import models, runs
from seq2seq.search import Deadline, Hypothesis
borrower = models.translator("en-fr-additive")
def search(self, sources, *args, deadline, **settings):
    return [[Hypothesis(log_probs=[deadline.at - time.monotonic()])]]
translator.Translator.search = search
deadline = Deadline(runs.SECONDS, time.monotonic() + runs.SECONDS - 10)
spaces = sys.modules["spaces"]
def seconds():
    return borrower.search([], deadline=deadline)[0][0].log_prob
said = {"lent": seconds(), "duration": spaces.asked[0][1], "page": runs.SECONDS, "calls": len(spaces.calls)}
spaces.refuse = True
print("SAID" + json.dumps(said | {"refused": seconds()}))
"""


def run(tmp_path: Path, package: bool, space: bool, program: str = PROGRAM) -> dict:
    """Starts the page's models in a process of their own, with or without the package, on a ZeroGPU Space or not."""
    path = [str(ROOT)]
    if package:
        (tmp_path / "spaces.py").write_text(STUB)
        path.append(str(tmp_path))
    environment = {key: value for key, value in os.environ.items() if key != "SPACES_ZERO_GPU"}
    environment |= {"PYTHONPATH": os.pathsep.join(path)} | ({"SPACES_ZERO_GPU": "true"} if space else {})
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("SAID")]
    return json.loads(line[4:])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return run(tmp_path_factory.mktemp("elsewhere"), package=False, space=False)


def test_elsewhere_there_is_nothing_to_it(elsewhere):
    assert not elsewhere["here"] and elsewhere["loaded"] == []
    assert all(elsewhere["answers"]) and elsewhere["streamed"] == elsewhere["answers"][0]


@pytest.mark.parametrize(("package", "space"), [(True, False), (False, True)])
def test_it_takes_both_the_package_and_the_space(tmp_path, package, space):
    program = "import json; from seq2seq.demo import zero_gpu; print('SAID' + json.dumps({'here': zero_gpu.HERE}))"
    assert run(tmp_path, package, space, program) == {"here": False}


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> dict:
    if not hasattr(os, "fork"):
        pytest.skip("ZeroGPU forks, and this system does not")
    return run(tmp_path_factory.mktemp("lent"), package=True, space=True)


def test_searches_run_on_a_lent_gpu(lent, elsewhere):
    assert lent["here"] and lent["device"] == "ZeroGPU"
    # Those of scenes are small, and always on the CPU.
    configs = [json.loads(path.read_text()) for path in (ROOT / "checkpoints").glob("*/config.json")]
    models = sum(not config.get("target_pieces") and config.get("encoder", "words") == "words" for config in configs)
    assert lent["loaded"] == ["cpu", "cuda"] * models, "every model is on the device before the first call"
    [[name, duration]] = lent["asked"]
    assert name == "search" and 1 <= duration <= 60
    assert lent["calls"] == ["search"] * 2, "both searches, and not the translation that grows word by word"
    assert lent["answers"] == elsewhere["answers"] and lent["streamed"] == elsewhere["streamed"]


def test_a_refused_gpu_is_no_reason_to_refuse_the_visitor(lent, elsewhere):
    assert lent["refused"] == elsewhere["answers"][0]
    assert any("exceeded your GPU quota" in line for line in lent["log"])


def test_a_search_ends_before_its_gpu_is_taken_back(tmp_path):
    """A call that takes all of its time is lost with what it found. The CPU, which may follow, has the page's time again."""
    if not hasattr(os, "fork"):
        pytest.skip("ZeroGPU forks, and this system does not")
    said = run(tmp_path, True, True, PATIENT)
    assert said["calls"] == 1 and said["page"] > said["duration"]
    assert 5 <= said["lent"] <= said["duration"] - 3, "there is some way there and back"
    assert said["page"] - 1 <= said["refused"] <= said["page"]
