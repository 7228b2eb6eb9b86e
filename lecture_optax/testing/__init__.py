"""The laws of this library: `check` tests any transformation against them."""

from .._core import exported as _exported
from . import references as references
from ._certify import Certificate as Certificate, certify as certify
from ._check import check as check
from ._law import Law as Law
from ._subject import Hyperparameter as Hyperparameter, Subject as Subject
from .contract import CONTRACT as CONTRACT
from .laws import LAWS as LAWS


def __dir__() -> list[str]:
    return _exported(globals(), "references")
