"""Charts as SVG text: readable on a phone and on paper, and told apart by dashes and markers as well as by colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 26, 42, 44
LINES = (("#0b5cad", "", "circle"), ("#b3470a", "7 4", "square"), ("#2b6e4f", "2 4", "triangle"))
"""Colour, dashes and marker of each line; the colours have a contrast above 5 : 1 on white."""
GRID, INK = "#d5d9de", "#1c232b"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; `shares` are 0 to 1 and shown in percent."""

    name: str
    x: Sequence[float]
    shares: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Frame:
    """From values to the chart's coordinates."""

    x_from: float
    x_to: float
    y_from: float
    y_to: float

    def u(self, x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (x - self.x_from) / max(self.x_to - self.x_from, 1e-9)

    def v(self, share: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (share - self.y_from) / (self.y_to - self.y_from)


def line_chart(
    alt: str, x_label: str, y_label: str, lines: Sequence[Line], x_ticks: Sequence[float], percent_x: bool = False
) -> str:
    """Lines over a common x axis, the y axis from a round share below the lowest point up to 100 %.

    Args:
        alt: what the chart shows, for those who cannot see it.
        x_label: under the x axis.
        y_label: above the y axis.
        lines: at most three.
        x_ticks: values marked on the x axis; the first and last are its ends.
        percent_x: show x in percent.
    """
    lowest = min(float(min(line.shares)) for line in lines)
    frame = _Frame(x_ticks[0], x_ticks[-1], np.floor(min(lowest, 0.9) * 10) / 10, 1.0)
    body = _axes(frame, x_label, y_label, x_ticks, percent_x)
    for line, style in zip(lines, LINES, strict=False):
        body += _line(frame, line, style)
    return _svg(alt, body + _legend(lines))


def reliability_chart(alt: str, table: NDArray[np.float64]) -> str:
    """Share right by confidence, as bars beside the diagonal on which a calibrated model lies.

    Args:
        alt: what the chart shows, for those who cannot see it.
        table: (bins, 3) share of looks, confidence and share right, of `fits.reliability`.
    """
    frame = _Frame(0, 1, 0, 1)
    body = _axes(frame, "confidence", "share right", (0, 0.2, 0.4, 0.6, 0.8, 1), percent_x=True)
    half = 0.42 / len(table)
    for place, (share, confidence, right) in enumerate(table):
        if share > 0:
            middle = (place + 0.5) / len(table)
            u0, u1, v = frame.u(middle - half), frame.u(middle + half), frame.v(right)
            body += (
                f'<rect x="{u0:.1f}" y="{v:.1f}" width="{u1 - u0:.1f}" height="{frame.v(0) - v:.1f}" fill="#8db8e2"/>'
            )
            body += f'<circle cx="{frame.u(confidence):.1f}" cy="{v:.1f}" r="{2 + 9 * share**0.5:.1f}" fill="#0b5cad"/>'
    body += (
        f'<path d="M{frame.u(0):.1f} {frame.v(0):.1f}L{frame.u(1):.1f} {frame.v(1):.1f}" stroke="{INK}"'
        ' stroke-dasharray="5 4" fill="none"/>'
    )
    return _svg(alt, body)


def _svg(alt: str, body: str) -> str:
    label = escape(alt, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}"><title>{label}</title>{body}</svg>'


def _axes(frame: _Frame, x_label: str, y_label: str, x_ticks: Sequence[float], percent_x: bool) -> str:
    span = frame.y_to - frame.y_from
    step = next(step for step in (0.02, 0.05, 0.1, 0.2) if span <= 6 * step)
    body = ""
    for share in np.arange(frame.y_to, frame.y_from - 1e-9, -step):
        v = frame.v(share)
        body += f'<path d="M{LEFT} {v:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>'
        body += _text(LEFT - 6, v + 4, f"{100 * share:.0f} %", "end")
    for x in x_ticks:
        body += _text(frame.u(x), HEIGHT - BOTTOM + 18, f"{100 * x:.0f} %" if percent_x else f"{x:g}", "middle")
    body += _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label, "middle")
    return body + _text(4, 14, y_label, "start")


def _line(frame: _Frame, line: Line, style: tuple[str, str, str]) -> str:
    colour, dashes, marker = style
    points = [(frame.u(x), frame.v(share)) for x, share in zip(line.x, line.shares, strict=True)]
    path = "L".join(f"{u:.1f} {v:.1f}" for u, v in points)
    body = f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes}"/>'
    return body + "".join(_marker(u, v, colour, marker) for u, v in points[:: max(1, len(points) // 10)])


def _marker(u: float, v: float, colour: str, marker: str) -> str:
    if marker == "circle":
        return f'<circle cx="{u:.1f}" cy="{v:.1f}" r="4" fill="{colour}"/>'
    if marker == "square":
        return f'<rect x="{u - 4:.1f}" y="{v - 4:.1f}" width="8" height="8" fill="{colour}"/>'
    return f'<path d="M{u:.1f} {v - 5:.1f}l5 9h-10z" fill="{colour}"/>'


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) == 1:
        return ""
    body, u = "", LEFT
    for line, (colour, dashes, marker) in zip(lines, LINES, strict=False):
        body += f'<path d="M{u} 28h26" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes}"/>'
        body += _marker(u + 13, 28, colour, marker) + _text(u + 32, 32, line.name, "start")
        u += 50 + round(7.5 * len(line.name))
    return body


def _text(u: float, v: float, text: str, anchor: str) -> str:
    return f'<text x="{u:.1f}" y="{v:.1f}" text-anchor="{anchor}" font-size="13">{escape(text)}</text>'
