"""Print and store the tables of docs/explanation/scaling.md, and draw its picture.

    python -m benchmarks.scaling [--draw]

Nothing is trained: searches are replayed on recorded curves (`searches.py`), and what they ask for
runs on simulated workers (`cluster.py`). All numbers are means over 30 problems.
Takes 20 seconds on one core.
"""

import argparse
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np

from lecture_optax.recipe.population.arms import Arm, arm_optimizer
from lecture_optax.training.compiled.memory import bytes_of

from ..measured import save
from .cluster import Cluster, Use, best_time, simulate
from .picture import draw
from .searches import PLANS, Piece, Plan, Search, lengths, recorded, search

MAIN = Plan(4.5)
WORKERS = (1, 2, 3, 4, 6, 8, 16, 100, 1000)
STEPS = {0.001: "1 ms", 0.01: "10 ms", 0.1: "100 ms", 1.0: "1 s", 10.0: "10 s"}
STATES = {1e6: "1 MB", 1e8: "100 MB", 1e9: "1 GB", 1e10: "10 GB", 1e11: "100 GB"}

NODE = Cluster(workers=8)
NODES = Cluster(workers=8, per_node=1, network=1e9)

SWEEP: Search = [[Piece(1.0, leaves=(i,)) for i in range(60)]]
"""60 runs that need no result of each other."""

PARAMETERS = 10**9

Searches = dict[Plan, list[Search]]


def bytes_per_parameter() -> float:
    """Return the size of an arm's state for each parameter, in float32."""
    params = jax.ShapeDtypeStruct((PARAMETERS,), jnp.float32)
    tx = arm_optimizer()(**Arm(0, 0).hyperparams(100))
    return round(bytes_of((params, jax.eval_shape(tx.init, params))) / PARAMETERS, 3)


def mean(of: Callable[[Search], float], searches: Iterable[Search]) -> float:
    return float(np.mean([of(x) for x in searches]))


def spent(search: Search) -> float:
    """Return the gradients of a search, in runs."""
    return sum(map(sum, lengths(search)))


def use(searches: Iterable[Search], cluster: Cluster) -> Use:
    """Return the mean of what searches use."""
    every = [vars(simulate(x, cluster)) for x in searches]
    return Use(**{name: float(np.mean([x[name] for x in every])) for name in every[0]})


def share_of_best(searches: list[Search], cluster: Cluster) -> float:
    """Return the time without overheads, as a share of the time with them."""
    return use(searches, cluster.without_overhead).wall / use(searches, cluster).wall


def speed_up(searches: list[Search], workers: int, cluster: Cluster | None = None) -> float:
    """Return how many times sooner searches end than with one worker."""
    if cluster is None:
        every = map(lengths, searches)
        return float(np.mean([best_time(x, 1) / best_time(x, workers) for x in every]))
    one, several = (use(searches, cluster._replace(workers=n)) for n in (1, workers))
    return one.wall / several.wall


Table = list[list[str]]
"""The cells of a table, as they are shown; the first row is the head."""


def table(*rows: Iterable[object]) -> Table:
    return [list(map(str, row)) for row in rows]


def rounds_table(searches: Searches) -> Table:
    """Return the rounds of every plan, and how much sooner it can end at best."""

    def row(plan: Plan, own: list[Search]) -> list[object]:
        times = [best_time(lengths(x), 1000) for x in own]
        limit = speed_up(own, 1000)
        enough = next(n for n in range(1, 1000) if speed_up(own, n) > 0.98 * limit)
        return [
            f"{plan.budget:g}" + ("" if plan.copies == 1 else f", {2 * plan.copies} optimizers"),
            f"{mean(spent, own):.2f}",
            f"{mean(len, own):.0f}",
            f"{mean(lambda x: sum(map(len, x)), own):.0f}",
            f"{mean(lambda x: max(map(len, x)), own):.0f}",
            f"{np.mean(times):.2f}",
            f"{max(times):.2f}",
            *(f"{speed_up(own, n):.2f}" for n in (2, 3, 8, 1000)),
            enough,
        ]

    head = "budget", "runs spent", "rounds", "segments", "most in a round"
    chain = "longest chain, in runs", "at most"
    workers = "2 workers", "3", "8", "any number", "workers for 98 % of it"
    return table((*head, *chain, *workers), *(row(plan, own) for plan, own in searches.items()))


def workers_table(searches: list[Search]) -> Table:
    """Return what a search of the main budget uses by the number of workers."""

    def row(workers: int) -> list[object]:
        cluster = Cluster(workers=workers)
        found, run = use(searches, cluster), cluster.steps * cluster.step
        return [
            f"{workers:,}",
            f"{found.wall / run:.2f}",
            f"{speed_up(searches, workers, cluster):.2f}",
            f"{found.busy / workers / found.wall:.1%}",
            f"{found.moved / 1e9:.1f}",
            f"{found.saved / 1e9:.0f}",
            f"{found.most_states:.0f}",
            f"{speed_up([SWEEP], workers, cluster):.1f}",
        ]

    head = "workers", "time, in runs", "speed-up", "efficiency", "GB moved", "GB saved"
    last = "states of one worker", "speed-up of a sweep of 60 runs"
    return table((*head, *last), *map(row, WORKERS))


def sizes_table(searches: list[Search]) -> Table:
    """Return the share of the best possible speed, by the time of a step and the size of states."""

    def cell(step: float, state: float) -> str:
        both = (x._replace(step=step, state=state) for x in (NODE, NODES))
        return " / ".join(f"{share_of_best(searches, x):.0%}" for x in both)

    rows = ([word, *(cell(step, state) for state in STATES)] for step, word in STEPS.items())
    return table(["step", *STATES.values()], *rows)


def parts_table(searches: list[Search]) -> Table:
    """Return what large states cost, and what is left without one of the overheads."""
    slow = NODES._replace(state=1e11)
    without = {
        "as it is": slow,
        "a network of 10 GB/s": slow._replace(network=1e10),
        "saves at 20 GB/s": slow._replace(disk=2e10),
        "no saves": slow._replace(disk=0.0),
        "all states on the device": slow._replace(memory=np.inf),
    }
    rows = ([name, f"{share_of_best(searches, x):.0%}"] for name, x in without.items())
    return table(["step 100 ms, state 100 GB", "of the best possible speed"], *rows)


def billion_table(searches: Searches) -> Table:
    """Return what searches with a billion parameters cost; a worker is a node of eight devices."""
    size = bytes_per_parameter()
    node = Cluster(
        state=size * PARAMETERS, steps=40_000, per_node=1, memory=640e9, host=200e9, compile=120.0
    )

    def row(plan: Plan, workers: int) -> list[object]:
        own, cluster = searches[plan], node._replace(workers=workers)
        found = [use(own, cluster._replace(step=step)) for step in (0.1, 1.0, 10.0)]
        states = found[1].most_states
        return [
            f"{plan.budget:g}",
            workers,
            f"{mean(spent, own) * node.steps:,.0f}",
            *(f"{x.wall / 3600:.3g}" for x in found),
            f"{found[1].wall / node.steps:.2f}",
            f"{found[1].wall * workers / node.steps:.1f}",
            f"{found[1].moved / 1e9:.0f}",
            f"{found[1].saved / 1e9:.0f}",
            f"{states * node.state / 1e9:.0f}",
        ]

    head = "budget", "nodes", "gradients", "hours at 0.1 s", "at 1 s", "at 10 s", "time, in runs"
    last = "node time, in runs", "GB moved", "GB saved", "GB of states on a node"
    hours = [f"{node.steps * step / 3600:.3g}" for step in (0.1, 1.0, 10.0)]
    one = ["one run", 1, f"{node.steps:,}", *hours, "1.00", "1.0", 0, "", ""]
    plans = [(plan, n) for plan in PLANS if plan.copies == 1 for n in (1, 2, 3, 8)]
    return table((*head, *last), one, *(row(*x) for x in plans))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draw", action="store_true", help="draw docs/explanation/scaling.svg")
    given, curves = parser.parse_args(), recorded()
    searches = {plan: [search(x, plan) for x in curves.values()] for plan in PLANS}
    tables = {
        "rounds": rounds_table(searches),
        "workers": workers_table(searches[MAIN]),
        "sizes": sizes_table(searches[MAIN]),
        "parts": parts_table(searches[MAIN]),
        "billion": billion_table(searches),
    }
    for name, rows in tables.items():
        print(f"{name}:", *(" | ".join(row) for row in rows), "", sep="\n")
    size = {"ours, bytes each": bytes_per_parameter()}
    save(
        "scaling",
        "python -m benchmarks.scaling",
        {"an arm, for each parameter": size},
        tables=tables,
    )
    if given.draw:
        lines = {
            plan: [speed_up(own, n, Cluster()) for n in WORKERS] for plan, own in searches.items()
        }
        cells = [
            [
                share_of_best(searches[MAIN], NODES._replace(step=step, state=state))
                for state in STATES
            ]
            for step in STEPS
        ]
        draw(WORKERS, lines, list(STEPS.values()), list(STATES.values()), cells)


if __name__ == "__main__":
    main()
