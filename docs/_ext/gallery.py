"""The gallery: a page with pictures for every optimizer and every schedule.

Formula, use and other names are those of the docstring. Pages and pictures are written when a build
begins, to `docs/gallery/generated`, which git ignores; `docs/gallery/index.md` includes the cards.
"""

import functools
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docstrings
import jax.numpy as jnp
import optax
from files import write
from landscapes import (
    BLUE,
    GREY,
    LANDSCAPES,
    ORANGE,
    RATES,
    STEPS,
    draw_losses,
    draw_paths,
    draw_schedules,
    in_dark,
    paths,
)
from reference import linked_in
from sphinx.application import Sphinx

import lecture_optax as lo
from tools.imports import ROOT
from tools.public_names import schedules, sections

FOLDER = "gallery/generated"

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "sgd": {
        "plain": {},
        "momentum": {"momentum": 0.9},
        "nesterov": {"momentum": 0.9, "nesterov": True},
    }
}
"""Optimizers with several lines in a picture; others have one, with their defaults."""

EXAMPLES: dict[str, dict[str, str]] = {
    "constant": {
        "": "s.constant(0.1)",
        "warmup_steps=20": "s.constant(0.1, warmup_steps=20)",
    },
    "step": {
        "boundaries=[40, 80]": "s.step(0.1, [40, 80])",
        "factor=0.5": "s.step(0.1, 25, factor=0.5)",
    },
    "polynomial": {
        "power=2": "s.polynomial(0.1, 100)",
        "power=0.5": "s.polynomial(0.1, 100, power=0.5)",
    },
    "linear": {
        "": "s.linear(0.1, 100)",
        "with a warm-up": "s.linear(0.1, 100, end_value=0.02, warmup_steps=20)",
    },
    "cosine": {
        "": "s.cosine(0.1, 100)",
        "with a warm-up": "s.cosine(0.1, 100, end_value=0.02, warmup_steps=20)",
    },
    "exponential": {
        "": "s.exponential(0.1, 0.5, transition_steps=25)",
        "staircase=True": "s.exponential(0.1, 0.5, transition_steps=25, staircase=True)",
    },
    "inverse_time": {
        "power=1": "s.inverse_time(0.1, 0.1)",
        "power=0.5": "s.inverse_time(0.1, 0.1, power=0.5)",
    },
    "cyclic": {
        "": "s.cyclic(0.02, 0.1, period=40)",
        "peak_factor=0.5": "s.cyclic(0.02, 0.1, period=40, peak_factor=0.5)",
    },
    "one_cycle": {
        "": "s.one_cycle(0.1, 100)",
        "warmup_steps=10": "s.one_cycle(0.1, 100, warmup_steps=10, init_value=0.02)",
    },
    "warm_restarts": {
        "period_factor=2": "s.warm_restarts(0.1, 20, period_factor=2)",
        "peak_factor=0.5": "s.warm_restarts(0.1, 20, period_factor=2, peak_factor=0.5)",
    },
    "warmup": {
        "linear": "s.warmup(s.constant(0.1), 40)",
        "exponential": 's.warmup(s.constant(0.1), 40, init_value=1e-3, shape="exponential")',
    },
    "wsd": {
        "linear": "s.wsd(0.1, 100, warmup_steps=10)",
        "cosine": 's.wsd(0.1, 100, warmup_steps=10, decay_steps=50, shape="cosine")',
    },
    "join": {"": "s.join([s.constant(0.1), s.cosine(0.05, 60)], [40])"},
    "scale": {"": "s.scale(s.cosine(0.1, 100), 0.5)", "unscaled": "s.cosine(0.1, 100)"},
    "clip": {
        "": "s.clip(s.inverse_time(0.1, 0.1), 0.03)",
        "not clipped": "s.inverse_time(0.1, 0.1)",
    },
    "momentum_nesterov": {"": "s.momentum_nesterov()"},
    "momentum_fista": {"": "s.momentum_fista()"},
    "momentum_constant": {"κ = 100": "s.momentum_constant(100.0)"},
    "silver": {"": "s.silver()"},
}
"""What the picture of each schedule shows: a label and a call for each line."""

LENGTHS = {"warm_restarts": 140, "silver": 62}


def optimizer_page(name: str, plain: dict[str, Any]) -> dict[str, str]:
    """Return the files of an optimizer: its page and its pictures."""
    function = getattr(lo, name)
    lines = _variants(name, function)
    found = {label: _on_its_landscapes(make) for label, make in lines.items()}
    colours = dict(zip(found, (BLUE, ORANGE), strict=False))
    if "plain" in found:
        colours = {"plain": GREY, **dict(zip([*found][1:], (BLUE, ORANGE), strict=True))}
    else:
        found, colours = {"plain": plain, **found}, {"plain": GREY, **colours}
    pictures, shown = {}, []
    for land, landscape in LANDSCAPES.items():
        drawn = [(label, colours[label], on[land]) for label, on in found.items()]
        pictures[f"{name}_{land}"] = draw_paths(land, drawn)
        rates = ", ".join(f"{label} {on[land].rate:.2g}" for label, on in found.items())
        shown.append((f"{name}_{land}", f"{landscape.about} Learning rates: {rates}."))
    label, last = list(found.items())[-1]
    text = (
        f"The star is the minimum, the dot the start; a path has {STEPS} steps. Plain gradient "
        "descent is grey."
    )
    if len(last["ravine"].losses):
        each = zip(LANDSCAPES, (BLUE, ORANGE), strict=True)
        pictures[f"{name}_rates"] = draw_losses([(x, c, last[x].losses) for x, c in each])
        shown.append((f"{name}_rates", f"The mean loss of {label} at each learning rate."))
        text += f" Each has the learning rate with the lowest mean loss of {len(RATES)}."
    calls = [
        f"# {label}\n{make(1e-3)}" if len(lines) > 1 else f"{make(1e-3)}"
        for label, make in lines.items()
    ]
    chain = ["## Its chain", "```text\n" + "\n".join(calls) + "\n```"]
    return _files(f"lo.{name}", pictures, shown, text, chain)


def schedule_page(name: str) -> dict[str, str]:
    """Return the files of a schedule: its page and its picture."""
    if name not in EXAMPLES:
        raise ValueError(f"{__file__}: EXAMPLES has no example of schedules.{name}.")
    made = {label: eval(call, {"s": lo.schedules}) for label, call in EXAMPLES[name].items()}
    picture = draw_schedules([*made.items()], LENGTHS.get(name, 100))
    calls = [re.sub(r"\bs\.", "lo.schedules.", call) for call in EXAMPLES[name].values()]
    text = "; ".join(f"{line}: `{x}`" for line, x in zip(("Solid", "dashed"), calls, strict=False))
    parts = docstrings.sections_of(docstrings.definition(f"lo.schedules.{name}").docstring)
    arguments = docstrings.as_markdown(parts.get("Arguments", ""), _link(f"lo.schedules.{name}"))
    return _files(f"lo.schedules.{name}", {name: picture}, [(name, "")], f"{text}.", [arguments])


def _variants(name: str, function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Return functions of the learning rate, by their labels."""
    if next(iter(inspect.signature(function).parameters)) == "learning_rate":
        variants = VARIANTS.get(name, {name: {}})
        return {x: functools.partial(function, **given) for x, given in variants.items()}
    is_nesterov = name.startswith("nesterov")

    def tuned(rate: Any, curvatures: tuple[float, float] = LANDSCAPES["ravine"].curvatures) -> Any:
        return lo.sgd(*function(*curvatures), nesterov=is_nesterov)

    return {name: tuned}


def _on_its_landscapes(make: Callable[..., Any]) -> dict[str, Any]:
    """Return the paths of an optimizer; a tuning is told the curvatures of each landscape."""
    if isinstance(make, functools.partial):
        return paths(make)
    found = {}
    for land, landscape in LANDSCAPES.items():
        given = functools.partial(make, curvatures=landscape.curvatures)
        rate = optax.tree.get(given(0).init(jnp.zeros(())), "learning_rate")
        found[land] = paths(given)[land]._replace(rate=float(rate), losses=())
    return found


def _files(
    dotted: str,
    pictures: dict[str, str],
    shown: list[tuple[str, str]],
    text: str,
    more: list[str],
) -> dict[str, str]:
    docstring, link = docstrings.definition(dotted).docstring, _link(dotted)
    parts = docstrings.sections_of(docstring)
    first, _, formula = parts[""].partition("\n")
    cells = "".join(
        f"::::{{grid-item}}\n{_image(name, f'{dotted}. {about}')}\n{about}\n::::\n"
        for name, about in shown
    )
    blocks = [
        "---\norphan: true\n---\n\n[Gallery](../index.md)",
        f"# {docstrings.parts(dotted)[1]}",
        docstrings.as_markdown(first, link),
        f":::::{{grid}} 1 1 2 2\n:gutter: 3\n{cells}:::::",
        text,
        docstrings.as_markdown(formula, link),
        *(docstrings.as_markdown(parts[x], link) for x in ("When", "Elsewhere")),
        *more,
        f"Examples and errors: `{dotted}`.",
    ]
    page = "\n\n".join(block for block in blocks if block.strip()) + "\n"
    dark = {f"{name}_dark.svg": in_dark(picture) for name, picture in pictures.items()}
    light = {f"{name}.svg": picture for name, picture in pictures.items()}
    return {f"{docstrings.parts(dotted)[1]}.md": page, **light, **dark}


def _link(dotted: str) -> Callable[[str], str]:
    return linked_in(dotted, docstrings.argument_names(docstrings.definition(dotted).node))


def _image(name: str, about: str, folder: str = "") -> str:
    """Return a picture for light and for dark pages."""
    return "\n".join(
        f"```{{image}} {folder}{name}{dark}.svg\n:class: {mode}\n:width: 100%\n:alt: {about}\n```"
        for dark, mode in (("", "only-light"), ("_dark", "only-dark"))
    )


def _card(dotted: str, picture: str) -> str:
    name = docstrings.parts(dotted)[1]
    image = _image(picture, dotted, "generated/")
    head = f"::::{{grid-item-card}} {name}\n:link: generated/{name}\n:link-type: doc"
    return f"{head}\n\n{image}\n\n{docstrings.statement(dotted)}\n::::\n"


def _cards(groups: dict[str, list[tuple[str, str]]]) -> str:
    grid = ":::::{{grid}} 1 2 2 3\n:gutter: 3\n\n{}:::::"
    return "\n\n".join(
        f"## {title}\n\n" + grid.format("\n".join(_card(*entry) for entry in entries))
        for title, entries in groups.items()
    )


def generate(folder: Path) -> None:
    """Write the pages and pictures."""
    optimizers, plain = sections()["Optimizers"], paths(lo.sgd)
    files: dict[str, str] = {}
    for name in optimizers:
        files |= optimizer_page(name, plain)
    for name in schedules():
        files |= schedule_page(name)
    groups = {
        "Optimizers": [(f"lo.{name}", f"{name}_ravine") for name in optimizers],
        "Schedules": [(f"lo.schedules.{name}", name) for name in schedules()],
    }
    write(folder, {**files, "_cards.md": _cards(groups)})
    (folder / "_cards.md").touch()


def update(app: Sphinx) -> None:
    """Write the pages and pictures, if the source has changed since.

    In a process of its own: JAX starts threads, and Sphinx forks.
    """
    folder = Path(app.srcdir, FOLDER)
    cards = folder / "_cards.md"
    sources = [*(ROOT / "lecture_optax").rglob("*.py"), *Path(__file__).parent.glob("*.py")]
    if cards.exists() and cards.stat().st_mtime > max(x.stat().st_mtime for x in sources):
        return
    modules = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": modules}
    subprocess.run([sys.executable, __file__, folder], check=True, env=environment)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for pages."""
    app.connect("builder-inited", update)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
