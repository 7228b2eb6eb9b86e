"""The words of a column's name: "train/lossEpoch" has train, loss, epoch."""

import re


def words_of(name: str) -> set[str]:
    """Return the words of a name in lower case.

    ```python
    >>> from lecture_optax.recipe.diagnosis.logs.words import words_of
    >>> sorted(words_of("Loss/trainEpoch"))
    ['epoch', 'loss', 'train']

    ```
    """
    return {x.lower() for x in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}
