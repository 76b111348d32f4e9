"""Draws docs/images/timing.svg from the planner's own figures: `python docs/images/timing.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge.config.gates import GateBase, SimGateConfig
from edge.scheduling.gates import gate_settings
from edge.scheduling.lane import DispatcherSettings
from edge.scheduling.topology import Action, GateSettings

MM_PER_S = 150.0
PX_PER_MM = 4.6
LEFT_PX, LANE_PX, TOP_PX = 124.0, 158.0, 64.0
FROM_MM, TO_MM = 0.0, 176.0
A, B = (62.0, 94.0), (152.0, 168.0)
"""Travel at which the leading and trailing edges of two parts are at the gate's station."""
LANES = (
    ("diverter", "stands for the whole part", {"positions": ["pass", "left"]}),
    ("air jet", "the same, and off at once", {"kind": "jet", "margin_mm": 3.0}),
    ("pusher", "strikes the middle", {"kind": "pusher", "face_mm": 16.0, "latency_s": 0.015, "travel_s": 0.06}),
    (
        "chute", "stands until it fell through",
        {
            "kind": "chute", "rest": "pass", "angle_deg": {"pass": 0, "left": 40, "far": 120}, "travel_s": 0.24,
            "fall_s": 0.1, "settle_s": 0.03,
        },
    ),
)  # fmt: skip
INK, CLAIM, MOVING, STANDS, PART, OTHER = "#22303c", "#dbe9f6", "#d9622b", "#2e7d4f", "#f2c14e", "#b9c2ca"


def x_px(mm: float) -> float:
    return LEFT_PX + (mm - FROM_MM) * PX_PER_MM


def text(
    x: float, y: float, words: str, size: int = 12, anchor: str = "start", fill: str = INK, bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>{words}</text>'
    )


def box(from_mm: float, to_mm: float, y: float, height: float, fill: str, extra: str = "") -> str:
    width = (to_mm - from_mm) * PX_PER_MM
    return (
        f'<rect x="{x_px(from_mm):.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" {extra}/>'
    )


def line(points: list[tuple[float, float]], stroke: str, width: float = 2.5, extra: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width}" {extra}/>'


def lane(place: int, name: str, what: str, section: Mapping[str, object]) -> list[str]:
    config: GateBase = SimGateConfig.model_validate({"name": "g", "driver": "sim", "x_mm": 500.0, **section})
    gate = gate_settings(config, MM_PER_S)
    top = TOP_PX + place * LANE_PX
    claims = [(lead + gate.enter_mm - gate.x_mm, trail + gate.leave_mm - gate.x_mm) for lead, trail in (A, B)]
    parts_y, low, high = top + 26, top + 122, top + 78
    out = [text(12, top + 42, name, 15, bold=True)]
    out += [text(12, top + 60 + 15 * n, words, 11) for n, words in enumerate(wrapped(what))]
    out += [text(LEFT_PX - 8, high + 4, gate.positions[1], 11, "end"), text(LEFT_PX - 8, low + 4, "pass", 11, "end")]
    for (from_mm, to_mm), (lead, trail), fill, letter in zip(claims, (A, B), (PART, OTHER), "AB", strict=True):
        out.append(box(from_mm, min(to_mm, TO_MM), parts_y - 6, low - parts_y + 16, CLAIM))
        out.append(box(lead, trail, parts_y, 20, fill, 'rx="3" stroke="#22303c"'))
        out.append(text(x_px((lead + trail) / 2), parts_y + 15, letter, 13, "middle", bold=True))
    return out + trace(gate, claims, low, high) + notes(gate, config, claims, parts_y, low, high)


def wrapped(what: str) -> list[str]:
    words = what.split()
    return [" ".join(words[n : n + 3]) for n in range(0, len(words), 3)]


def trace(gate: GateSettings, claims: list[tuple[float, float]], low: float, high: float) -> list[str]:
    """The gate's position: away for A, back for B."""
    aside = gate.positions[1]
    acts_mm = gate.acts_mm(aside, *claims[0])
    change_s = gate.change_s(gate.rest, aside)
    ramp_s = gate.travel_s - (gate.move_s - change_s)
    lead_mm = (gate.move_s + early_s(gate)) * MM_PER_S
    told_mm = max(acts_mm[0] - lead_mm, FROM_MM)
    back_mm = acts_mm[1] if gate.returns else max(claims[1][0] - lead_mm, claims[0][1])
    out = []
    for start_mm, begin, end in ((told_mm, low, high), (back_mm, high, low)):
        ramp_mm = start_mm + gate.latency_s * MM_PER_S, start_mm + (gate.latency_s + ramp_s) * MM_PER_S
        worst_mm = start_mm + change_s * MM_PER_S
        out.append(line([(x_px(ramp_mm[0]), begin), (x_px(ramp_mm[1]), end)], MOVING, 3))
        out.append(line([(x_px(start_mm), begin), (x_px(ramp_mm[0]), begin)], MOVING, 3, 'stroke-dasharray="3 3"'))
        if worst_mm > ramp_mm[1]:
            out.append(line([(x_px(ramp_mm[1]), end), (x_px(worst_mm), end)], MOVING, 3, 'stroke-dasharray="3 3"'))
        out.append(f'<circle cx="{x_px(start_mm):.1f}" cy="{begin:.1f}" r="4" fill="{MOVING}"/>')
    stands_mm = told_mm + change_s * MM_PER_S
    rests_mm = back_mm + change_s * MM_PER_S
    out.append(line([(x_px(FROM_MM), low), (x_px(told_mm), low)], STANDS))
    if back_mm > stands_mm:
        out.append(line([(x_px(stands_mm), high), (x_px(back_mm), high)], STANDS))
    out.append(line([(x_px(rests_mm), low), (x_px(TO_MM), low)], STANDS))
    return out


def early_s(gate: GateSettings) -> float:
    own = DispatcherSettings()
    return max(own.headroom * gate.move_s, own.least_headroom_s)


def notes(
    gate: GateSettings, config: GateBase, claims: list[tuple[float, float]], parts_y: float, low: float, high: float
) -> list[str]:
    (a_from, a_to), (b_from, _) = claims
    told_mm = max(gate.acts_mm(gate.positions[1], *claims[0])[0] - (gate.move_s + early_s(gate)) * MM_PER_S, FROM_MM)
    y = low + 24
    out = [text(x_px(told_mm) - 7, y - 33, "command", 11, "end", MOVING)]
    if gate.action is Action.STROKE:
        out.append(text(x_px((A[0] + A[1]) / 2), parts_y - 10, f"face {config.face_mm:g} mm", 11, "middle"))
        middle = (A[0] + A[1]) / 2
        out.append(box(middle - gate.reach_mm, middle + gate.reach_mm, parts_y + 22, 4, MOVING))
        out.append(text(x_px(a_to) - 4, high + 18, "back by itself", 11, "end", MOVING))
    elif gate.beyond_mm:
        fall_mm = A[1] + gate.margin_mm
        out.append(line([(x_px(fall_mm), parts_y + 10), (x_px(a_to), parts_y + 10)], INK, 1, 'stroke-dasharray="2 3"'))
        out.append(text(x_px((fall_mm + a_to) / 2), parts_y + 5, "fall_s", 11, "middle"))
    elif gate.returns:
        out.append(text(x_px(a_to) + 8, high + 4, "off at once", 11, "start", MOVING))
    else:
        out += spans(gate, told_mm, y, low, high)
        out.append(text(x_px(a_from) - 4, parts_y + 14, "margin_mm", 11, "end"))
        out.append(text(x_px((a_from + a_to) / 2), parts_y - 10, "A claims the gate: it stands in left", 11, "middle"))
        out.append(text(x_px(b_from) + 6, parts_y - 10, "B claims pass", 11, "start"))
        out.append(text(x_px((a_to + b_from) / 2), parts_y + 14, "free for the gate to move", 11, "middle"))
    return out


def spans(gate: GateSettings, told_mm: float, y: float, low: float, high: float) -> list[str]:
    """The names of the stretches of one movement, with hints of where they are."""
    ramp = told_mm + gate.latency_s * MM_PER_S, told_mm + (gate.latency_s + gate.travel_s) * MM_PER_S
    middle = x_px((ramp[0] + ramp[1]) / 2)
    return [
        text(x_px(ramp[0]) + 2, low + 14, "latency_s", 11, "start", MOVING),
        text(middle - 10, (low + high) / 2 - 2, "travel_s", 11, "end", MOVING),
        text(x_px(ramp[1]) - 6, high - 8, "settle_s + repeatability_s", 11, "end", MOVING),
        line([(x_px(ramp[1]) - 4, high - 10), (x_px(ramp[1]) + 4, high - 3)], MOVING, 1),
    ]


def main() -> None:
    bottom = TOP_PX + len(LANES) * LANE_PX + 18
    width = x_px(TO_MM) + 16
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {bottom + 34:.0f}" width="{width:.0f}" '
        f'height="{bottom + 34:.0f}" font-family="Helvetica, Arial, sans-serif">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        text(12, 26, "What passes a gate, and what the gate does meanwhile", 17, bold=True),
        text(12, 46, f"Belt at {MM_PER_S:g} mm/s. Blue: belt that a part claims. Green: the gate stands. "
             "Orange: it moves, or may still move at worst.", 12),
    ]  # fmt: skip
    for place, each in enumerate(LANES):
        out += lane(place, *each)
    out.append(line([(x_px(FROM_MM), bottom), (x_px(TO_MM), bottom)], INK, 1))
    for mm in range(0, int(TO_MM) + 1, 20):
        out.append(line([(x_px(mm), bottom), (x_px(mm), bottom + 5)], INK, 1))
        out.append(text(x_px(mm), bottom + 19, f"{mm} mm", 11, "middle"))
    out.append(text(12, bottom + 19, "belt travel", 11))
    (Path(__file__).parent / "timing.svg").write_text("\n".join([*out, "</svg>"]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
