"""What stands before the page: limits, headers and refusals of the real app over real sockets; and that work stops when nobody
waits for it any more. Clients are told apart as a proxy would: by X-Forwarded-For, which is believed from this machine."""

from __future__ import annotations

import contextlib
import gc
import gzip
import http.client
import ipaddress
import json
import math
import os
import random
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware

from seq2seq.checkpoint import CheckpointError
from seq2seq.demo import build, guard, launch_options, models
from seq2seq.demo.guard import BURST, CLIENTS, MAX_BODY, MAX_CALL, MAX_UPLOAD, RATE, Buckets, Guard, address
from seq2seq.demo.page import ANSWERS
from seq2seq.demo.picture_pairs import CAPTIONERS, PAINTERS
from seq2seq.demo.pictures_tab import DESCRIPTIONS, SCENES
from seq2seq.translation import Translation
from seq2seq.translator import MAX_CHARACTERS
from seq2seq.upload import MAX_BYTES, too_large
from tests.disk import DISKS
from tests.hosting import free_ports

ROOT = Path(__file__).parents[2]
TEXT = "A man in a blue shirt is riding a bicycle."
CALL = "/gradio_api/call"
PATIENCE = 120
"""Seconds after which something that must happen has not."""


class Served(NamedTuple):
    """A page that is served: its blocks and its port."""

    page: gr.Blocks
    port: int


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        return json.loads(self.body)["detail"]


@contextlib.contextmanager
def serving(**limits: Any) -> Iterator[Served]:
    """The page as `app.py` launches it; `limits` are given to its guard."""
    options = launch_options()
    if limits:
        layers = options["app_kwargs"]["middleware"]
        limited = [Middleware(Guard, **limits) if layer.cls is Guard else layer for layer in layers]
        assert limited != layers
        options["app_kwargs"] = {"middleware": limited}
    page, [port] = build(), free_ports(1)
    page.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **options)
    try:
        yield Served(page, port)
    finally:
        page.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as served:
        yield served


def send(
    served: Served, method: str, path: str, body: Any = None, client: str = "", headers: dict[str, str] | None = None
) -> Answered:
    """One request on a connection of its own. `body`: bytes, an iterable of them (sent in chunks), or anything else as JSON."""
    headers = dict(headers or {}) | ({"X-Forwarded-For": client} if client else {})
    if body is not None and not isinstance(body, (bytes, Iterator)):
        body, headers = json.dumps(body).encode(), headers | {"Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


def call(served: Served, name: str, *data: Any, client: str = "") -> str:
    """What an endpoint says in the end, as its stream has it."""
    return fetch(served, name, ask(served, name, *data, client=client))


def ask(served: Served, name: str, *data: Any, client: str = "") -> str:
    """Puts a question to an endpoint -> its number, for `fetch`."""
    asked = send(served, "POST", f"{CALL}/{name}", {"data": list(data)}, client)
    assert asked.status == 200, asked
    return json.loads(asked.body)["event_id"]


def fetch(served: Served, name: str, number: str) -> str:
    return send(served, "GET", f"{CALL}/{name}/{number}").body.decode()


def wait_until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def upload(name: str, content: bytes) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an upload."""
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={mark}"}


# -- headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/config", 200),
        ("GET", "/theme.css", 200),
        ("GET", "/gradio_api/info", 200),
        ("GET", "/static/js/iframeResizer.contentWindow.min.js", 200),
        ("GET", "/nothing", 404),
        ("GET", "/gradio_api/file=/etc/passwd", 403),
        ("POST", f"{CALL}/translate", 422),
    ],
)
def test_every_answer_has_the_headers(served, method, path, status):
    answer = send(served, method, path, {} if method == "POST" else None)
    assert answer.status == status
    for name, value in guard.HEADERS.items():
        assert answer.headers[name.lower()] == value
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and guard.FRAMES in policy
    assert ("script-src" in policy) == (path == "/"), "only the page may run scripts"


def test_files_with_a_hash_in_their_name_are_asked_for_once_and_others_each_time(served):
    page = send(served, "GET", "/").body.decode()
    files = set(re.findall(r"/assets/[^\"'?]+\.(?:js|css)", page))
    assert len(files) >= 2
    for name in files:
        assert "immutable" in send(served, "GET", name).headers["cache-control"]
    for path in ("/", "/config", "/theme.css", "/assets/img/header-image.jpg", "/assets/none-12345678.js"):
        assert "immutable" not in send(served, "GET", path).headers.get("cache-control", "")


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info"])
def test_the_page_comes_compressed_to_whoever_takes_it_so(served, path):
    plain, small = (send(served, "GET", path, headers={"Accept-Encoding": kind}) for kind in ("identity", "br, gzip"))
    assert "content-encoding" not in plain.headers and small.headers["content-encoding"] == "gzip"
    assert len(small.body) == int(small.headers["content-length"]) < len(plain.body) / 4
    assert abs(len(gzip.decompress(small.body)) - len(plain.body)) < 200, "but for the nonce"
    assert all("accept-encoding" in answer.headers["vary"].lower() for answer in (plain, small))


def test_only_the_pages_own_scripts_have_its_nonce_and_it_is_new_each_time(served):
    nonces = set()
    for _ in range(2):
        answer = send(served, "GET", "/", headers={"X-Forwarded-Host": "a\"><script>alert('xss')</script>.example"})
        policy, page = answer.headers["content-security-policy"], answer.body.decode()
        assert int(answer.headers["content-length"]) == len(answer.body)
        [nonce] = re.findall(r"'nonce-([\w-]{20,})'", policy)
        scripts = re.findall(r"<script[^>]*>", page)
        assert f'<script nonce="{nonce}">window.lensTexts' in page, "that of the visitor's language, too"
        assert len(scripts) >= 5 and all(f'nonce="{nonce}"' in script for script in scripts)
        assert "alert('xss')" not in page, "a header is text in it"
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
        nonces.add(nonce)
    assert len(nonces) == 2


# -- what is not there ---------------------------------------------------------------------------------------------

NOT_THERE = (
    *("/monitoring", "/monitoring/summary", "/docs", "/redoc", "/openapi.json", "/gradio_api/runs", "/svelte/x.js"),
    *("/gradio_api/proxy=https://a.hf.space/x", "/gradio_api/vibe-code", "/gradio_api/file/etc/passwd", "/user"),
    *("/gradio_api/deep_link", "/gradio_api/dev/reload", "/gradio_api/profiling/traces", "/gradio_api/token", "/login"),
    *("/.git/config", "/app.py", "/checkpoints/en-fr-additive/config.json", "//etc/passwd", "/..%2f..%2fetc/passwd"),
)


@pytest.mark.parametrize("path", NOT_THERE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_page_does_not_need_is_not_there(served, method, path):
    answer = send(served, method, path, {} if method == "POST" else None)
    assert answer.status == 404 and answer.detail == "There is no such address here."


def test_nothing_is_called_past_the_queue(served):
    data = {"data": [TEXT, models.DEFAULT, 1, 1]}
    assert send(served, "POST", "/gradio_api/run/translate", data).status == 404
    assert send(served, "POST", "/gradio_api/api/translate", data).status == 404


FILES = (
    *(
        "/etc/passwd",
        "../../../../../../etc/passwd",
        "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/proc/self/environ",
    ),
    *(f"{ROOT}/app.py", "app.py", "./app.py", "seq2seq/demo/api.py", "%2e%2e/app.py", "app.py%00.txt"),
    *(str(models.CHECKPOINTS / models.DEFAULT / name) for name in ("config.json", "model.safetensors")),
    *("requirements.txt", str(Path(gr.__file__)), "/tmp", "/", "", "~/.bashrc", "/dev/zero"),
    *("http://127.0.0.1/", "http://example.org/", "https://example.org/x.js", "http%3A%2F%2Fexample.org", "HTTP://x/"),
    *("file:///etc/passwd", "data:text/html,x", "ftp://example.org/x", r"\\server\share", "//example.org/x"),
)


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_only_files_of_the_page_are_served(served, method, path):
    answer = send(served, method, f"/gradio_api/file={path}")
    assert answer.status in (403, 404), path
    assert len(answer.body) < 300 and b"root:" not in answer.body and b"import" not in answer.body


def test_an_upload_is_given_back_as_a_download_that_no_browser_runs_and_its_folder_is_no_list(served):
    body, headers = upload("a.html", b"<script>alert(1)</script>" + uuid.uuid4().bytes)
    [path] = json.loads(send(served, "POST", "/gradio_api/upload", body, headers=headers).body)
    answer = send(served, "GET", f"/gradio_api/file={path}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"] == guard.NOTHING
    folder = Path(path).parent
    assert re.fullmatch("[0-9a-f]{64}", folder.name), "nobody guesses where another's file is"
    for near in (folder, folder.parent, folder / "..", folder.with_name("0" * 64) / "a.html"):
        assert send(served, "GET", f"/gradio_api/file={near}").status in (403, 404)
    Path(path).unlink()


def test_uploads_are_deleted_by_the_clock_and_at_the_end(tmp_path, monkeypatch):
    """Gradio's own timer, with a short time in the place of an hour."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr("seq2seq.demo.page.CACHE_SECONDS", 6)
    with serving() as served:
        body, headers = upload("a.txt", b"A dog sleeps.")
        [path] = json.loads(send(served, "POST", "/gradio_api/upload", body, headers=headers).body)
        assert Path(path).is_relative_to(tmp_path) and Path(path).is_file()
        wait_until(lambda: not Path(path).exists())
        [path] = json.loads(send(served, "POST", "/gradio_api/upload", body, headers=headers).body)
    wait_until(lambda: not Path(path).exists())


# -- sizes ---------------------------------------------------------------------------------------------------------


def chunks(size: int) -> Iterator[bytes]:
    """So many bytes and a few, in pieces whose sum no header tells."""
    yield b'{"data":["'
    for _ in range(size // 100_000):
        yield b"x" * 100_000
    yield b'"]}'


@pytest.mark.parametrize("path", [f"{CALL}/translate", "/gradio_api/queue/join", "/gradio_api/run/cancel"])
@pytest.mark.parametrize("size", [MAX_BODY, 30_000_000])
def test_a_body_over_the_limit_is_refused_whatever_its_header_says(served, path, size):
    for body in (b"x" * (size + 1), chunks(size)):
        answer = send(served, "POST", path, body, headers={"Content-Type": "application/json"})
        assert answer.status == 413
        limit = "64 kB. Send less" if path.startswith(CALL) else "2 MB. Send a part"
        assert re.match(rf"The request has [\d.,]+ [kM]B; the limit is {re.escape(limit)}", answer.detail)


def test_four_texts_of_the_longest_kind_fit_into_a_call():
    """However they are written: each character as two escapes of six bytes."""
    longest = "\U0001f600" * MAX_CHARACTERS
    assert len(json.dumps({"data": [longest] * 4})) + 1000 < MAX_CALL


@pytest.mark.parametrize("path", ["/gradio_api/cancel", "/gradio_api/reset"])
def test_a_stop_is_no_way_around_it(served, path):
    assert send(served, "POST", path, chunks(MAX_BODY)).status == 413


def test_a_body_within_the_limit_is_read_and_its_text_refused_as_everywhere(served):
    for size in (1001, MAX_CALL - 1000):
        said = call(served, "translate", "x" * size, models.DEFAULT, 1, 1)
        assert f"The text has {size:,} characters; the limit is 1,000. Please shorten it." in said


def test_files_have_a_larger_limit_and_nothing_of_a_refused_one_stays(served, tmp_path):
    kept = Path(served.page.app.uploaded_file_dir)
    before = {path for path in kept.rglob("*") if path.is_file()} if kept.exists() else set()
    body, headers = upload("a.txt", b"A dog.\n" * (MAX_BYTES // 7))
    assert len(body) > MAX_BODY
    [path] = json.loads(send(served, "POST", "/gradio_api/upload", body, headers=headers).body)
    Path(path).unlink()
    for size in (MAX_UPLOAD, 3 * MAX_UPLOAD):
        body, headers = upload("a.txt", b"x" * size)
        for sent in (body, iter([body[i : i + 50_000] for i in range(0, len(body), 50_000)])):
            answer = send(served, "POST", "/gradio_api/upload", sent, headers=headers)
            assert answer.status == 413 and answer.detail == too_large("The file", len(body))
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as connection:
        lines = "".join(f"{k}: {v}\r\n" for k, v in (headers | {"Host": "x", "Content-Length": "9999"}).items())
        connection.sendall(f"POST /gradio_api/upload HTTP/1.1\r\n{lines}\r\n".encode() + body[:5000])
        wait_until(lambda: {path for path in kept.rglob("tmp*") if path.is_file()} - before)
    wait_until(lambda: {path for path in kept.rglob("*") if path.is_file()} <= before)


def test_a_file_a_little_too_large_is_refused_by_whoever_reads_it(served):
    """What surrounds a file may take as much as the guard lets by."""
    body, headers = upload("a.txt", b"A dog.\n" * (MAX_BYTES // 7 + 1))
    [path] = json.loads(send(served, "POST", "/gradio_api/upload", body, headers=headers).body)
    said = call(served, "batch", {"path": path, "meta": {"_type": "gradio.FileData"}}, models.DEFAULT, 1)
    assert "event: error" in said and too_large("a.txt", MAX_BYTES + 1) in said


@DISKS
def test_a_full_disk_is_said_and_the_rest_goes_on(served, disk):
    kept = Path(served.page.app.uploaded_file_dir)
    text = b"".join(b"A dog sleeps in house %d.\n" % i for i in range(60))
    with disk.under(kept):
        body, headers = upload("a.txt", text)
        [path] = json.loads(send(served, "POST", "/gradio_api/upload", body, headers=headers).body)
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        large, large_headers = upload("b.txt", b"A dog.\n" * 500_000)
        with disk.full(20_000):
            before = {path for path in kept.rglob("*") if path.is_file()}
            answer = send(served, "POST", "/gradio_api/upload", large, headers=large_headers)
            assert answer.status == 507 and answer.detail == guard.FULL
            assert {path for path in kept.rglob("*") if path.is_file()} == before, "not even what found room"
            said = call(served, "batch", file, models.DEFAULT, 1)
            assert "event: error" in said and guard.FULL in said and "Traceback" not in said
            assert "event: complete" in call(served, "translate", "A dog sleeps.", models.DEFAULT, 1, 1)
        assert "event: complete" in call(served, "batch", file, models.DEFAULT, 1)


def test_the_clock_may_jump(served, monkeypatch):
    """To and fro by years, between any two looks at it: answers, limits and deadlines go by another clock."""
    chance, now = random.Random(3), time.time()
    monkeypatch.setattr(time, "time", lambda: now + chance.uniform(-1e8, 1e8))
    for text in ("A dog sleeps.", "Two girls are eating."):
        said = call(served, "translate", text, models.DEFAULT, 3, 1)
        assert "event: complete" in said and "stopped" not in said
    assert "event: complete" in call(served, "compare", "A dog sleeps.", "en-fr-plain", models.DEFAULT, "")
    body, headers = upload("a.txt", b"A dog sleeps.\n")
    answer = send(served, "POST", "/gradio_api/upload", body, headers=headers)
    assert answer.status == 200 and Path(json.loads(answer.body)[0]).exists()


# -- how often -----------------------------------------------------------------------------------------------------


def test_a_class_behind_one_address_fits():
    """40 students open the page, 8 questions each, and then translate every two seconds, three questions each."""
    buckets = Buckets(RATE, BURST, clock := FakeClock())
    assert not any(buckets.take("class") for _ in range(40 * 8))
    for _ in range(60):
        clock.now += 2
        assert not any(buckets.take("class") for _ in range(40 * 3))


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.floats(0, 10), st.sampled_from("abc")), max_size=60))
def test_nobody_gets_more_than_the_burst_and_the_rate_and_who_waits_as_told_gets_one(events):
    clock = FakeClock()
    buckets = Buckets(0.5, 4, clock)
    taken = dict.fromkeys("abc", 0)
    for pause, client in events:
        clock.now += pause
        wait = buckets.take(client)
        taken[client] += not wait
        assert taken[client] <= 4 + clock.now * 0.5 + 1e-9
        if wait:
            clock.now += wait + 1e-9
            assert not buckets.take(client)
            taken[client] += 1


def test_many_addresses_take_no_more_memory():
    buckets = Buckets(1, 1)
    for i in range(CLIENTS + 500):
        buckets.take(str(i))
    assert len(buckets._levels) == CLIENTS


@pytest.mark.parametrize(
    ("host", "known_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("<script>", "unknown"),
        ("", "unknown"),
    ],
)
def test_addresses(host, known_as):
    assert address({"client": (host, 1)}) == known_as


def test_without_a_client_it_is_unknown():
    assert address({"client": None}) == address({}) == "unknown"


@pytest.fixture(scope="module")
def strict() -> Iterator[Served]:
    """A page whose limits are soon reached; no token comes back while a test runs."""
    with serving(questions=Buckets(1e-6, 5), uploads=Buckets(1e-6, 2), unfinished=3, opened=4) as served:
        yield served


@pytest.fixture
def client() -> str:
    """An address that nobody had before."""
    return str(ipaddress.ip_address("198.18.0.0") + uuid.uuid4().int % 2**17)


def test_who_asks_too_often_is_told_when_to_come_back_and_others_go_on(strict, client):
    answers = [send(strict, "POST", f"{CALL}/nothing", {"data": []}, client) for _ in range(7)]
    assert [answer.status for answer in answers] == [404] * 5 + [429] * 2
    refused = answers[-1]
    assert refused.detail.startswith("Too many questions: 5 at once and 1e-06 a second are the limit of one address.")
    assert int(refused.headers["retry-after"]) > 0 and "Try again in" in refused.detail
    other = str(ipaddress.ip_address(client) + 1)
    assert send(strict, "GET", "/config", client=other).status == 200


def test_the_proxy_is_believed_about_the_last_address_only(strict, client):
    """What a client writes into the header itself stands before what the proxy adds."""
    for i in range(6):
        answer = send(strict, "POST", f"{CALL}/nothing", {"data": []}, f"10.0.0.{i}, 127.0.0.1, {client}")
    assert answer.status == 429
    assert send(strict, "POST", f"{CALL}/nothing", {"data": []}, "10.0.0.1").status == 404, "it was never asked for"


def test_nobody_else_is_believed(monkeypatch, client):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.1")  # so this machine is no proxy
    with serving(questions=Buckets(1e-6, 1)) as served:
        for _ in range(3):
            assert send(served, "POST", f"{CALL}/nothing", {"data": []}, client).status == 404


def test_on_a_space_the_private_proxies_are_believed(monkeypatch):
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    guard.trust_proxies()
    assert "FORWARDED_ALLOW_IPS" not in os.environ
    monkeypatch.setenv("SPACE_ID", "someone/lens")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.1")
    guard.trust_proxies()
    assert os.environ["FORWARDED_ALLOW_IPS"] == "192.0.2.1", "who sets it knows better"
    monkeypatch.delenv("FORWARDED_ALLOW_IPS")
    guard.trust_proxies()
    assert "10.0.0.0/8" in os.environ["FORWARDED_ALLOW_IPS"]


def test_files_and_waiting_are_not_counted(strict, client):
    for _ in range(3):
        for path in ("/theme.css", "/static/img/logo.svg", "/gradio_api/queue/status", f"{CALL}/nothing/none"):
            assert send(strict, "GET", path, client=client).status < 429
    assert send(strict, "POST", "/gradio_api/reset", {"event_id": "x"}, client).status == 200
    assert send(strict, "GET", "/config", client=client).status == 200


@pytest.mark.parametrize(
    ("path", "accepted", "said"),
    [
        ("/", "fr-CA,fr;q=0.9", "Réessayez dans"),
        ("/?lang=zh", "fr", "秒后重试"),
        ("/?lang=<script>", "", "Try again in"),
    ],
)
def test_what_is_refused_is_said_in_the_visitors_language(strict, client, path, accepted, said):
    headers = {"Referer": f"http://127.0.0.1:{strict.port}{path}", "Accept-Language": accepted}
    for _ in range(6):
        answer = send(strict, "POST", f"{CALL}/nothing", {"data": []}, client, headers)
    assert answer.status == 429 and said in answer.detail


def test_tools_are_counted_and_not_there_unless_the_page_offers_them(strict, client, monkeypatch):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream"}
    if strict.page.mcp_server:
        answers = [send(strict, "POST", "/gradio_api/mcp/", message, client, headers) for _ in range(6)]
        assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert send(strict, "GET", "/gradio_api/mcpx", client=client).status == 404
    monkeypatch.setenv("GRADIO_MCP_SERVER", "false")
    with serving() as served:
        for path in ("/gradio_api/mcp", "/gradio_api/mcp/", "/gradio_api/mcp/schema", "/gradio_api/mcp/sse"):
            assert send(served, "POST", path, message, headers=headers).status == 404


def test_uploads_have_a_bucket_of_their_own(strict, client):
    body, headers = upload("a.txt", b"A dog.")
    answers = [send(strict, "POST", "/gradio_api/upload", body, client, headers) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[-1].detail.startswith("Too many files: 2 at once")


def test_connections_that_are_held_open_are_limited_for_each_address(strict, client):
    with contextlib.ExitStack() as held:
        for _ in range(4):
            held.enter_context(streaming(strict, f"/gradio_api/heartbeat/{uuid.uuid4().hex}", client))
        answer = send(strict, "GET", "/theme.css", client=client)
        assert answer.status == 429 and "4 connections open" in answer.detail
        assert send(strict, "GET", "/theme.css", client="198.51.100.1").status == 200
    wait_until(lambda: send(strict, "GET", "/theme.css", client=client).status == 200)


@contextlib.contextmanager
def streaming(served: Served, path: str, client: str = "") -> Iterator[Any]:
    """A stream that is open and has begun; its socket is closed at the end, whatever else was to come."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as connection:
        forwarded = f"X-Forwarded-For: {client}\r\n" if client else ""
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{forwarded}\r\n".encode())
        with connection.makefile("rb") as lines:
            assert b" 200 " in lines.readline()
            yield lines


# -- work that nobody waits for --------------------------------------------------------------------------------------


class Gate:
    """The decoder, which takes a step when it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        decoder = models.translator(models.DEFAULT).model.decoder
        self.steps, self.open, self._permits = 0, False, threading.Semaphore(0)
        step = decoder.step

        def held(*args: Any, **named: Any) -> Any:
            if not self.open:
                assert self._permits.acquire(timeout=PATIENCE)
            self.steps += 1
            return step(*args, **named)

        monkeypatch.setattr(decoder, "step", held)

    def let(self, steps: int) -> None:
        wanted = self.steps + steps  # read first: the decoder is off as soon as it may
        self._permits.release(steps)
        wait_until(lambda: self.steps >= wanted)

    def let_all(self) -> None:
        self.open = True
        self._permits.release(10_000)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.let_all()


def events(served: Served) -> list[Any]:
    """What is computed now."""
    return [event for job in served.page._queue.active_jobs for event in job or ()]


def idle(served: Served) -> bool:
    return not events(served) and len(served.page._queue) == 0


LONG = " ".join(["A man in a blue shirt is riding a bicycle and a dog sleeps."] * 5)


@pytest.mark.parametrize("beam_size", [1, 5])
def test_a_client_that_closes_its_socket_stops_its_translation(served, gate, beam_size):
    asked = send(served, "POST", f"{CALL}/translate", {"data": [LONG, models.DEFAULT, beam_size, 1]})
    with streaming(served, f"{CALL}/translate/{json.loads(asked.body)['event_id']}"):
        gate.let(3)
        [event] = events(served)
    wait_until(lambda: not event.alive)
    gate.let_all()
    wait_until(lambda: idle(served))
    assert gate.steps <= 4, "the step at which it stood, and no other"


def test_a_client_that_closes_its_socket_while_it_waits_is_never_computed_for(served, gate):
    """/inside takes four at a time: the fifth waits."""
    tickets = [send(served, "POST", f"{CALL}/inside", {"data": [TEXT, models.DEFAULT]}) for _ in range(5)]
    wait_until(lambda: len(events(served)) == 4)
    addresses = [f"{CALL}/inside/{json.loads(ticket.body)['event_id']}" for ticket in tickets]
    assert len(served.page._queue) == 1
    with streaming(served, addresses[4]):
        pass
    wait_until(lambda: len(served.page._queue) == 0)
    assert len(events(served)) == 4
    gate.let_all()
    for path in addresses[:4]:
        assert b"event: complete" in send(served, "GET", path).body


def test_a_browser_that_disconnects_while_words_stream_stops_the_decoder(served, gate):
    config = json.loads(send(served, "GET", "/config").body)
    ids = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
    values = {part["id"]: part["props"].get("value") for part in config["components"]}
    asked = (e for e in config["dependencies"] if [ids["source-text"], "submit"] in e["targets"])
    [event] = [e for e in asked if ids["attention-view"] in e["outputs"]]
    session = uuid.uuid4().hex
    data = [LONG if i == ids["source-text"] else values[i] for i in event["inputs"]]
    join = {"data": data, "fn_index": event["id"], "session_hash": session}
    assert send(served, "POST", "/gradio_api/queue/join", join).status == 200
    with streaming(served, f"/gradio_api/queue/data?session_hash={session}") as lines:
        gate.let(4)
        while b"process_generating" not in lines.readline():  # a word is on the page
            pass
        [running] = events(served)
    wait_until(lambda: not running.alive)
    before = gate.steps
    gate.let_all()
    wait_until(lambda: idle(served))
    assert gate.steps <= before + 2, "the step at which it stood, at most"
    assert gate.steps < len(models.translator(models.DEFAULT).translate(LONG).target_pieces) / 4
    assert running._id not in served.page.app.iterators


def test_one_address_may_have_so_many_unfinished_and_others_go_on(strict, gate, client):
    asked = [
        send(strict, "POST", f"{CALL}/translate", {"data": [TEXT, models.DEFAULT, 1, 1]}, client) for _ in range(4)
    ]
    assert [answer.status for answer in asked] == [200] * 3 + [429]
    assert asked[-1].detail.startswith("3 questions of your address are unfinished, which is the limit.")
    other = str(ipaddress.ip_address(client) + 1)
    assert send(strict, "POST", f"{CALL}/translate", {"data": [TEXT, models.DEFAULT, 1, 1]}, other).status == 200
    gate.let_all()
    wait_until(lambda: idle(strict))
    assert send(strict, "POST", f"{CALL}/translate", {"data": [TEXT, models.DEFAULT, 1, 1]}, client).status == 200
    wait_until(lambda: idle(strict))


def test_a_full_queue_says_so_with_its_limit(served, gate, monkeypatch):
    monkeypatch.setattr(served.page._queue, "max_size", 2)
    data = {"data": [TEXT, models.DEFAULT]}
    for _ in range(4):
        assert send(served, "POST", f"{CALL}/inside", data).status == 200
    wait_until(lambda: len(events(served)) == 4)
    asked = [send(served, "POST", f"{CALL}/inside", data) for _ in range(3)]
    assert [answer.status for answer in asked] == [200, 200, 429]
    assert asked[-1].detail == "2 questions are waiting, which is the limit. Try again in 3 seconds."
    assert asked[-1].headers["retry-after"] == "3"
    gate.let_all()
    wait_until(lambda: idle(served))


def test_on_the_page_a_search_has_a_deadline_and_says_so(served, monkeypatch):
    monkeypatch.setattr("seq2seq.demo.runs.SECONDS", 0)
    for beam_size in (1, 5):
        said = call(served, "translate", TEXT, models.DEFAULT, beam_size, 1)
        [made] = json.loads(said.split("data: ")[1])
        assert len(made["target_pieces"]) == 1
        assert made["warnings"] == ["Stopped at the time limit after 1 pieces: the translation is not finished."]


def test_after_a_burst_nothing_of_it_is_kept(served):
    """Objects, not bytes: what the allocator gives back to the system is its own affair."""

    def kept() -> int:
        gc.collect()
        return sum(isinstance(thing, Translation) for thing in gc.get_objects())

    call(served, "translate", TEXT, models.DEFAULT, 1, 1)
    wait_until(lambda: idle(served))
    before, queue = kept(), served.page._queue
    unread = sum(not messages.empty() for messages in queue.pending_messages_per_session.values())
    threads = [
        threading.Thread(target=call, args=(served, "translate", f"{TEXT} {i}", models.DEFAULT, 1 + i % 3, 1))
        for i in range(60)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    wait_until(lambda: idle(served))
    assert kept() <= before
    assert not queue.event_ids_to_events and not served.page.app.iterators
    assert sum(not messages.empty() for messages in queue.pending_messages_per_session.values()) == unread


def test_answers_that_nobody_fetches_are_dropped_and_those_that_are_waited_for_are_not(served, gate):
    queue = served.page._queue
    sessions = queue.pending_messages_per_session
    asked = send(served, "POST", f"{CALL}/inside", {"data": [TEXT, models.DEFAULT]})
    wait_until(lambda: len(events(served)) == 1)
    [running] = events(served)
    for _ in range(ANSWERS + 40):  # refused at once, and left unread
        assert send(served, "POST", f"{CALL}/translate", {"data": ["", models.DEFAULT, 1, 1]}).status == 200
    wait_until(lambda: len(events(served)) == 1 and len(queue) == 0)
    assert len(sessions) <= ANSWERS and running.session_hash in sessions
    gate.let_all()
    assert b"event: complete" in send(served, "GET", f"{CALL}/inside/{json.loads(asked.body)['event_id']}").body
    assert len(queue.pending_event_ids_session) <= ANSWERS + 1


# -- no traces -------------------------------------------------------------------------------------------------------

HOSTILE = (
    *(
        None,
        True,
        -1,
        1e308,
        10**30,
        math.nan,
        -math.inf,
        ["x" * 20_000],
        [],
        ["A dog."],
        {},
        {"path": "/etc/passwd"},
        {"__class__": "x"},
    ),
    *("", " ", "\x00", "\ud800", "x" * 1001, "../../etc/passwd", "<img src=x onerror=alert(1)>", "{{7*7}} ${7*7}"),
    *("'; DROP TABLE x; --", "__import__('os').system('id')", "%s%n%x", "\u202egpj.exe", "😀" * 999),
)
ENDPOINTS = {
    "translate": (TEXT, models.DEFAULT, 1, 1),
    "ask": (TEXT, models.DEFAULT, "", "", "", 0.0, False),
    "highlight": (TEXT, models.DEFAULT),
    "inside": (TEXT, models.DEFAULT),
    "compare": (TEXT, "en-fr-plain", models.DEFAULT, ""),
    "caption": (SCENES[0], CAPTIONERS[0]),
    "paint": (DESCRIPTIONS[0], PAINTERS[0]),
    "batch": (None, models.DEFAULT, 1),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_no_answer_has_a_trace_or_a_place_on_the_server(served, name):
    """Each argument of each endpoint in turn is each hostile value; what is translated comes back as text."""
    secrets = [str(ROOT), str(Path(gr.__file__).parents[1]), "Traceback", 'File "', "root:"]
    usual = ENDPOINTS[name]
    for place in range(len(usual)):
        asked = [ask(served, name, *usual[:place], value, *usual[place + 1 :]) for value in HOSTILE]
        for value, number in zip(HOSTILE, asked, strict=True):
            said = fetch(served, name, number)
            assert ("event: complete" in said) != ("event: error" in said), (place, value)
            assert not [secret for secret in secrets if secret in said], (place, value, said[:500])
            assert "event: complete" in said or len(said) < 1000, "a refusal gives nothing back at any length"


def test_a_full_gpu_is_said_in_a_line(served, monkeypatch):
    """Of what has no smaller batch and no other device to go to."""

    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr("seq2seq.demo.api.open_up", full)
    said = call(served, "inside", TEXT, models.DEFAULT)
    assert "The memory of the GPU is too small for this now" in said and "CUDA" not in said


def test_a_broken_checkpoint_does_not_say_where_it_lies(served, monkeypatch, tmp_path):
    folder = tmp_path / "checkpoints"
    (folder / "broken").mkdir(parents=True)
    for name, content in (
        ("config.json", '{"kind": "plain", "vocab_size": 9}'),
        ("model.safetensors", ""),
        ("tokenizer.json", ""),
    ):
        (folder / "broken" / name).write_text(content)
    monkeypatch.setattr(models, "CHECKPOINTS", folder)
    with pytest.raises(CheckpointError) as refused:
        models.picture_model("broken")
    assert str(tmp_path) not in str(refused.value)
    monkeypatch.setattr(models, "names", lambda: ("broken",))
    said = call(served, "translate", TEXT, "broken", 1, 1)
    assert '"checkpoints/broken/model.safetensors cannot be read' in said and str(tmp_path) not in said
