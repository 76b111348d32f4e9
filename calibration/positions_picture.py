"""The servos' pulses as machine.yaml has them and as they were found: a row for each gate."""

from __future__ import annotations

from collections.abc import Mapping

from calibration.chart import Curve, chart, stack
from edge.records import ImageBgr

WRITTEN, FOUND, AGAIN = (180, 90, 20), (40, 40, 200), (40, 140, 40)

Pulses = Mapping[str, Mapping[str, int]]


def draw_positions(written_us: Pulses, found_us: Pulses, again_us: Pulses) -> ImageBgr:
    """By gate and position in µs. The blue line is what machine.yaml says, red what was found, and green the rest as it
    was found once more; how far a dot is from the line is by how much the position was off."""
    return stack(*(_gate(gate, written_us[gate], found_us[gate], again_us.get(gate, {})) for gate in found_us))


def _gate(gate: str, written: Mapping[str, int], found: Mapping[str, int], again: Mapping[str, int]) -> ImageBgr:
    line = sorted(written.values())
    curves = [Curve(line, line, WRITTEN)]
    for dots, colour in ((again, AGAIN), (found, FOUND)):
        curves.append(Curve([written[position] for position in dots], list(dots.values()), colour, line=False))
    changes = ", ".join(f"{position} {written[position]} > {us}" for position, us in found.items())
    return chart(f"{gate}: {changes}", "pulse by machine.yaml, us", "found", curves)
