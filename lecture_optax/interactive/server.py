"""The lab's local server: one page, and a socket on which it asks.

It listens on 127.0.0.1 only. A request needs the token of the address that was printed, and comes
from the page itself: another origin or another host name is refused.
"""

import asyncio
import json
from importlib import resources
from typing import Any

import numpy as np

from .._core.extras import require
from .engine import Arrays, Engine
from .simulation import Programs

HOST = "127.0.0.1"


def application(token: str, port: int) -> Any:
    """Return the ASGI application."""
    for module in ("starlette", "uvicorn", "websockets"):
        require(module, extra="lab", what="the lab")
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import HTMLResponse
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles
    from starlette.websockets import WebSocketDisconnect

    origins = {f"http://{host}:{port}" for host in (HOST, "localhost")}
    programs = Programs()
    static = resources.files(__package__) / "static"

    async def page(request):
        return HTMLResponse((static / "index.html").read_text("utf-8"))

    async def socket(connection):
        is_ours = connection.headers.get("origin") in origins
        if not is_ours or connection.query_params.get("token") != token:
            await connection.close(1008)
            return
        await connection.accept()
        engine = Engine(programs)
        try:
            while True:
                request = json.loads(await connection.receive_text())
                answer, arrays = await asyncio.to_thread(engine.answer, request)
                await connection.send_bytes(packed({"id": request.get("id"), **answer}, arrays))
        except WebSocketDisconnect:
            pass

    return Starlette(
        routes=[
            Route("/", page),
            WebSocketRoute("/socket", socket),
            Mount("/static", StaticFiles(directory=str(static))),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
    )


def packed(answer: dict[str, Any], arrays: Arrays) -> bytes:
    """Return an answer as bytes: the length of the JSON text, the text, and the arrays in float32.

    The text lists the arrays with their shapes, in order; it is padded to a multiple of 4 bytes.
    """
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    text = json.dumps({**answer, "arrays": shapes}).encode()
    text += b" " * (-len(text) % 4)
    blobs = [np.ascontiguousarray(array, np.float32).tobytes() for array in arrays.values()]
    return b"".join([np.uint32(len(text)).tobytes(), text, *blobs])
