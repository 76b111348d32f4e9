"""How well the counts fit, as a picture: a row for each gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.chart import Curve, chart, stack
from calibration.gate_belief import GateUnderTrial
from edge.records import ImageBgr

COUNTED, FITTED, HELD = (40, 40, 200), (180, 90, 20), (40, 140, 40)
SIZE_PX = (560, 240)
DOTS = 150


def draw_gates(unders: Sequence[GateUnderTrial]) -> ImageBgr:
    """Left each sweep's count (red) on what the fit expects (blue, give or take two standard deviations); right the
    latencies and travels that are still held possible."""
    return stack(*(np.concatenate([_counts(under), _times(under)], axis=1) for under in unders))


def _counts(under: GateUnderTrial) -> ImageBgr:
    rows = [
        (count, *under.expected(batch, met))
        for batch in under.batches
        for met, count in batch.counts.items()
        if under.relevant(batch, met)
    ]
    counts, means, variances = np.array(rows, float).T
    numbers = np.arange(1, len(rows) + 1)
    curves = [Curve(numbers, counts, COUNTED, line=False)]
    for number, mean, std in zip(numbers, means, np.sqrt(variances), strict=True):
        curves.append(Curve([number, number], [mean - 2 * std - 0.1, mean + 2 * std + 0.1], FITTED))
    title = f"{under.gate.name}: x = {under.gate.x_mm + under.off_mm:.1f} mm"
    return chart(title, "sweep", "parts", curves, SIZE_PX)


def _times(under: GateUnderTrial) -> ImageBgr:
    held = under.timing.thinned(DOTS)
    latencies_ms = 1e3 * (held.first + under.off_mm / under.mm_per_s)
    curves = [Curve(latencies_ms, 1e3 * held.travel_s, HELD, line=False)]
    travel = f"travel {1e3 * under.travel_s:.0f} ms" if under.shape.tells_travel else "travel not measured"
    title = f"latency {1e3 * under.latency_s:.0f} ms, {travel}"
    return chart(title, "latency, ms", "travel", curves, SIZE_PX)
