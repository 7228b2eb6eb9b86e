"""The kinds of model that `lo.fit` takes. A module for each, which imports its library when used."""

from . import equinox, linen, nnx

MODEL_ADAPTERS = (linen.ADAPTER, nnx.ADAPTER, equinox.ADAPTER)
