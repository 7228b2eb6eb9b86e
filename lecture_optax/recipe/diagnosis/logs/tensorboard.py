"""Event files of TensorBoard, by the message classes of tensorboardX.

A file is a sequence of records: the length of the message in eight bytes, four of a checksum, the
message, four of a checksum. A record that was cut off ends the file.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...._core.extras import require
from .table import Table, table_of_series
from .words import words_of

PATTERN = "*tfevents*"
"""The names of event files."""

PARTS = ({"train", "training"}, {"validation", "valid", "val", "eval", "test"})
"""Words of folders that hold the training and the validation part of one run."""

DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 9: np.int64, 19: np.float16}
"""The dtypes of a tensor's bytes, by their number."""


def is_event_file(start: bytes) -> bool:
    """Return whether a file begins with a version record of TensorBoard."""
    return b"brain.Event:" in start[:64]


def read_event_file(path: Path) -> list[Table]:
    """Return the run of one event file."""
    return _tables({path.parent: [path]}, path.parent)


def read_event_folder(folder: Path) -> list[Table]:
    """Return the runs of a folder: each folder below it with event files, by its path.

    A folder "train" and a folder "validation" side by side, as Keras writes them, are one run.
    """
    files: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob(PATTERN)):
        if path.is_file():
            files.setdefault(path.parent, []).append(path)
    return _tables(files, folder)


def _tables(files: dict[Path, list[Path]], top: Path) -> list[Table]:
    runs: dict[tuple[Path, int], dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for folder, paths in files.items():
        part = "" if folder == top else _part(folder)
        run = folder.parent if part else folder
        for i, series in enumerate(_runs(paths)):
            tags = {f"{part}/{tag}" if part else tag: x for tag, x in series.items()}
            runs.setdefault((run, i), {}).update(tags)
    named = {_name(*key, top): series for key, series in sorted(runs.items()) if series}
    return [table_of_series(name, "TensorBoard", series) for name, series in named.items()]


def _name(run: Path, number: int, top: Path) -> str:
    name = "" if run == top else run.relative_to(top).as_posix()
    return f"{name} #{number + 1}".strip() if number else name


def _part(folder: Path) -> str:
    """Return the name of a folder that holds a part of a run, or ""."""
    words = words_of(folder.name)
    return folder.name if words & (PARTS[0] | PARTS[1]) and len(words) <= 2 else ""


def _runs(paths: list[Path]) -> list[dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return the steps and the values of each tag of the runs in the files of a folder.

    A file that begins at the first step of the one before it, or earlier, is another run. Otherwise
    it resumes the run, and its steps replace those from its first one on.
    """
    runs: list[dict[str, dict[int, float]]] = []
    for path in paths:
        own: dict[str, dict[int, float]] = {}
        for tag, step, value in _scalars(path):
            own.setdefault(tag, {})[step] = value
        found = runs[-1] if runs else {}
        if not runs or any(min(own[tag]) <= min(found[tag]) for tag in own.keys() & found):
            runs.append(own)
            continue
        for tag, values in own.items():
            before = {k: x for k, x in found.get(tag, {}).items() if k < min(values)}
            found[tag] = before | values
    return [{tag: _sorted(values) for tag, values in run.items()} for run in runs]


def _sorted(values: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    steps = sorted(values)
    return np.array(steps, np.float64), np.array([values[k] for k in steps], np.float64)


def _scalars(path: Path) -> Iterator[tuple[str, int, float]]:
    messages = require(
        "tensorboardX.proto.event_pb2", extra="log", what="the event files of TensorBoard"
    )
    errors = require("google.protobuf.message", extra="log", what="the event files of TensorBoard")
    for record in _records(path):
        event = messages.Event()
        try:
            event.ParseFromString(record)
        except errors.DecodeError:
            return  # a damaged record: what follows cannot be trusted
        for value in event.summary.value:
            number = _number(value)
            if number is not None:
                yield value.tag, event.step, number


def _records(path: Path) -> Iterator[bytes]:
    left = path.stat().st_size
    with path.open("rb") as file:
        while len(head := file.read(12)) == 12:
            size = struct.unpack("<Q", head[:8])[0]
            left -= 16 + size
            if left < 0:
                return
            yield file.read(size + 4)[:-4]


def _number(value: Any) -> float | None:
    """Return the scalar of a summary, or None for a picture or a histogram."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    plugin = value.metadata.plugin_data.plugin_name
    if kind != "tensor" or plugin not in ("", "scalars") or value.tensor.tensor_shape.dim:
        return None
    tensor = value.tensor
    if tensor.tensor_content and tensor.dtype in DTYPES:
        return float(np.frombuffer(tensor.tensor_content, DTYPES[tensor.dtype])[0])
    for numbers in (tensor.float_val, tensor.double_val, tensor.int_val, tensor.int64_val):
        if len(numbers):
            return float(numbers[0])
    return None
