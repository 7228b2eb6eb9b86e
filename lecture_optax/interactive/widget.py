"""The page in a notebook: the front end of the server, with the kernel as its engine."""

import functools
from importlib import resources, util
from typing import Any

import numpy as np

from .engine import Engine

VIEW = "application/vnd.jupyter.widget-view+json"


def widget_of(engine: Engine, state: dict[str, Any]) -> Any:
    """Return a widget that shows a state, or None without `anywidget`."""
    return _class()(engine, state) if util.find_spec("anywidget") else None


def view_of(widget: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data and the metadata by which a notebook shows a widget."""
    data, metadata = widget._repr_mimebundle_()
    return {VIEW: data[VIEW]}, metadata


@functools.cache
def _class() -> type:
    """Return the class; without the extra `lab` the library is imported all the same."""
    import anywidget
    import traitlets

    static = resources.files(__name__.rpartition(".")[0]) / "static"

    class LabWidget(anywidget.AnyWidget):
        _esm = (static / "widget.js").read_text("utf-8")
        _css = (static / "lab.css").read_text("utf-8")
        state = traitlets.Dict().tag(sync=True)

        def __init__(self, engine: Engine, state: dict[str, Any]) -> None:
            super().__init__(state=state)
            self._engine = engine
            self.on_msg(self._answer)

        def _answer(self, _: Any, request: dict[str, Any], buffers: list[memoryview]) -> None:
            def report(progress: dict[str, Any]) -> None:
                self.send({"id": request["id"], "progress": progress})

            answer, arrays = self._engine.answer(request, report)
            shapes = {name: list(array.shape) for name, array in arrays.items()}
            blobs = [np.ascontiguousarray(x, np.float32).tobytes() for x in arrays.values()]
            self.send({"id": request["id"], **answer, "arrays": shapes}, blobs)

    return LabWidget
