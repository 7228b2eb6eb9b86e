"""The verb `certify`: everything that can be measured on a transformation."""

import contextlib
import json as json_module
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from .arguments import UsageError, object_of, one_of, usage_errors
from .options import NameOrNone, PathOrNone

if TYPE_CHECKING:
    from ..testing import Certificate


@dataclass
class Certify:
    """Measure what an optimizer of any library keeps, costs and does."""

    factory: Annotated[Positional[str], arg(metavar="MODULE:FACTORY")]
    """A function that builds the optimizer, as optax:adam, or the optimizer itself."""
    json: bool = False
    """Print JSON instead of text."""
    page: PathOrNone = None
    """Write an HTML page to this file."""
    require: NameOrNone = None
    """Laws that must hold, by number or name, separated by commas; or all."""
    sections: NameOrNone = None
    """Sections to measure, separated by commas, as first_step,state; by default all."""
    verify: PathOrNone = None
    """Compare with the JSON of an earlier certificate, and print what differs."""

    def run(self) -> int:
        from ..testing.certification.comparison import differences, shortened

        required, before = self._required(), self._before()
        certificate = self._certificate(self._sections(required, before))
        if self.page is not None:
            self.page.write_text(certificate.page(), encoding="utf-8")
        if before is None:
            print(certificate.to_json() if self.json else certificate)
        else:
            found = differences(vars(before), vars(certificate))
            same = "Nothing differs."
            print(json_module.dumps(found) if self.json else "\n".join(shortened(found)) or same)
            if found:
                return 1
        return self._status(certificate, required)

    def _required(self) -> list[str]:
        """Return the names of the required laws."""
        from ..testing import LAWS

        words = _words(self.require)
        if words == ["all"]:
            return list(LAWS)
        numbers = {str(law.number) for law in LAWS.values()}
        for word in words:
            one_of("require", word, (*sorted(numbers), *LAWS, "all"))
        return [name for name, law in LAWS.items() if {name, str(law.number)} & {*words}]

    def _before(self) -> "Certificate | None":
        from ..testing import Certificate

        if self.verify is None:
            return None
        with usage_errors():
            try:
                return Certificate.from_json(self.verify.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"verify must be the JSON of a certificate: {error}.") from error

    def _sections(self, required: list[str], before: "Certificate | None") -> list[str]:
        """Return the names of the sections to measure: those of an earlier certificate, or all."""
        from ..testing.certification.sections import SECTIONS

        words = _words(self.sections)
        for word in words:
            one_of("sections", word, SECTIONS)
        names = words or [*(before.sections if before is not None else SECTIONS)]
        if required and "laws" not in names:
            raise UsageError(f"require needs the section laws, got sections {', '.join(names)}.")
        return names

    def _certificate(self, sections: list[str]) -> "Certificate":
        from ..testing._certify import certified
        from ..testing.certification.candidate import candidate_of

        # a factory may print
        with _without_messages_of_xla(), contextlib.redirect_stdout(sys.stderr):
            try:
                candidate = candidate_of(object_of(self.factory), name=self.factory)
            except UsageError:
                raise
            except Exception as error:  # whatever a module or a factory of another author raises
                problem = f"{type(error).__name__}: {error}".replace(*_TYPED)
                raise UsageError(f"{self.factory} cannot be certified: {problem}") from error
            return certified(candidate, sections, _announce)

    def _status(self, certificate: "Certificate", required: list[str]) -> int:
        """Return 1 where a required law is broken, or was never checked."""
        laws = certificate.sections.get("laws", {}).get("laws", {})
        applied = {name: x for name, x in laws.items() if x["verdict"] != "not applicable"}
        checked = {*applied, *(str(x["law"]) for x in applied.values()), *["all"] * bool(applied)}
        broken = [name for name in required if name in certificate.broken]
        missing = [word for word in _words(self.require) if word not in checked]
        problems = {"but broken": broken, "but never checked, because it does not apply": missing}
        for problem, names in problems.items():
            if names:
                listed = ", ".join(names)
                print(f"lecture-optax: required, {problem}: {listed}.", file=sys.stderr)
        return 1 if broken or missing else 0


@contextlib.contextmanager
def _without_messages_of_xla() -> Iterator[None]:
    """Run the block while XLA's own messages, which the laws report in words, go nowhere."""
    with open(os.dup(2), "w", buffering=1) as terminal, open(os.devnull, "w") as nowhere:
        ours = terminal if sys.stderr is sys.__stderr__ else sys.stderr
        os.dup2(nowhere.fileno(), 2)
        try:
            with contextlib.redirect_stderr(ours):
                yield
        finally:
            os.dup2(terminal.fileno(), 2)


_TYPED = ("pass lambda: make(", "write a function without arguments in your module, as make(")
"""No lambda can be typed on the command line."""


def _words(typed: str | None) -> list[str]:
    return [word.strip() for word in (typed or "").split(",") if word.strip()]


def _announce(section: Any) -> None:
    if sys.stderr.isatty():
        print(f"{section.title} ...", file=sys.stderr)
