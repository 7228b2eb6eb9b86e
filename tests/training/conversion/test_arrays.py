"""What users have becomes arrays where the meaning is plain; the rest is refused by name."""

import array
import datetime
import decimal
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from jax.experimental.sparse import BCOO

from lecture_optax.training.conversion.arrays import as_arrays

pytestmark = pytest.mark.usefixtures("untyped")
X = np.arange(12.0, dtype=np.float32).reshape(4, 3)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


class Tensor:
    """As PyTorch's: a gradient must be detached, and only the processor's memory can be read."""

    def __init__(self, values, requires_grad=False, device="cpu"):
        self.values, self.requires_grad, self.device = values, requires_grad, device
        self.shape, self.dtype = values.shape, f"torch.{values.dtype}"

    def detach(self):
        return Tensor(self.values, device=self.device)

    def cpu(self):
        return Tensor(self.values, self.requires_grad)

    def numpy(self):
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.device != "cpu":
            raise TypeError("can't convert cuda:0 device type tensor to numpy.")
        if self.values.dtype == np.float16:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.numpy())

    def __iter__(self):
        return (Tensor(row) for row in self.values)


class Polars:
    """A table with the methods of a Polars DataFrame."""

    def __init__(self, columns):
        self._columns = columns

    columns = property(lambda self: list(self._columns))
    shape = property(lambda self: (len(self.to_numpy()), len(self._columns)))

    def __getitem__(self, label):
        return self._columns[label]

    def to_numpy(self):
        return np.stack([np.asarray(column) for column in self._columns.values()], 1)


class Unreadable:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("the values lie elsewhere")


def matrix():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(X)


def masked(*rows):
    found = np.ma.masked_array(X)
    for row in rows:
        found[row, 1] = np.ma.masked
    return found


PLAIN = {
    "a list of lists": X.tolist(),
    "a tuple of tuples": tuple(map(tuple, X.tolist())),
    "a list of JAX's numbers": [[jnp.float32(v) for v in row] for row in X],
    "objects": X.astype(object),
    "exact decimals": [[decimal.Decimal(str(v)) for v in row] for row in X],
    "a table": FRAME,
    "a table of several dtypes": FRAME.astype({"a": "float64", "b": "Int64", "c": "category"}),
    "a table of Polars": Polars({name: FRAME[name] for name in FRAME}),
    "columns of arrays": pd.Series(list(X)),
    "a tensor": Tensor(X),
    "a tensor with a gradient": Tensor(X, requires_grad=True),
    "a tensor of a GPU": Tensor(X, device="cuda"),
    "sparse rows": scipy.sparse.csr_matrix(X),
    "a sparse array": scipy.sparse.coo_array(X),
    "a sparse array of JAX": BCOO.fromdense(jnp.asarray(X)),
    "big-endian": X.astype(">f4"),
    "long doubles": X.astype(np.longdouble),
    "nothing masked": masked(),
    "a matrix": matrix(),
    "a view of memory": memoryview(X),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_plain_becomes_the_array(kind):
    found = as_arrays(PLAIN[kind], "x")
    assert type(found) in (np.ndarray, type(jnp.ones(1)))
    np.testing.assert_array_equal(jnp.asarray(found, jnp.float32), X)


LABELS = np.array([2, 0, 1, 1])
PLAIN_LABELS = {
    "a list": LABELS.tolist(),
    "a list of NumPy's numbers": list(LABELS),
    "a series": pd.Series(LABELS),
    "nullable integers": pd.Series(LABELS, dtype="Int64"),
    "categories": pd.Series(LABELS, dtype="category"),
    "an index": pd.Index(LABELS),
    "objects": LABELS.astype(object),
    "a tensor": Tensor(LABELS),
    "a list of tensors": [Tensor(value, requires_grad=True) for value in LABELS],
    "an array of Python": array.array("q", LABELS),
    "bytes": bytearray(LABELS.tolist()),
    "big-endian": LABELS.astype(">i8"),
}


@pytest.mark.parametrize("kind", PLAIN_LABELS)
def test_whole_numbers_stay_whole(kind):
    found = as_arrays(PLAIN_LABELS[kind], "y")
    assert found.dtype.kind in "iu"
    np.testing.assert_array_equal(found, LABELS)


def test_arrays_stay_as_they_are_where_they_lie():
    given = {
        "host": X,
        "image": np.zeros((4, 2), np.uint8),
        "device": jnp.asarray(X),
        "narrow": X.astype(jnp.bfloat16),
        "whole": np.arange(4),
        "nested": ([X, None], {"truth": X > 0}),
    }
    found = as_arrays(given, "x")
    assert jax.tree.structure(found) == jax.tree.structure(given)
    assert all(a is b for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(given), strict=True))


def test_a_list_of_arrays_is_several_inputs():
    one, other = as_arrays([X, FRAME], "x")
    assert one is X
    np.testing.assert_array_equal(other, X)


def changed(value, dtype=np.int64):
    found = np.arange(4, dtype=dtype)
    found[2] = value
    return found


FIELDS = np.zeros(4, [("a", "f4"), ("b", "f4")])
REFUSED = {
    "a word in a table": (FRAME.assign(city="Bern"), "column 'city' of x .* 'Bern'.* in row 0"),
    "a category": (FRAME.assign(z=pd.Categorical(list("uvuv"))), "column 'z' of x must be numbers"),
    "columns of one name": (FRAME.assign(d="w").set_axis(list("abca"), axis=1), "column 'a' of x"),
    "a date": (FRAME.assign(t=pd.Timestamp(0)), "column 't' of x .* datetime64.* days since"),
    "a duration": (np.zeros(4, "m8[s]"), r"x must be .* timedelta64\[s\]: turn dates and times"),
    "a missing value": ([1, None, 2, 3], "x must be numbers, got a missing value in row 1"),
    "NA": (pd.Series([1, 2, None], dtype="Int64").astype(object), "missing value in row 2"),
    "words": (["a", "b"], "x must be an array of numbers, got <U1: turn words"),
    "a word": ("abc", "x must be an array with the examples .* got the str 'abc'"),
    "bytes": (b"abc", "x must be an array with the examples .* got the bytes"),
    "a word beside numbers": (np.array([1, "a"], object), "x must be numbers, got the str 'a'"),
    "records": ([{"a": 1.0}, {"a": 2.0}], "x must be numbers, got the dict .* in row 0"),
    "dates of Python": ([datetime.date(2024, 1, 1)], r"x\[0\] must be .* got the date '2024"),
    "another length": ([[1, 2], [3]], "x must be one array, .* different shapes: cut or fill"),
    "ragged objects": (pd.Series([np.ones(2), np.ones(3)]), "rows have different shapes"),
    "masked": (masked(1, 3), "x has 2 masked of 12 entries, the first in row 1: .*x.filled"),
    "fields": (FIELDS, "fields a, b: pass numpy.lib.recfunctions.structured_to_unstructured"),
    "a set": ({1, 2}, r"x must be .* got a set: pass numpy.array\(list\(...\)\)"),
    "a generator": ((i for i in range(3)), "x must be .* got a generator: pass numpy.array"),
    "keys": (jax.random.key(0)[None], "x must be an array of numbers, got key<fry>"),
    "a view of a dict": ({"a": 1}.values(), "x must be .* got a dict_values: pass numpy.array"),
    "an object": (object(), "x must be an array with the examples along its first axis, got the"),
    "unreadable": (Unreadable(), r"got a Unreadable that NumPy cannot read \(the values lie else"),
    "an odd tensor": (Tensor(X.astype(np.float16)), "got a Tensor that NumPy .*BFloat16"),
    "too sparse": (scipy.sparse.csr_matrix((4, 10**9)), r"x is a sparse matrix .* 30 GiB as an"),
    "milliseconds": (changed(1577836800000), "x must fit int32, .* 1577836800000 in row 2 .1 of 4"),
    "unsigned": (changed(2**63, np.uint64), "x must fit uint32, .* got 9223372036854775808 in row"),
    "a cast NaN": (
        changed(-(2**63)),
        "got -9223372036854775808 in row 2 .*makes this number of NaN",
    ),
    "a huge number": ([1, 2**40], "x must fit int32, .* got 1099511627776 in row 1"),
    "inside of a tree": ({"a": [X, changed(2**31)]}, r"x\['a'\]\[1\] must fit int32"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_plain_is_refused_by_name(kind):
    given, says = REFUSED[kind]
    with pytest.raises((TypeError, ValueError)) as raised:
        as_arrays(given, "x")
    assert re.search(says, str(raised.value).replace("\n", " "))


def test_numbers_that_fit_64_bits_fit_with_x64(x64):
    assert as_arrays(changed(2**62), "y")[2] == 2**62


def test_a_column_of_large_integers_beside_floats_is_one_of_floats():
    table = FRAME.assign(t=2**40, flag=True)  # objects in pandas
    np.testing.assert_array_equal(as_arrays(table, "x")[:, 3], 2.0**40)
