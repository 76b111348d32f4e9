"""How fast a TFLite model answers on this computer."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantization.quantize.convert import TfliteModel

THREADS = (1, 2, 4)
INVOKES, WARM_UP = 200, 20


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of one invoke, pixel values in and logits out: the median and the slowest tenth's begin."""

    threads: int
    median_ms: float
    slow_ms: float


def measure_speed(model: Path, input_px: int, threads: Sequence[int] = THREADS, invokes: int = INVOKES) -> list[Speed]:
    """The time of one look by number of threads."""
    picture = np.random.default_rng(0).integers(0, 256, (1, input_px, input_px, 3)).astype(np.uint8)
    found = []
    for count in threads:
        runs = TfliteModel(model, count)
        for _ in range(WARM_UP):
            runs.logits(picture)
        times_ms = np.empty(invokes)
        for k in range(invokes):
            began = time.perf_counter()
            runs.logits(picture)
            times_ms[k] = 1000 * (time.perf_counter() - began)
        found.append(Speed(count, float(np.median(times_ms)), float(np.quantile(times_ms, 0.9))))
    return found


def computer() -> str:
    """What this computer is, in words."""
    name = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores in view"
