"""The kit bites: a fault of one line in our code breaks the law that is named for it."""

import jax.numpy as jnp
import pytest

from .faults import FAULTS, Fault
from .second_library import library_with


def assert_a_step_can_be_made(subject):
    gradient = jnp.full((), 0.5)
    tx = subject.build()
    update, _ = subject.update(tx, gradient, tx.init(gradient), gradient)
    assert jnp.isfinite(update)


def cases():
    """All faults; the first for each set of laws in every run, the others by `pytest -m slow`."""
    seen = set()
    for name, fault in FAULTS.items():
        yield pytest.param(fault, id=name, marks=[pytest.mark.slow] if fault.laws in seen else [])
        seen.add(fault.laws)


@pytest.mark.parametrize("fault", list(cases()))
def test_it_breaks_its_laws(fault: Fault):
    with library_with(fault.file, fault.old, fault.new) as library:
        subject = library.testing.CONTRACT[fault.row]
        assert_a_step_can_be_made(subject)  # or the fault is only a slip of the pen
        for law in fault.laws.split():
            with pytest.raises(AssertionError, match=f"{law}, does not hold"):
                library.testing.LAWS[law](subject)


def test_faults_are_many_and_touch_every_law():
    library = __import__("lecture_optax.testing").testing
    numbers = {library.LAWS[law].number for f in FAULTS.values() for law in f.laws.split()}
    assert len(FAULTS) >= 20 and numbers == set(range(1, 10))


def test_a_fault_that_is_no_longer_in_the_code_is_an_error():
    with (
        pytest.raises(ValueError, match=r"stands 0 times in .*_trace.py, expected once"),
        library_with("_trace.py", "no such line", ""),
    ):
        pass
