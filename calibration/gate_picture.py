"""How well the gates' trials fit, as a picture: a row for each gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from calibration.chart import Curve, chart, stack
from calibration.gate_model import Trial
from edge.records import ImageBgr

if TYPE_CHECKING:
    from calibration.gates import GateFit

DIVERTED, PASSED, FITTED = (40, 140, 40), (40, 40, 200), (180, 90, 20)
SIZE_PX = (560, 240)


def draw_gates(fits: Sequence[GateFit]) -> ImageBgr:
    """Left the trials on the standing belt, right those on the running one; green went where the gate was told to,
    red did not, and the lines are the fit's."""
    return stack(*(np.concatenate([_standing(one), _running(one)], axis=1) for one in fits))


def _standing(one: GateFit) -> ImageBgr:
    trials = one.under.stands()
    curves = _clouds([(trial.place_mm - one.x_mm, float(trial.met == trial.went), trial) for trial in trials])
    reach_mm = one.under.shape.reach_mm if one.under.gate.kind == "pusher" else 0.0
    edges = {-reach_mm, reach_mm}
    curves += [Curve([edge_mm, edge_mm], [-0.2, 1.2], FITTED) for edge_mm in edges]
    title = f"{one.under.gate.name}: x = {one.x_mm:.1f} mm, belt stands"
    return chart(title, "part stood at, mm from the gate", "diverted", curves, SIZE_PX)


def _running(one: GateFit) -> ImageBgr:
    latency_ms, travel_ms = 1e3 * one.latency_s, 1e3 * one.travel_s
    wides = one.under.wides()
    rows = []
    for trial in one.under.swings() + wides:
        tau_ms = 1e3 * (one.x_mm - trial.place_mm) / trial.mm_per_s
        back_ms = 1.3 * travel_ms if trial.back_s is None else 1e3 * trial.back_s
        rows.append((tau_ms, back_ms + 0.2 * travel_ms * (trial in wides), trial))
    curves = _clouds(rows)
    if one.under.gate.kind == "gate":
        backs_ms = np.linspace(0.5, 1.0, 20) * travel_ms
        half_ms = latency_ms + travel_ms / 2
        curves.append(Curve(latency_ms + 2 * backs_ms - travel_ms / 2, backs_ms, FITTED))
        curves.append(Curve([half_ms, half_ms], [travel_ms / 2, 1.4 * travel_ms], FITTED))
    else:
        curves += [Curve([ms, ms], [travel_ms, 1.6 * travel_ms], FITTED) for ms in (latency_ms, latency_ms + travel_ms)]
    title = f"latency {latency_ms:.0f} ms, travel {travel_ms:.0f} ms"
    return chart(title, "part came, ms after the command", "called back after, ms (top: not)", curves, SIZE_PX)


def _clouds(rows: Sequence[tuple[float, float, Trial]]) -> list[Curve]:
    found = []
    for colour, wanted in ((DIVERTED, True), (PASSED, False)):
        own = [(x, y) for x, y, trial in rows if (trial.met == trial.went) is wanted]
        if own:
            found.append(Curve([x for x, _ in own], [y for _, y in own], colour, line=False))
    return found
