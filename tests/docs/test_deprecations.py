"""What docs/explanation/support.md promises: a deprecated name warns, and lives two versions."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import lecture_optax as lo
from lecture_optax._core.types import deprecated

SENTENCE = re.compile(r"`.+` is deprecated since (\d+)\.(\d+): use `(.+)`\.")


# The page shows this made-up function.
@deprecated("`lo.old_adam` is deprecated since 0.2: use `lo.adam`.")
def old_adam(learning_rate):
    return lo.adam(learning_rate)


def wrong_in(source, version):
    """What is wrong with the deprecations in a source, in a version of the library."""
    major, minor = map(int, version.split(".")[:2])
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Constant) or "deprecated since" not in str(node.value):
            continue
        if not (match := SENTENCE.fullmatch(node.value)):
            yield f"another form: {node.value}"
            continue
        if (major, minor) >= (int(match[1]), int(match[2]) + 2) or major > int(match[1]):
            yield f"to be removed: {node.value}"
        value = lo
        for name in match[3].partition("(")[0].split(".")[1:]:
            value = getattr(value, name, None)
        if value is None:
            yield f"no such replacement: {node.value}"


def test_a_deprecated_name_works_and_its_warning_names_the_replacement():
    with pytest.warns(DeprecationWarning, match=r"since 0\.2: use `lo\.adam`\.") as told:
        assert repr(old_adam(0.1)) == repr(lo.adam(0.1))
    assert told[0].filename == __file__  # the line of the caller


@pytest.mark.parametrize("version", ["0.2.0", "0.3.7"])
def test_it_lives_for_two_minor_versions(version):
    assert not list(wrong_in(inspect.getsource(old_adam), version))


@pytest.mark.parametrize(
    "sentence, version, wrong",
    [
        ("`lo.old` is deprecated since 0.2: use `lo.adam`.", "0.4.0", "to be removed"),
        ("`lo.old` is deprecated since 0.9: use `lo.adam`.", "1.0.0", "to be removed"),
        ("`fit(old=)` is deprecated since 0.2: use `lo.fit(tx=)`.", "0.4.0", "to be removed"),
        ("`lo.old` is deprecated since 0.2.", "0.2.0", "another form"),
        ("`lo.old` is deprecated since 0.2: use `lo.recipe.none`.", "0.2.0", "no such replacement"),
    ],
)
def test_a_deprecation_that_breaks_the_promise_is_found(sentence, version, wrong):
    (found,) = wrong_in(f"@deprecated({sentence!r})\ndef old(): ...", version)
    assert found.startswith(wrong)


def test_the_package_keeps_the_promise():
    files = Path(lo.__file__).parent.rglob("*.py")
    assert not [x for path in files for x in wrong_in(path.read_text(), lo.__version__)]
