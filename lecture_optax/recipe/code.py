"""Which Python trains the same model without a search?"""

from .choose import Choice


def code_of(
    choice: Choice,
    steps: int,
    batch_size: int,
    seed: int,
    kept_back: bool,
    own_families: bool,
    around: bool,
) -> str:
    """A `lo.fit` call of the program that the search ran, with the numbers that it found."""
    found = choice.found
    if found is None:
        return "# No arm was better than the start: there is nothing to train."
    numbers = found.arm.hyperparams(steps)
    arguments = [
        word for word, is_own in (("families", own_families), ("around", around)) if is_own
    ]
    build = "arm" if not arguments else f"arms({', '.join(f'{x}={x}' for x in arguments)})"
    problem = f"lo.recipe.hold_back(problem, seed={seed})" if kept_back else "problem"
    return f"""import lecture_optax as lo

result = lo.fit(
    {problem},
    tx=lo.recipe.{build},
    hyperparams={numbers!r},
    steps={found.step},
    batch_size={batch_size},
    seed={seed},
    looks=1,
    keep="best",
)
"""
