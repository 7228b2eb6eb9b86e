"""What needs an extra says how to install it."""

import inspect
import sys

import pytest

from lecture_optax._core.extras import require, warn
from lecture_optax.training.compiled.settings import run_settings


def test_a_module_that_is_there_is_imported():
    assert require("matplotlib.pyplot", extra="plot", what="plots").__name__ == "matplotlib.pyplot"


@pytest.mark.parametrize("missing", ["matplotlib", "matplotlib.pyplot"])
def test_one_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError) as refusal:
        require("matplotlib.pyplot", extra="plot", what="plots", otherwise="Or draw by hand.")
    assert str(refusal.value) == (
        f"matplotlib is needed for plots and cannot be imported (import of {missing} halted; None "
        'in sys.modules). Install it in a clone of lecture_optax: pip install ".[plot]". '
        "Or draw by hand."
    )


def test_a_warning_names_the_line_of_the_caller_also_through_a_decorator():
    bare = inspect.unwrap(warn)  # the suite checks its types in a frame of its own
    names = {"__name__": "lecture_optax.made_here", "warn": bare, "run_settings": run_settings}
    exec("@run_settings()\ndef call():\n    warn('of a mistake')", names)
    with pytest.warns(UserWarning, match="of a mistake") as found:
        names["call"]()
    assert found[0].filename == __file__
