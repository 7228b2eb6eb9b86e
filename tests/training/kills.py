"""Kill a run, again and again, at any moment, until it has come to its end."""

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
    """What happened: the exit codes of the processes, the last one's too; what it left."""

    codes: list[int]
    learned: list[np.ndarray]


def child(kind, steps, folder, *flags):
    """One process of the run, and where it writes what it has learned."""
    out = Path(folder).with_suffix(".npz")
    command = [sys.executable, "-m", "tests.training.killed", kind, steps, folder, out, *flags]
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


def undisturbed(kind, steps, folder):
    process, out = child(kind, steps, folder)
    return _end(process, out, [])


def killed(kind, steps, folder, numbers, seed=0, seconds=1.0):
    """Send it these signals, one a process.

    Every second process saves all the time; every fifth may still be starting.

    It may come to its end before: then it was killed less often.
    """
    chance, codes = random.Random(seed), []
    for i, number in enumerate(numbers):
        process, out = child(kind, steps, folder, *["--eager"][: (i + 1) % 2])
        if i % 5 != 4:
            process.stdout.readline()  # it trains
            time.sleep(chance.uniform(0, seconds))
        else:
            time.sleep(chance.uniform(0, 5.0))
        if process.poll() is not None:
            return _end(process, out, codes)
        process.send_signal(number)
        _, errors = process.communicate()
        if process.returncode not in (-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM, 0):
            raise RuntimeError(f"exit code {process.returncode} after {codes}:\n{errors}")
        codes.append(process.returncode)
    process, out = child(kind, steps, folder)
    return _end(process, out, codes)


def _end(process, out, codes):
    _, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"exit code {process.returncode} after {codes}:\n{errors}")
    with np.load(out) as arrays:
        return Course([*codes, 0], [arrays[name] for name in arrays.files])


def same_bits(one, other):
    return len(one) == len(other) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True)
    )
