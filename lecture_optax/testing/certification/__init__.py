"""The certificate of a transformation: what it keeps, what it costs, how it behaves."""
