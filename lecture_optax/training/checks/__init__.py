"""All that `lo.fit` refuses, or warns of, before it trains."""
