"""The page below `/lens/` behind a real nginx, without a browser: page, files, API, streams, limits."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from gradio_client import Client, handle_file

from seq2seq.upload import MAX_BYTES
from tests.hosting import NGINX, NO_NGINX, behind_nginx, block, environment

TEXT = "A man in a blue shirt is riding a bicycle."
needs_nginx = pytest.mark.skipif(NGINX is None, reason=NO_NGINX)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if NGINX is None:
        pytest.skip(NO_NGINX)
    with behind_nginx(tmp_path_factory.mktemp("hosting")) as address:
        yield address


def ask(url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """An open answer; a body that is not bytes is sent as JSON."""
    if body is not None and not isinstance(body, bytes):
        body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    return urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=60)


def upload(address: str, size: int) -> tuple[int, str]:
    """Sends a file of so many bytes -> status and what is said."""
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
    body = head.encode() + b"A dog.\n" * (size // 7) + f"\r\n--{mark}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    try:
        with ask(f"{address}/gradio_api/upload", body, kind) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_page_of_instructions_is_whole():
    """Runs without nginx too: what the unit says and what the server block says belong together."""
    server, settings = block("nginx"), environment()
    path = settings["GRADIO_ROOT_PATH"]
    assert f"location {path}/ {{" in server
    assert f"http://{settings['GRADIO_SERVER_NAME']}:{settings['GRADIO_SERVER_PORT']}/;" in server
    limit = int(re.search(r"client_max_body_size (\d+)m;", server)[1])
    assert limit * 2**20 > MAX_BYTES, "the page's own refusal, which says why, comes first"


@needs_nginx
def test_the_page_and_its_files_are_below_the_path(address):
    with ask(address) as answer:  # without the slash it is sent on
        assert answer.url == f"{address}/"
        html = answer.read().decode()
    assert "Attention Lens" in html
    with ask(f"{address}/config") as answer:
        assert json.load(answer)["root"] == address, "the address that the visitor sees, with the port"
    [script] = set(re.findall(r"gradio_api/file=[^\"'\\ >]*plotly\.min\.js", html))
    with ask(f"{address}/{script}", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status == 200 and answer.headers["Content-Encoding"] == "gzip"
        assert 1_000_000 < len(answer.read()) < 2_500_000, "packed on its way"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(address.rpartition("/")[0] + "/config")  # nothing of it is above the path


@needs_nginx
def test_the_api_by_curl_and_by_client(address):
    with ask(f"{address}/gradio_api/call/translate", {"data": [TEXT, "en-fr-additive", 1, 1]}) as answer:
        event = json.load(answer)["event_id"]
    with ask(f"{address}/gradio_api/call/translate/{event}") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        name, data = answer.read().decode().strip().split("\n")[:2]
    assert name == "event: complete"
    [curl] = json.loads(data.removeprefix("data: "))
    made = Client(address, verbose=False).predict(TEXT, "en-fr-additive", 1, api_name="/translate")
    assert made["translation"] == curl["translation"] != ""


@needs_nginx
def test_files_go_in_and_come_out(address, tmp_path):
    (tmp_path / "lines.txt").write_text("A dog sleeps.\nTwo girls play.\n")
    client = Client(address, verbose=False, download_files=str(tmp_path))
    table, _ = client.predict(handle_file(tmp_path / "lines.txt"), "en-fr-additive", 1, api_name="/batch")
    assert len(open(table, encoding="utf-8").read().strip().splitlines()) == 3


@needs_nginx
def test_a_translation_arrives_word_by_word(address):
    """Not all at its end, as from a proxy that keeps an answer until it is whole."""
    with ask(f"{address}/config") as answer:
        page = json.load(answer)
    [function] = [f for f in page["dependencies"] if f["api_name"].startswith("translate") and f["types"]["generator"]]
    values = {component["id"]: component["props"].get("value") for component in page["components"]}
    session = uuid.uuid4().hex
    data = [TEXT, *(values[number] for number in function["inputs"][1:])]  # the controls as they stand there
    joined = {"data": data, "fn_index": function["id"], "session_hash": session}
    ask(f"{address}/gradio_api/queue/join", joined).close()
    times = []
    with ask(f"{address}/gradio_api/queue/data?session_hash={session}") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Content-Encoding"] is None
        for line in answer:
            if line.startswith(b"data:"):
                message = json.loads(line[5:])
                if message["msg"] == "process_generating":
                    times.append(time.monotonic())
                assert message.get("success", True), message
                if message["msg"] == "close_stream":
                    break
    assert len(times) >= 5, "several words, each in an event of its own"
    assert times[-1] - times[0] > 0.2, "they come at the pace at which they are written"


@needs_nginx
def test_uploads_over_the_limit_are_refused(address):
    assert upload(address, 1000)[0] == 200
    status, said = upload(address, MAX_BYTES + 300_000)
    assert status == 413 and "the limit is 5 MB" in said, "by the page"
    status, said = upload(address, 8 * MAX_BYTES)
    assert status == 413 and "nginx" in said, "by nginx, before the page sees a byte"
