"""The kinds of model that `lo.fit` takes. Each imports its library when it is used."""

from . import equinox, linen, nnx

MODEL_ADAPTERS = (linen.ADAPTER, nnx.ADAPTER, equinox.ADAPTER)
