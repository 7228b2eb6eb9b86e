"""The published matrix: a certificate of every public optimizer of Optax, and of others."""
