"""Kill a run, again and again, at any moment."""

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


class Course(NamedTuple):
    """The exit codes of the processes, and the steps at which they began, where they said so."""

    codes: list[int]
    begun: list[int]


def child(kind, steps, folder, *flags, module="tests.stress.train_process"):
    """One process of the run, and where it writes what it has learned."""
    out = Path(folder).with_suffix(".npz")
    command = [sys.executable, "-m", module, kind, steps, folder, out, *flags]
    cache = {"JAX_COMPILATION_CACHE_DIR": str(Path(folder).parent / "compiled")}
    always = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    process = subprocess.Popen(
        [str(x) for x in command],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu", **cache, **always},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return process, out


def finished(kind, steps, folder, **options):
    """Let the run come to its end, in a process of its own: what it has learned."""
    process, out = child(kind, steps, folder, **options)
    _end(process)
    with np.load(out) as arrays:
        return [arrays[name] for name in arrays.files]


def killed(kind, steps, folder, numbers, seed=0, seconds=1.0, **options):
    """Send it these signals, one a process; fewer where it came to its end, by a code of 0.

    Every second process saves all the time; every fifth may still be starting.
    """
    chance, codes, begun = random.Random(seed), [], []
    for i, number in enumerate(numbers):
        process, _ = child(kind, steps, folder, *["--eager"][: (i + 1) % 2], **options)
        if i % 5 != 4:
            begun += [int(step) for step in process.stdout.readline().split()]  # it trains
            time.sleep(chance.uniform(0, seconds))
        else:
            time.sleep(chance.uniform(0, 5.0))
        process.send_signal(number)  # nothing, to one that has ended
        codes.append(_end(process, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM))
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
