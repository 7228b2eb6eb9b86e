"""`certify`: everything that can be measured on a transformation, in one certificate."""

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import optax

from .._core import validate
from .certification.candidate import Candidate, candidate_of, ordinary_session
from .certification.choices import KINDS
from .certification.comparison import differences
from .certification.description import description_of, versions
from .certification.section import Section
from .certification.sections import SECTIONS
from .certification.sections.laws import broken_of
from .certification.values import decoded, encoded, frozen, thawed

_NO_LAWS = {"not_measured": "they were not among the sections to measure."}

_MOST = 5

FORMAT = 2
"""The version of the JSON: it is raised when a key changes its meaning."""


@dataclass(frozen=True)
class Certificate:
    """What was measured on one transformation. It prints as text.

    - `description`: what was certified: the factory, its arguments and hyperparameters, the code
      that builds the transformation, the parameters, and the `hash` of the update rule.
    - `versions`: of JAX, Optax and this library.
    - `sections`: the numbers of each section by its name. A section that was not measured has
      the reason, as `not_measured`.
    """

    description: Mapping[str, Any]
    versions: Mapping[str, str]
    sections: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in ("description", "versions", "sections"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the laws that are broken."""
        laws = self.sections.get("laws", {}).get("laws", {})
        return tuple(name for name, law in laws.items() if law["verdict"] == "broken")

    @property
    def verdict(self) -> str:
        """What is broken in one sentence: faults by name, then how many are choices."""
        measured = self.sections.get("laws", _NO_LAWS)
        name = self.description["factory"].partition(":")[2]
        if reason := measured.get("not_measured"):
            return f"It is not known which laws {name} keeps: {reason}"
        if not self.broken:
            return f"{name} keeps all laws that apply to it ({measured['kept']} checks)."
        found = {kind: list(broken_of(measured["laws"], kind)) for kind in KINDS}
        named = {kind: ", ".join(found[kind][:_MOST]) for kind in KINDS}
        parts = {
            "fault": f"that a training can meet: {named['fault']}",
            "not shown": f"that no short script shows: {named['not shown']}",
            "choice": "that are choices of this library or of Optax",
        }
        of = [
            f"{_checks(found[k])} {parts[k]}" + ", ..." * (len(found[k]) > _MOST and k != "choice")
            for k in KINDS
            if found[k]
        ]
        return f"{name} breaks {'; and '.join(of)}."

    def __str__(self) -> str:
        code = self.description["code"].replace("\n", "\n  ")
        title = f"{self.description['factory']}\n  {code}\n  hash {self.description['hash']}"
        verdict = [self.verdict] if "laws" in self.sections else []
        found = [
            "\n".join([SECTIONS[name].title, *(f"  {line}" for line in lines_of(name, numbers))])
            for name, numbers in self.sections.items()
        ]
        return "\n\n".join([*verdict, title, *found])

    def to_json(self) -> str:
        """Return the certificate as JSON of `certificate.schema.json`."""
        return json.dumps(encoded(thawed({"format": FORMAT, **vars(self)})), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Certificate":
        """Return the certificate that `to_json` wrote.

        **Raises** `ValueError` for a text that is no certificate.
        """
        try:
            found = decoded(json.loads(text))
            if found.pop("format") != FORMAT:
                raise ValueError(f"the format must be {FORMAT}")
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"text must be the JSON of a certificate, got {text[:40]!r}: {error}."
            ) from error

    def page(self) -> str:
        """Return the certificate as an HTML page that loads nothing else."""
        from .certification.page import page_of

        return page_of(self)

    def verify(self, make: Callable[..., Any], params: Any = None) -> tuple[str, ...]:
        """Certify again, and return what differs, in sentences: nothing if all is the same.

        A change of the hash is named first. Measured times are not compared, and numbers within
        rounding.
        """
        return differences(vars(self), vars(certify(make, params, sections=self.sections)))


def certify(
    make: Callable[..., optax.GradientTransformation],
    params: Any = None,
    *,
    sections: Iterable[str] | None = None,
) -> Certificate:
    """Measure what a transformation keeps, costs and does.

    A certificate has a section for each kind of measurement: the laws, the dtypes and the state,
    the first step, what scaled losses and rotated coordinates do to the path, stability,
    compilations, cost, likely mistakes, and which method it is. It takes seconds to a minute. A
    section that does not apply, or in which the transformation raises an error, says why.

    **Arguments**

    - `make`: a factory of any library. `make()` or `make(learning_rate)` builds the
      transformation; its numeric arguments are found by trial. Also a transformation, whose
      hyperparameters are then not known.
    - `params`: the parameters to try it on, if it needs special ones: a small tree of arrays.
    - `sections`: names of the sections to measure. All when not given.

    **Raises** `TypeError` for what builds no transformation, `ValueError` for a factory that
    cannot be called so and for a section that does not exist.

    ```python
    >>> import lecture_optax as lo, optax
    >>> certificate = lo.testing.certify(optax.sign_sgd, sections=["first_step", "state"])
    >>> round(certificate.sections["first_step"]["of_the_learning_rate"], 6)
    1.0
    >>> certificate.verify(optax.sign_sgd)  # measure again: nothing differs
    ()

    ```
    """
    if isinstance(sections, str) or not isinstance(sections, Iterable | None):
        raise TypeError(f"sections must be a list of names, got {sections!r}.")
    names = list(SECTIONS if sections is None else sections)
    for name in names:
        validate.one_of(*SECTIONS, sections=name)
    return certified(candidate_of(make, params), names)


def certified(
    candidate: Candidate,
    names: Iterable[str],
    announce: Callable[[Section], None] = lambda section: None,
) -> Certificate:
    """Return the certificate of a candidate; `announce` is called before each section."""
    measured = {}
    with ordinary_session():
        description = description_of(candidate)
        for name in names:
            announce(SECTIONS[name])
            measured[name] = _measured(SECTIONS[name], candidate)
    return Certificate(description, versions(), measured)


def lines_of(name: str, numbers: Mapping[str, Any]) -> list[str]:
    """Return the sentences of a section, or the one that says why it was not measured."""
    reason = numbers.get("not_measured")
    return [f"Not measured: {reason}"] if reason else SECTIONS[name].lines(thawed(numbers))


def _checks(names: list[str]) -> str:
    return f"{len(names)} check{'s' * (len(names) != 1)}"


def _measured(section: Section, candidate: Candidate) -> dict[str, Any]:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # a step may print, as JAX does at a NaN
            return section.measure(candidate)
    except Exception as error:  # whatever a transformation of another author raises
        return {"not_measured": f"{type(error).__name__}: {error}"}
