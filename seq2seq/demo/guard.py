"""Stands in front of the page: what no request may ask for, send or do too often, and the headers of every answer.

A middleware of the web server (ASGI), so that a refusal comes before Gradio reads a byte. Each is one line of JSON,
`{"detail": "…"}`, that names the limit; the page shows it, and so does whatever a program prints.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import logging
import os
import re
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.language import Said, choose, translate
from seq2seq.upload import MAX_BYTES, too_large

MAX_CALL, MAX_BODY, MAX_UPLOAD, DRAINED = 64_000, 2_000_000, MAX_BYTES + 65_536, 64_000_000
"""Bytes: of a call of the API, whose four texts of 1,000 characters have room however they are written; of any other call,
of an upload with what surrounds its file, and of what is read on, and thrown away, so that a client that sends first and
listens later hears why it was refused."""
RATE, BURST = 60.0, 600
"""Questions a second of one address, and at once. A class of 40 behind one address: its pages open together with 8 questions
each, and then it may translate 20 sentences a second, 3 questions each. Asked from this machine itself they are not counted."""
UPLOAD_RATE, UPLOAD_BURST = 0.1, 60
"""Files: as many as the class has, and 2 GB an hour at most, which is how long they are kept."""
UNFINISHED, OPEN = 128, 400
"""Questions of one address that may wait or be computed, and connections that it may hold open."""
CLIENTS = 10_000
"""So many addresses are remembered."""
HUB = "https://huggingface.co https://*.huggingface.co"
"""Where a Space is shown in a frame."""

GIVEN = ("/static/", "/assets/", "/gradio_api/file=", "/gradio_api/heartbeat/", "/gradio_api/call/") + tuple(
    f"/gradio_api/{name}" for name in ("queue/data", "queue/status", "upload_progress", "startup-events", "theme.css")
)
GIVEN += ("/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt")
"""What may be fetched without being counted: files, and answers that are waited for."""
MADE = ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json")
"""What is made anew for each who fetches it."""
HASHED = re.compile(r"/assets/[^/]+-[\w-]{8,}\.\w+")
"""Of Gradio's files, those with a name that changes with the content: fetched once, a browser need not ask for them again."""
STOPS = ("/gradio_api/cancel", "/gradio_api/reset")
NAMED = "/gradio_api/call/"
ASKS = (NAMED, "/gradio_api/queue/join", "/gradio_api/run/")
UPLOAD = "/gradio_api/upload"
TOOLS = "/gradio_api/mcp"
"""These and no more may be posted to; the last one where the page offers tools. Those ask by ASKS in their turn."""

QUESTIONS = "Too many questions: {burst:g} at once and {rate:g} a second are the limit of one address. {again}"
FILES = "Too many files: {burst:g} at once and {rate:g} a minute are the limit of one address. {again}"
WAITING = "{limit} questions are waiting, which is the limit. {again}"
OWN = "{limit} questions of your address are unfinished, which is the limit. {again}"
CONNECTIONS = "Your address has {limit} connections open, which is the limit. Close a page."
FULL = "The disk of this server is full, so there is no place for your file or its result. Try again later."
"""What is said of a limit."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # a link may hold somebody's sentence
    "Permissions-Policy": ", ".join(
        f"{name}=()" for name in ("camera", "microphone", "geolocation", "display-capture", "usb", "midi", "payment")
    ),
}
FRAMES = f"frame-ancestors 'self' {HUB}"
NOTHING = f"default-src 'none'; {FRAMES}"
"""The policy of every answer that is not the page, should a browser ever show one as a page."""
PAGE = "; ".join(
    (
        "default-src 'none'",
        # Gradio makes functions of text: templates, and each `js=` of an event. That text is ours, in its configuration.
        "script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",  # Plotly and Gradio write style attributes
        "img-src 'self' data: blob:",  # icons; a picture that is taken away
        "font-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        FRAMES,
    )
)


def trust_proxies() -> None:
    """Sets FORWARDED_ALLOW_IPS, by which uvicorn knows the proxies that it believes when they name their client: only those of
    this machine, if nobody set it. A Space is behind several proxies of the Hub's private network, and can be reached by no
    other way."""
    if os.environ.get("SPACE_ID"):
        os.environ.setdefault("FORWARDED_ALLOW_IPS", "127.0.0.1,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")


def route(scope: Scope) -> str:
    """What is asked for, below the path of a server that the page may stand under."""
    return scope["path"].removeprefix(scope.get("root_path", "")) or "/"


def address(scope: Scope) -> str:
    """Who asks: an IPv4 address, or the first half of an IPv6 one, of which everybody has many; "" for this machine."""
    try:
        ip = ipaddress.ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_loopback:
        return ""
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


class Buckets:
    """A bucket of tokens for each client, full at first: `burst` of them, filled up at `rate` a second."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Takes a token -> 0; or the seconds until there is one."""
        now = self.clock()
        level, then = self._levels.pop(client, (self.burst, now))
        level = min(self.burst, level + (now - then) * self.rate)
        self._levels[client] = (level - 1 if level >= 1 else level, now)
        while len(self._levels) > CLIENTS:
            self._levels.popitem(last=False)
        return 0.0 if level >= 1 else (1 - level) / self.rate


class Refused(MultiPartException):
    """What is said instead of the page's answer; `wait`: after so many seconds it may be another.

    Of the kind upon which Gradio deletes what it has of an upload; after any other it would stay on the disk.
    """

    def __init__(self, status: int, detail: Said, wait: float = 0.0) -> None:
        super().__init__(detail)
        self.status, self.wait = status, wait


class Guard:
    """The middleware. Its limits are arguments so that tests need not reach for the real ones."""

    def __init__(
        self,
        app: ASGIApp,
        questions: Buckets | None = None,
        uploads: Buckets | None = None,
        unfinished: int = UNFINISHED,
        opened: int = OPEN,
    ) -> None:
        self.app = app
        self.questions = questions or Buckets(RATE, BURST)
        self.uploads = uploads or Buckets(UPLOAD_RATE, UPLOAD_BURST)
        self.unfinished, self.opened = unfinished, opened
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return  # the page uses no WebSockets
        path = route(scope)
        client = scope["lens.client"] = address(scope)
        body = Body(scope, receive)
        answer = Answer(send, body, path, language(scope))
        self._open[client] += 1
        try:
            self._check(scope, path, client)
            await body.check()
            await self.app(scope, body, answer)
        except Refused as refused:
            await answer.refuse(refused)
        except Exception as error:
            log = logging.getLogger(__name__)
            if is_full(error) and not answer.begun:
                log.error("%s %r: %s", scope["method"], path, error)
                return await answer.refuse(Refused(507, Said(FULL)))
            if answer.begun:  # such as a stream of what nobody has asked for
                log.warning("%s %r broke off: %r", scope["method"], path, error)
                return await answer.end()
            log.exception("%s %r failed", scope["method"], path)
            await answer.refuse(Refused(500, Said("Something went wrong here; the log of the server says what.")))
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]

    def _check(self, scope: Scope, path: str, client: str) -> None:
        """Raises Refused for what is not there, or too much."""
        post = scope["method"] == "POST"
        if self._open[client] > self.opened:
            raise Refused(429, Said(CONNECTIONS, limit=self.opened), 1)
        tools = f"{path}/".startswith(f"{TOOLS}/") and scope["app"].get_blocks().mcp_server
        made = scope["method"] in ("GET", "HEAD") and path in MADE
        if tools or made or post and (path.startswith(ASKS) or path == UPLOAD):
            self._count(scope, client, path)
        elif not (path.startswith(GIVEN) and not post or path in STOPS and post):
            raise Refused(404, Said("There is no such address here."))
        if path.startswith("/gradio_api/file=") and "://" in path:  # Gradio would fetch it from there
            raise Refused(403, Said("Only files of this page are served."))

    def _count(self, scope: Scope, client: str, path: str) -> None:
        if client:
            wait = self.questions.take(client)
            if wait:
                burst, rate = self.questions.burst, self.questions.rate
                raise Refused(429, Said(QUESTIONS, burst=burst, rate=rate, again=again(wait)), wait)
            if path == UPLOAD and (wait := self.uploads.take(client)):
                burst, rate = self.uploads.burst, self.uploads.rate * 60
                raise Refused(429, Said(FILES, burst=burst, rate=rate, again=again(wait)), wait)
        if path.startswith(ASKS):
            page = scope["app"].get_blocks()
            name = path.removesuffix("/").rpartition("/")[2]
            if path.startswith(NAMED) and name not in (function.api_name for function in page.fns.values()):
                raise Refused(404, Said("There is no endpoint of that name; /gradio_api/info lists them."))
            queue = page._queue
            if queue.max_size is not None and len(queue) >= queue.max_size:
                # 503 would be the word for it, but then Gradio's page says something else.
                raise Refused(429, Said(WAITING, limit=queue.max_size, again=again(2)), 2)
            waiting = (event for events in queue.event_queue_per_concurrency_id.values() for event in events.queue)
            running = (event for events in queue.active_jobs for event in events or ())
            own = sum(e.request.scope.get("lens.client") == client for part in (waiting, running) for e in part)
            if own >= self.unfinished:
                raise Refused(429, Said(OWN, limit=self.unfinished, again=again(2)), 2)


def is_full(error: Exception) -> bool:
    """Whether it says that there is no room on the disk: none at all, none for this user, or none in one file."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def again(seconds: float) -> Said:
    """When to come back."""
    whole = int(seconds) + 1
    return Said("Try again in {count} seconds.", count=whole) if whole > 1 else Said("Try again in 1 second.")


def language(scope: Scope) -> str:
    """Of who asks: as the page's address has it, which a browser names as where the question comes from, or as it accepts."""
    headers = Headers(scope=scope)
    asked = parse_qs(urlsplit(headers.get("referer", "")).query).get("lang", [""])
    return choose(headers.get("accept-language", ""), asked[0])


class Body:
    """A request's body, on its way to the page; counted, whatever its header says of its length."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.upload = scope["path"].endswith(UPLOAD)
        named = route(scope).startswith(NAMED)
        self.limit = MAX_UPLOAD if self.upload else MAX_CALL if named else MAX_BODY
        said = Headers(scope=scope).get("content-length", "0")
        self.said = int(said) if said.isdecimal() else 0
        self.receive, self.count = receive, 0
        self.whole = False
        self.refused: Refused | None = None

    async def check(self) -> None:
        """Raises Refused if the header says that there is too much."""
        if self.said > self.limit:
            await self._refuse()

    async def __call__(self) -> Message:
        message = await self.receive()
        self.count += len(message.get("body", b""))
        if self.count > self.limit:
            await self._refuse(message)
        if message["type"] == "http.disconnect" and not self.whole:
            raise Refused(400, Said("The connection was closed before all was sent."))
        self.whole = not message.get("more_body", False)
        return message

    async def _refuse(self, message: Message | None = None) -> None:
        while (message is None or message.get("more_body")) and self.count <= DRAINED:
            message = await self.receive()
            self.count += len(message.get("body", b""))
        name, limit = (Said("The file"), MAX_BYTES) if self.upload else (Said("The request"), self.limit)
        self.refused = Refused(413, too_large(name, max(self.said, self.count), limit))
        raise self.refused


class Answer:
    """The page's answer, on its way to the client, with the headers; or a refusal of it."""

    def __init__(self, send: Send, body: Body, path: str, language: str) -> None:
        self.send, self.body, self.path, self.language = send, body, path, language
        self.begun = False
        self._held: Message | None = None  # the start of the page, until its length is known
        self._html = b""

    async def __call__(self, message: Message) -> None:
        if self.body.refused and not self.begun:
            raise self.body.refused  # whatever the page made of a body that was cut off
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            headers.update(HEADERS)
            if HASHED.fullmatch(self.path) and message["status"] == 200:
                headers["cache-control"] = "public, max-age=31536000, immutable"
            page = self.path == "/" and headers.get("content-type", "").startswith("text/html")
            self.begun = True
            if page:
                self._held = message
                return
            headers["content-security-policy"] = NOTHING
        elif self._held:
            self._html += message.get("body", b"")
            if message.get("more_body"):
                return
            message = await self._page(self._held)
            self._held = None
        await self.send(message)

    async def _page(self, start: Message) -> Message:
        """Sends the start; what comes after it is the page, with a new nonce that its own scripts know and no other's."""
        nonce = secrets.token_urlsafe(16)
        html = self._html.replace(b"<script", f'<script nonce="{nonce}"'.encode())
        headers = MutableHeaders(raw=start["headers"])
        headers["content-security-policy"] = PAGE.format(nonce=nonce)
        headers["content-length"] = str(len(html))
        await self.send(start)
        return {"type": "http.response.body", "body": html}

    async def end(self) -> None:
        """The end of an answer that broke off."""
        with contextlib.suppress(Exception):  # there may have to be more of it, or nobody listens
            await self.send({"type": "http.response.body", "body": b""})

    async def refuse(self, refused: Refused) -> None:
        """One line of JSON. Nothing may have been sent before."""
        body = json.dumps({"detail": translate(refused.message, self.language)}, ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), "cache-control": "no-store"}
        if refused.wait:
            headers["retry-after"] = str(int(refused.wait) + 1)
        headers |= HEADERS | {"content-security-policy": NOTHING}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": refused.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})
