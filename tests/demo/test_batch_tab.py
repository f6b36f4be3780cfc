"""The functions behind the tab Batch, and `/batch` as programs call it, without a browser."""

from __future__ import annotations

import csv
import json
import socket
import time
import urllib.request
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from seq2seq import batch
from seq2seq.demo import api, batch_tab, models, runs
from seq2seq.demo.batch_tab import OBJECTS_FILE, SHOWN, TABLE_FILE

PAGE, OTHER_PAGE = SimpleNamespace(session_hash="batch one"), SimpleNamespace(session_hash="batch two")
TEXTS = ["A dog sleeps.", "", "Two girls are reading a red book."]


@pytest.fixture(autouse=True)
def nothing_cancelled() -> Iterator[None]:
    runs.CANCELLED.clear()
    yield


def shown(text: str = "", path: str | None = None, number: float = 1, page: Any = PAGE) -> Iterator[tuple[Any, ...]]:
    return batch_tab.run(number, path, text, models.DEFAULT, 1, page)


# -- the tab -------------------------------------------------------------------------------------------------------


def test_lines_give_a_table_and_both_files(tmp_path: Path) -> None:
    path = tmp_path / "<b>mine.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    for way in ({"text": "\n".join(TEXTS)}, {"path": str(path)}):
        *before, last = read_while_shown(shown(**way))
        assert before[0][0].startswith("<progress") and "0 of 3 lines" in before[0][0]
        status, table, (csv_name, rows), (jsonl_name, objects) = last
        assert "2 lines translated" in status and "1 could not be" in status and 'role="status"' in status
        assert (csv_name, jsonl_name) == (TABLE_FILE, OBJECTS_FILE), "never the name of what was sent"
        made = list(csv.DictReader(rows.splitlines()))
        assert [row["source"] for row in made] == TEXTS
        assert [json.loads(line)["text"] for line in objects.splitlines()] == TEXTS
        for row in made:
            assert row["translation"] in table and row["error"] in table


def read_while_shown(items: Iterator[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What a run showed; a download as the name and the content that its file has while it is being sent."""

    def read(part: Any) -> Any:
        if isinstance(part, dict) and part.get("value"):
            return Path(part["value"]).name, Path(part["value"]).read_text(encoding="utf-8-sig")
        return part

    return [tuple(read(part) for part in item) for item in items]


def test_files_are_gone_afterwards() -> None:
    *_, (_, _, table, objects) = shown("A dog sleeps.")
    assert not Path(table["value"]).parent.exists() and not Path(objects["value"]).exists()


def test_what_is_wrong_is_said_and_an_old_result_goes() -> None:
    for arguments, says in (
        ({}, "Choose a file"),
        ({"text": "A dog.", "path": "x.txt"}, "remove one"),
        ({"text": "a\n" * 5001}, "5,000"),
        ({"path": "/nowhere/<img>.txt"}, "&lt;img&gt;.txt: no such file"),
    ):
        ((status, table, *files),) = shown(**arguments)
        assert says in status and "<img" not in status and "/nowhere" not in status
        assert table == "" and all(not file["visible"] for file in files)
    *_, (status, *_) = batch_tab.run(1, None, "A dog.", "../x", 1, PAGE)
    assert "There is no model" in status


def test_a_cancel_stops_the_runs_so_far_of_its_own_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "BATCH_LINES", 1)
    text = "A dog sleeps.\n" * 4
    mine, other = shown(text), shown(text, page=OTHER_PAGE)
    for one in (mine, other):
        next(one), next(one)
    runs.cancel(1, PAGE)
    [(status, table, (_, rows), (_, objects))] = read_while_shown(mine)
    assert status == '<p role="status">Cancelled: 2 of 4 lines were done.</p>'
    assert "The first 2 of 4 lines; the files have 2." in table and table.count("<tr>") == 1 + 2
    assert [row["line"] for row in csv.DictReader(rows.splitlines())] == ["1", "2"] and len(objects.splitlines()) == 2
    assert "4 lines translated" in [item[0] for item in other][-1]
    assert [item[0] for item in shown(text)] == [batch_tab.last(runs.NEVER)], "one that waited in the queue"
    assert "4 lines translated" in [item[0] for item in shown(text, number=2)][-1], "but not a later one"


def test_cancels_are_not_kept_for_ever() -> None:
    for i in range(runs.PAGES + 10):
        runs.cancel(1, SimpleNamespace(session_hash=str(i)))
    assert len(runs.CANCELLED) == runs.PAGES
    assert runs.cancelled(1, SimpleNamespace(session_hash=str(runs.PAGES)))


def test_the_table_shows_the_first_rows_and_says_so_and_holds_no_markup() -> None:
    bad = "<img src=x onerror=alert(1)> ${alert(1)} {{x}} '\"&"
    lines = batch.read_text("\n".join([bad, *["A dog."] * SHOWN, ""]))
    made = models.translator(models.DEFAULT).translate("A dog.")
    rows = [batch.Row(line, made) for line in lines[1 : SHOWN + 1]]
    html = batch_tab.table([batch.Row(batch.Line(1, bad, bad), None), *rows[:-1]], len(lines), len(lines))
    assert f"The first {SHOWN} of {len(lines)} lines" in html
    assert "<img" not in html and "${" not in html and "{{" not in html
    assert html.count("<tr>") == 1 + SHOWN
    assert "<th" in html and 'tabindex="0"' in html and 'role="region"' in html and "<caption>" in html
    html = batch_tab.table(rows, SHOWN, SHOWN)
    assert "Error" not in html and "All lines" in html


# -- the API -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Only `/batch`, as the page has it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with gr.Blocks(analytics_enabled=False) as page:
        api.batch_endpoint()
    page.queue().launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, ssr_mode=False)
    yield f"http://127.0.0.1:{port}"
    page.close()


@pytest.fixture(scope="module")
def client(server: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def test_batch_takes_a_file_and_gives_two(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("".join(f"{text}\tmore\n" for text in TEXTS), encoding="utf-8")
    table, objects = client.predict(handle_file(path), models.DEFAULT, 2, api_name="/batch")
    assert (Path(table).name, Path(objects).name) == (TABLE_FILE, OBJECTS_FILE)
    made = [json.loads(line) for line in Path(objects).read_text(encoding="utf-8").splitlines()]
    assert Path(table).read_bytes().startswith(BOM_UTF8), "or Excel would not know that it is UTF-8"
    rows = list(csv.DictReader(Path(table).read_text(encoding="utf-8-sig").splitlines()))
    for one, row, text in zip(made, rows, TEXTS, strict=True):
        assert one["text"] == row["source"] == text
        if text:
            alone = models.translator(models.DEFAULT).translate(text, beam_size=2)
            assert one["translation"] == row["translation"] == alone.translation
            assert one["beam_size"] == 2 and one["alignment"] == row["alignment"] == batch.pharaoh(alone)
        else:
            assert one["error"] == row["error"] and "no text" in row["error"]


def test_batch_is_documented_and_has_defaults(client: Client, tmp_path: Path) -> None:
    described = client.view_api(return_format="dict")["named_endpoints"]["/batch"]
    assert [p["parameter_name"] for p in described["parameters"]] == ["file", "checkpoint", "beam_size"]
    assert [r["label"] for r in described["returns"]] == ["CSV", "JSONL"]
    assert "5,000 lines" in described["description"]
    path = tmp_path / "a.txt"
    path.write_text("A dog sleeps.", encoding="utf-8")
    assert len(client.predict(handle_file(path), api_name="/batch")) == 2


@pytest.mark.parametrize(
    ("name", "content", "arguments", "says"),
    [
        ("a.txt", "", (), "no lines"),
        ("a.txt", "a\n" * 5001, (), "limit is 5,000"),
        ("a.txt", "A dog.", ("../../etc",), "There is no model"),
        ("a.txt", "A dog.", (models.DEFAULT, 0), "choose one from 1 to"),
        ("a.txt", "A dog.", (models.DEFAULT, 1.5), "whole number"),
    ],
)
def test_batch_refuses_in_one_line(
    client: Client, tmp_path: Path, name: str, content: str, arguments: tuple, says: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(AppError, match=says) as caught:
        client.predict(handle_file(tmp_path / name), *arguments, api_name="/batch")
    assert str(tmp_path) not in str(caught.value)


def test_a_cancelled_call_computes_no_further(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(api, "written", lambda *args: (done.append(s.done) or s for s in batch_tab.written(*args)))
    monkeypatch.setattr(batch, "BATCH_LINES", 1)
    path = tmp_path / "a.txt"
    path.write_text("A dog sleeps.\n" * 3000, encoding="utf-8")
    job = client.submit(handle_file(path), api_name="/batch")
    for _ in range(600):
        if len(done) >= 3:
            break
        time.sleep(0.1)
    job.cancel()
    time.sleep(2)
    stopped_at = len(done)
    time.sleep(2)
    assert 3 <= stopped_at == len(done) < 3000


HOSTILE = {
    "a file of the machine": {"path": "/etc/passwd"},
    "up and away": {"path": "../../../../etc/passwd"},
    "a checkpoint": {"path": str(models.CHECKPOINTS / models.DEFAULT / "config.json")},
    "the source": {"path": str(Path(api.__file__))},
    "a text of this repository": {"path": str(Path(__file__).parents[2] / "requirements.txt")},
    "by the address": {"path": "/etc/passwd", "url": "file:///etc/passwd"},
    "a device": {"path": "/dev/zero"},
    "this server": {"path": "http://127.0.0.1:SERVER/config"},
    "a string": "/etc/passwd",
    "a list": ["/etc/passwd"],
    "nothing": None,
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE.keys())
def test_batch_reads_only_what_was_uploaded(server: str, sent: Any) -> None:
    """As curl would call it: gradio_client would not send these."""
    if isinstance(sent, dict):
        port = server.rsplit(":", 1)[1]
        sent = sent | {"path": sent["path"].replace("SERVER", port), "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [sent, models.DEFAULT, 1]}).encode()
    request = urllib.request.Request(
        f"{server}/gradio_api/call/batch", data=body, headers={"Content-Type": "application/json"}
    )
    event = json.load(urllib.request.urlopen(request, timeout=60))["event_id"]
    answer = urllib.request.urlopen(f"{server}/gradio_api/call/batch/{event}", timeout=60).read().decode()
    assert "event: error" in answer and "event: complete" not in answer
    assert "root:" not in answer and "hidden_size" not in answer and "gradio==" not in answer
