"""The app is measured from outside, so a small server that speaks as Gradio does can stand in for it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2seq import bench
from seq2seq.bench import app

SERVER = """
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PARAMETERS = [{"parameter_default": None}, {"parameter_default": "tiny"}, {"parameter_default": 1}]
CONFIG = {
    "components": [
        {"id": 3, "props": {"elem_id": "source-text", "value": "A dog."}},
        {"id": 4, "props": {"value": "tiny"}},
    ],
    "dependencies": [{"id": 8, "targets": [[4, "input"]]}, {"id": 9, "targets": [[3, "submit"]], "inputs": [3, 4]}],
}
PICTURES = [{"msg": "process_generating", "output": "x" * 100}] + [{"msg": "process_generating"}] * 2
asked = []


class Handler(BaseHTTPRequestHandler):
    def answer(self, text):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path.startswith("/gradio_api/queue/data"):
            lines = [{"msg": "estimation"}, *PICTURES, {"msg": "process_completed"}]
            self.answer("".join(f"data: {json.dumps(line)}\\n\\n" for line in lines))
        elif self.path.startswith("/gradio_api/call/"):
            text = asked[int(self.path.rsplit("/", 1)[1])]
            if REFUSES and "dog" in text:
                self.answer("event: error\\ndata: null\\n\\n")
            else:
                answer = json.dumps([{"translation": text.upper()}])
                self.answer(f"event: heartbeat\\ndata: null\\n\\nevent: complete\\ndata: {answer}\\n\\n")
        else:
            known = {"/config": CONFIG, "/gradio_api/info": {"named_endpoints": {"/translate": {"parameters": PARAMETERS}}}}
            self.answer(json.dumps(known.get(self.path, "the page")))

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "fn_index" in sent:
            assert sent["fn_index"] == 9 and sent["data"][1] == "tiny"
            return self.answer("{}")
        assert sent["data"][1:] == ["tiny", 1]
        asked.append(sent["data"][0])
        self.answer(json.dumps({"event_id": str(len(asked) - 1)}))

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    address = os.environ["GRADIO_SERVER_NAME"], int(os.environ["GRADIO_SERVER_PORT"])
    assert address[0] == "127.0.0.1"
    ThreadingHTTPServer.request_queue_size = 64
    ThreadingHTTPServer(address, Handler).serve_forever()
"""
EFFORT = bench.Effort(imports=1, clients=(1, 8), client_calls=3, client_seconds=20)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with an app.py, and imports that cost nothing."""
    monkeypatch.setattr(app, "IMPORTS", {"nothing": "pass", "torch": "pass", "gradio": "pass", "app": "import app"})
    (tmp_path / "app.py").write_text("REFUSES = False\n" + SERVER)
    return tmp_path


def test_everything_is_measured(folder):
    found = app.measure_app(EFFORT, folder)
    assert found["imports"].keys() == {"nothing_seconds", "torch_seconds", "gradio_seconds", "app_seconds"}
    assert 0 < found["first_page_seconds"] < found["first_translation_seconds"]
    assert found["heatmap"]["updates"] == 3
    assert found["heatmap"]["first_update_bytes"] > 100 > found["heatmap"]["update_bytes"] > 0
    assert [(row["clients"], row["sentences"], row["failures"]) for row in found["clients"]] == [(1, 3, 0), (8, 24, 0)]
    for row in found["clients"]:
        assert 0 < row["p50_seconds"] <= row["p95_seconds"] and row["sentences_per_second"] > 0
    result = {"threads": 1, "cores": 1, "load": None, "torch": "", "cuda": "", "devices": [], "seconds": 1.0}
    assert "heatmap: 3 updates" in bench.table(result | {"app": found, "app_error": None, "counted": ""})


def test_refusals_are_counted_and_not_timed(folder):
    (folder / "app.py").write_text("REFUSES = True\n" + SERVER)
    found = app.measure_app(EFFORT, folder)
    failed = sum(row["failures"] for row in found["clients"])
    assert 0 < failed < 27 and failed + sum(row["sentences"] for row in found["clients"]) == 27


def test_what_cannot_be_started_is_said(folder, tmp_path):
    (folder / "app.py").write_text("import sys\nif __name__ == '__main__':\n    sys.exit(7)\n")
    with pytest.raises(app.AppError, match="ended with code 7"):
        app.measure_app(EFFORT, folder)
    with pytest.raises(app.AppError, match="no app.py"):
        app.measure_app(EFFORT, tmp_path / "elsewhere")


def test_clients_run_where_a_loop_runs_already():
    async def answer():
        return 7

    async def notebook():
        return app.finished(answer())

    with ThreadPoolExecutor(1) as thread:  # this thread may have a loop too, left by tests in a browser
        assert thread.submit(asyncio.run, notebook()).result() == 7
