"""A finding: what stands out in data or in a run, as a name, its numbers, and a sentence."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """What a report or an explanation says.

    - `name`: the kind of finding, like "overfitting".
    - `numbers`: the numbers behind the sentence, by name.
    - `sentence`: the finding in words, with the numbers and a remedy.
    """

    name: str
    numbers: Mapping[str, Any]
    sentence: str

    def __str__(self) -> str:
        return self.sentence
