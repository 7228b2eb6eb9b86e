"""The verb `lab`: a page on which one drags the hyperparameters of optimizers."""

import secrets
import threading
import webbrowser
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from tyro.conf import Positional, arg

from .arguments import UsageError, one_of, usage_errors
from .options import IntOrNone

if TYPE_CHECKING:
    from ..interactive.engine import Engine


@dataclass
class Lab:
    """Open a page on which you drag hyperparameters and see what the optimizers do.

    It runs this library on 127.0.0.1, for this machine only, until Ctrl-C.
    """

    methods: Annotated[
        Positional[tuple[str, ...]], arg(metavar="[OPTIMIZER] ...", help_behavior_hint="")
    ] = ()
    """Up to three optimizers, typed as in Python: "lo.sgd(0.1, momentum=0.9)" "lo.adam(0.1)"."""
    landscape: Annotated[str, arg(metavar="NAME")] = "quadratic"
    """The loss: quadratic, noisy_quadratic, ravine, rosenbrock, saddle, logistic or digits."""
    port: IntOrNone = None
    """The port of the server, from 0 to 65535; by default a free one."""
    browser: Annotated[bool, arg(help_behavior_hint="")] = True
    """Print the address only, and do not open a browser."""

    def run(self) -> int:
        from ..interactive import server
        from ..interactive.engine import LANDSCAPES, MOST_METHODS, Engine, first_state

        server.require_packages()
        one_of("landscape", self.landscape, LANDSCAPES)
        if len(self.methods) > MOST_METHODS:
            raise UsageError(
                f"methods must be at most {MOST_METHODS}, got {len(self.methods)}: "
                "write each in quotes."
            )
        with usage_errors():
            state = first_state(landscape=self.landscape)
            if self.methods:
                state = first_state(self.methods, self.landscape)
            listener = server.listen(self.port or 0)
        token, engine = secrets.token_urlsafe(), Engine()
        address = f"http://{server.HOST}:{listener.getsockname()[1]}/?token={token}"
        if self.methods or self.landscape != "quadratic":
            address += hash_of(self.landscape, state["methods"])
        served = server.server_of(token, engine)  # anyio parses when it is imported: `_PARSES`
        threading.Thread(target=_compile, args=(engine, state), daemon=True).start()
        print(f"The lab is at {address} until Ctrl-C.", flush=True)
        if self.browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        served.run([listener])
        return 0


def hash_of(landscape: str, methods: list[str]) -> str:
    """Return what stands behind # in the address of a page that shows these methods."""
    parts = ["landscape", landscape], *(["method", text] for text in methods)
    return "#" + "&".join(f"{name}={quote(value, safe=',=:[]()')}" for name, value in parts)


def _compile(engine: "Engine", state: dict) -> None:
    """Compile the programs of the first picture while the browser loads the page."""
    landscape, controls = state["landscape"], state["controls"]
    engine.answer({"ask": "run", "state": state})
    engine.answer({"ask": "field", "landscape": landscape, "controls": controls})
