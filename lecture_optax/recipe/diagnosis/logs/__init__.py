"""Logs of training runs, ours and those of other tools: one function, `read_log`."""
