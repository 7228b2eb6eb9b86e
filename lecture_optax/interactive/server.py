"""The lab's local server: one page, and a socket on which it asks.

It listens on 127.0.0.1 only. The page and the socket need the token of the address that was
printed, or the cookie that the browser got with it; the socket answers the page of this server
only: another origin, or another name of the host, is refused.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import compare_digest
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.extras import require
from .engine import Arrays, Engine
from .simulation import Cancelled

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import HTTPConnection
    from starlette.websockets import WebSocket

HOST = "127.0.0.1"
MOST_BYTES = 1 << 20
"""A longer message closes the socket."""
MOST_CHARACTERS = 100_000
"""Of a message: a state with the longest texts has less than 4,000."""
MOST_WAITING = 64
"""The number of requests of one page that wait for their answers."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the token is in the address
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
NO_TOKEN = (
    "This page needs the token that is in the address which lecture-optax lab printed: open that "
    "address."
)


def require_packages() -> None:
    """Require the packages of the server, or raise an `ImportError` that names the extra."""
    for module in ("starlette", "uvicorn", "websockets"):
        require(module, extra="lab", what="the lab")


def listen(port: int = 0) -> socket.socket:
    """Return a socket that listens on a port of this machine; 0 is a free one.

    **Raises** `ValueError` if another program has the port, or the system does not give it away.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"port must be in [0, 65535], got {port}.")
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ValueError(
            f"port {port} cannot be used: {reason}. Without a port, a free one is taken."
        ) from None


def server_of(token: str, engine: Engine) -> "uvicorn.Server":
    """Return the server; `run([listener])` serves the page until a signal ends the program."""
    require_packages()
    import uvicorn

    config = uvicorn.Config(
        application(token, engine),
        loop="asyncio",
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,  # takes longer than it saves on one machine
        lifespan="off",
        log_level="critical",  # a message that is not UTF-8 is an error with a traceback
        access_log=False,  # its lines have the token
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def application(token: str, engine: Engine) -> "Starlette":
    """Return the ASGI application."""
    require_packages()
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import HTMLResponse, PlainTextResponse
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles

    static = Path(__file__).with_name("static")

    async def page(request):
        if not _has(token, request):
            return PlainTextResponse(NO_TOKEN, 403)
        html = (static / "index.html").read_text("utf-8")
        answer = HTMLResponse(html, headers={"Cache-Control": "no-store"})
        answer.set_cookie(_cookie_of(request), token, httponly=True, samesite="strict")
        return answer

    async def ask(connection):
        if not _is_same_origin(connection) or not _has(token, connection):
            await connection.close(1008)  # before it is accepted: status 403
            return
        await connection.accept()
        await Session(engine).serve(connection)

    return Starlette(
        routes=[
            Route("/", page),
            WebSocketRoute("/socket", ask),
            Mount("/static", StaticFiles(directory=static)),
        ],
        middleware=[
            Middleware(_with_headers, headers=HEADERS),
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]),
        ],
    )


class Session:
    """Answers the requests of one page, until its socket closes.

    Runs are answered one after the other, and a newer run cancels the others: the page draws the
    last one. Other requests do not wait for a run.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._runs, self._others = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._newest: Any = None  # the last run that was asked for
        self._waiting = 0
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(self, connection: "WebSocket") -> None:
        """Answer until the socket closes; then cancel what is in progress."""
        sender = asyncio.create_task(self._send_all(connection))
        try:
            while (message := await connection.receive())["type"] == "websocket.receive":
                self._take(message.get("text"))
        finally:
            self._newest = None
            sender.cancel()
            for workers in (self._runs, self._others):
                workers.shutdown(wait=False, cancel_futures=True)

    async def _send_all(self, connection: "WebSocket") -> None:
        while True:
            await connection.send_bytes(await self._outbox.get())

    def _take(self, text: str | None) -> None:
        """Give a request to a worker, or post what is wrong with it."""
        try:
            request = _request_in(text)
        except ValueError as error:
            self._post({"id": None, "error": str(error)})
            return
        if self._waiting >= MOST_WAITING:
            problem = f"at most {MOST_WAITING} requests may wait for their answers."
            self._post({"id": request["id"], "error": problem})
            return
        self._count(1)
        is_run = request.get("ask") == "run"
        if is_run:
            self._newest = request
        (self._runs if is_run else self._others).submit(self._answer, request, is_run)

    def _answer(self, request: dict[str, Any], is_run: bool) -> None:
        """Post the answer to a request, and the progress before it; this runs in a worker."""

        def report(progress: dict[str, Any]) -> None:
            if is_run and self._newest is not request:
                raise Cancelled
            self._post({"id": request["id"], "progress": progress})

        try:
            if is_run and self._newest is not request:
                raise Cancelled
            answer, arrays = self.engine.answer(request, report)
        except Cancelled:
            answer, arrays = {"error": "a newer run took its place.", "is_cancelled": True}, {}
        self._count(-1)
        try:
            self._post({"id": request["id"], **answer}, arrays)
        except ValueError as error:  # a number that JSON does not have
            self._post({"id": request["id"], "error": f"the answer cannot be sent: {error}"})

    def _post(self, answer: dict[str, Any], arrays: Arrays | None = None) -> None:
        self._loop.call_soon_threadsafe(self._outbox.put_nowait, packed(answer, arrays or {}))

    def _count(self, change: int) -> None:
        with self._lock:
            self._waiting += change


def packed(answer: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Return an answer as bytes: the length of the JSON text, the text, and the arrays in float32.

    The text lists the arrays with their shapes, in order; it is padded to a multiple of 4 bytes.
    """
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    text = json.dumps({**answer, "arrays": shapes}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    with np.errstate(over="ignore"):  # beyond float32 a path that diverges is infinite
        blobs = [np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values()]
    return b"".join([len(text).to_bytes(4, "little"), text, *blobs])


def _has(token: str, connection: "HTTPConnection") -> bool:
    """Return whether the address or the cookie has the token.

    The time that this takes does not tell how much of it they have.
    """
    address = connection.query_params.get("token", "")
    cookie = connection.cookies.get(_cookie_of(connection), "")
    return any(
        compare_digest(given.encode("utf-8", "replace"), token.encode())
        for given in (address, cookie)
    )


def _cookie_of(connection: "HTTPConnection") -> str:
    """Return the name of the cookie. Browsers send the cookies of a host to each of its ports."""
    _, port = connection.scope["server"]
    return f"lecture-optax-lab-{port}"


def _is_same_origin(connection: "HTTPConnection") -> bool:
    """Return whether a page of this server opens the socket.

    The host is checked before, so that it is this machine. Its port may be that of a tunnel.
    """
    return connection.headers.get("origin") == f"http://{connection.headers.get('host')}"


def _with_headers(app: Callable[..., Any], headers: Mapping[str, str]) -> Callable[..., Any]:
    """Return the application with headers on each answer, where it has none of that name."""
    from starlette.datastructures import MutableHeaders

    async def with_headers(scope, receive, send):
        async def send_with(message):
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in headers.items():
                    given.setdefault(name, value)
            await send(message)

        await app(scope, receive, send_with)

    return with_headers


def _request_in(text: str | None) -> dict[str, Any]:
    """Return the request that a message is, or raise a `ValueError` that says what is wrong."""
    if text is None:
        raise ValueError("a message must be text, got bytes.")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"a message may have at most {MOST_CHARACTERS} characters, got {len(text)}."
        )
    try:
        request = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"a message must be JSON, got {text[:80]!r}.") from None
    if not isinstance(request, dict):
        raise ValueError(f"a message must be a JSON object, got {text[:80]!r}.")
    if not isinstance(request.get("id"), int | str):
        raise ValueError(f"a request must have an id, a number or a text, got {text[:80]!r}.")
    return request
