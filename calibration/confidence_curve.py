"""Purity against recovery, as the user sees it before choosing: a few lines for the terminal, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calibration.chart import Curve, chart, stack
from edge.config.calibration import WorkingPoint
from edge.records import ImageBgr

BAR = 40
"""Characters of a bar for all parts: a line stays within 80."""
CHOSEN_BGR = (30, 30, 220)


def curve_lines(reached: Mapping[int, WorkingPoint | None], points: Sequence[WorkingPoint]) -> list[str]:
    """A line for each working point on offer with a bar of the parts that are then sorted, under a heading.

    Args:
        reached: by one wrong part in so many, where that is; None: it cannot be promised.
        points: the whole curve.
    """
    lines = ["wrong in the bins    right  sorted right, of the parts that a bin wants"]
    for one_in, point in reached.items():
        label = f"{f'1 in {one_in:,}':<12}{1 / one_in:>6.1%}"
        if point is None:
            lines.append(f"{label}       -  cannot be promised")
        else:
            lines.append(f"{label} {point.purity:>7.2%}  {_bar(point.recovery)} {point.recovery:>4.0%}")
    if None in reached.values():
        best = max(points, key=lambda point: point.purity)
        lines.append(f"The purest there is: {best.purity:.2%} right, {best.recovery:.0%} sorted.")
    return lines


def _bar(share: float) -> str:
    """Plain ASCII: not every terminal has blocks."""
    return ("#" * round(BAR * min(share, 1.0))).ljust(BAR, ".")


def draw_curve(points: Sequence[WorkingPoint], marked: Sequence[WorkingPoint]) -> ImageBgr:
    """Purity against recovery with the marked points in red, and below it both over the threshold."""
    recovery = [100 * one.recovery for one in points]
    wrong = [100 * (1 - one.purity) for one in points]
    least = [one.sure_above for one in points]
    dots = Curve(
        [100 * one.recovery for one in marked], [100 * (1 - one.purity) for one in marked], CHOSEN_BGR, line=False
    )
    title = "wrong parts in the bins, by how many are sorted"
    return stack(
        chart(title, "sorted, %", "%", [Curve(recovery, wrong), dots]),
        chart("sorted parts, by the threshold", "sure_above", "%", [Curve(least, recovery)]),
    )
