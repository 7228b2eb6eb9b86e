"""What the page of the lab has that runs without a server, beside its programs.

    python -m tools.static_lab FILE

writes the script that the page loads: the programs of `tools/export_lab.py`, and what the library
says today of the page, its texts and its arrays.
"""

import base64
import gzip
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lecture_optax.interactive.engine import GRID, Engine, title_of
from lecture_optax.interactive.expression import Expression, read
from lecture_optax.interactive.gallery import AVERAGE, METHODS, RATE, SCHEDULES
from lecture_optax.interactive.handles import Handle
from lecture_optax.interactive.landscapes import LANDSCAPES
from lecture_optax.interactive.readings import FORMS, MOMENTA, PRODUCTS, predicted, region
from lecture_optax.interactive.simulation import orders_of
from lecture_optax.interactive.slides import SLIDES

FILE = Path(__file__).parents[1] / "docs" / "lab" / "programs.bin.gz"
STEPS, SEEDS = 1_000, 5
"""The largest number of steps, and of seeds: the order of the examples is part of the file."""

CANNOT: Mapping[str, str] = {}
"""The structures of the gallery or the slides that are not exported, with the reason."""


def methods() -> list[Expression]:
    """Return the methods of the gallery, and others that the slides show."""
    found = {method.structure: method for method in map(read, METHODS.values())}
    for slide in SLIDES:
        for method in map(read, slide.state()["methods"]):
            if not method.has_schedule and not method.has_average:
                found.setdefault(method.structure, method)
    return [method for structure, method in found.items() if structure not in CANNOT]


def rate_of(method: Expression) -> int:
    """Return which number of a method is its learning rate."""
    return [handle.name for handle in method.handles].index("learning_rate")


def schedule_of(text: str) -> tuple[str, Sequence[Handle]]:
    """Return the structure and the handles of a schedule, which is read inside of a method."""
    method = read(f"lo.sgd({text})")
    return method.structure.removeprefix("lo.sgd(")[:-1], method.handles


def schedules() -> Iterator[tuple[str, Sequence[Handle]]]:
    """Yield the structure and the handles of each schedule of the gallery."""
    for text in SCHEDULES.values():
        if text != RATE:
            yield schedule_of(text.replace(RATE, "0.1"))


def structures() -> dict[str, dict[str, Any]]:
    """Return each structure that the page can run: a method, with a schedule and an average.

    - `method`, `schedule`: their structures; no schedule is a constant learning rate.
    - `rate`: which number is the first of the learning rate.
    - `has_average`: whether the last number is η.
    - `form`: that of which region of stability it has.
    """
    found = {}
    for method in methods():
        rate = method.handles[rate_of(method)]
        prediction = predicted(method, np.ones(1))
        for schedule in SCHEDULES.values():
            typed = schedule.replace(RATE, repr(rate.value))
            text = method.text[: rate.begin] + typed + method.text[rate.end :]
            for average in ("", AVERAGE):
                whole = read(f"lo.chain({text}, {average})" if average else text)
                found[whole.structure] = {
                    "title": title_of(whole.structure),
                    "method": method.structure,
                    "schedule": None if schedule == RATE else schedule_of(typed)[0],
                    "rate": rate_of(method),
                    "has_average": bool(average),
                    "form": prediction and prediction["form"],
                    "handles": [handle.record() for handle in whole.handles],
                }
    return found


def program_names() -> list[str]:
    """Return the names of the programs that the page needs."""
    names = ["average", *(f"rates {structure}" for structure, _ in schedules())]
    for name in LANDSCAPES:
        names += [f"field {name}", f"record {name}"]
        names += [f"path {name} {method.structure}" for method in methods()]
    return names


def page() -> dict[str, Any]:
    """Return the page as the library describes it, without what cannot be exported."""
    record, _ = Engine().answer({"ask": "page"})
    return {
        **record,
        "landscapes": [each for each in record["landscapes"] if not each["is_network"]],
        "most": {**record["most"], "steps": STEPS, "seed": SEEDS - 1},
    }


def arrays() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each array that is computed here."""
    for seed in range(SEEDS):
        yield f"orders {seed}", orders_of(seed)[:STEPS].astype(np.uint8).tobytes()
    for form in FORMS:
        yield f"region {form}", region(form).astype(np.float32).tobytes()


def packed(contents: Mapping[str, Any], blobs: Mapping[str, bytes]) -> bytes:
    """Return the length of a JSON text, the text with the sizes of the blobs, and the blobs."""
    sizes = {name: len(blob) for name, blob in blobs.items()}
    text = json.dumps({**contents, "sizes": sizes}, ensure_ascii=False, separators=(",", ":"))
    return b"".join([np.uint32(len(text.encode())).tobytes(), text.encode(), *blobs.values()])


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the blobs."""
    begin = 4 + int(np.frombuffer(data[:4], np.uint32)[0])
    blobs = {}
    for name, size in json.loads(data[4:begin])["sizes"].items():
        blobs[name], begin = data[begin : begin + size], begin + size
    return blobs


def main() -> None:
    contents = {
        "page": page(),
        "structures": structures(),
        "lowest": {each.name: each.lowest for each in LANDSCAPES.values()},
        "grid": GRID,
        "products": PRODUCTS.tolist(),
        "momenta": MOMENTA.tolist(),
    }
    blobs = unpacked(gzip.decompress(FILE.read_bytes())) | dict(arrays())
    text = base64.b64encode(gzip.compress(packed(contents, blobs), 9, mtime=0)).decode()
    Path(sys.argv[1]).write_text(f'(globalThis.lectureOptaxLab ??= {{}}).programs = "{text}";\n')


if __name__ == "__main__":
    main()
