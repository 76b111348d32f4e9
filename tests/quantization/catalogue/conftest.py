"""A small LDraw library: parts made of boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Box = tuple[float, float, float, float, float, float]
"""x, y, z of two corners, in LDraw units."""


def box_lines(box: Box) -> list[str]:
    """The six sides of a box, counter-clockwise from outside."""
    x0, y0, z0, x1, y1, z1 = box
    corner = [(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)]
    faces = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    return ["4 16 " + " ".join(f"{c:g}" for at in face for c in corner[at]) for face in faces]


def part_text(
    title: str, boxes: Sequence[Box] = (), kind: str = "Part UPDATE 2024-01", more: Sequence[str] = ()
) -> str:
    header = [f"0 {title}", f"0 !LDRAW_ORG {kind}", "0 BFC CERTIFY CCW", *(f"0 {line}" for line in more), ""]
    return "\n".join([*header, *(line for box in boxes for line in box_lines(box))]) + "\n"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """An empty library."""
    for sub in ("parts", "p"):
        (tmp_path / "ldraw" / sub).mkdir(parents=True)
    return tmp_path / "ldraw"


@pytest.fixture
def add_part(library: Path) -> Callable[..., Path]:
    def add(number: str, title: str, *boxes: Box, kind: str = "Part UPDATE 2024-01", more: Sequence[str] = ()) -> Path:
        file = library / "parts" / f"{number}.dat"
        file.write_text(part_text(title, boxes, kind, more), encoding="utf-8")
        return file

    return add
