"""Kill a run or a search again and again, at random moments."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]


ENDS = (-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM, -signal.SIGINT)
"""Exit codes of a process that was sent a signal: SIGTERM before there was a handler, or after."""


class Course(NamedTuple):
    """The exit codes of the processes, and the steps at which they began to train."""

    codes: list[int]
    begun: list[int]


def child(kind, steps, folder, *flags, module="tests.stress.train_process"):
    """Start one process of a run, and return it with the file of its result."""
    out = Path(folder).with_suffix(".npz")
    command = [sys.executable, "-m", module, kind, steps, folder, out, *flags]
    cache = {"JAX_COMPILATION_CACHE_DIR": str(Path(folder).parent / "compiled")}
    always = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    # a background job of a shell ignores SIGINT, and its children would too
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = subprocess.Popen(
            [str(x) for x in command],
            cwd=ROOT,
            env={**os.environ, "JAX_PLATFORMS": "cpu", **cache, **always},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    return process, out


def finished(kind, steps, folder, **options):
    """Return the result of a run that comes to its end, in its own process."""
    process, out = child(kind, steps, folder, **options)
    _end(process)
    with np.load(out) as arrays:
        return [arrays[name] for name in arrays.files]


def killed(kind, steps, folder, numbers, seed=0, seconds=1.0, **options):
    """Send a run these signals, one a process, until a process comes to its end with code 0.

    Every second process saves after every chunk; every fifth may be killed while it starts.
    """
    chance, codes, begun = random.Random(seed), [], []
    for i, number in enumerate(numbers):
        process, _ = child(kind, steps, folder, *["--eager"][: (i + 1) % 2], **options)
        if i % 5 != 4:
            begun += [
                int(step) for step in process.stdout.readline().split()
            ]  # it has begun to train
            time.sleep(chance.uniform(0, seconds))
        else:
            time.sleep(chance.uniform(0, 5.0))
        process.send_signal(number)  # without effect on a process that has ended
        codes.append(_end(process, *ENDS))
        if codes[-1] == 0:
            break
    return Course(codes, begun)


def _end(process, *allowed):
    _, errors = process.communicate()
    if process.returncode not in (0, *allowed):
        raise RuntimeError(f"exit code {process.returncode}:\n{errors}")
    return process.returncode


def same_bits(one, other):
    return len(one) == len(other) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True)
    )
