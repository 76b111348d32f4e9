"""The sheet's PDF is the board in true size, and its corners are found in pictures of it."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.sheet import CELL_MM, PAGE_MM, SQUARES, board, cells, find_corners, write_sheet
from edge.errors import InputError

PX_PER_MM = 5


def _drawn(pdf: bytes) -> np.ndarray:
    """The page's rectangles as a picture of `PX_PER_MM`, by what the file itself says of its units."""
    text = pdf.decode("latin1")
    per_mm = float(re.search(r"([\d.]+) 0 0 \1 0 0 cm", text)[1])  # type: ignore[index]
    mm = per_mm * 25.4 / 72
    width, height = (round(side * PX_PER_MM) for side in PAGE_MM)
    page = np.full((height, width), 255, np.uint8)
    for rectangle in re.findall(r"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re", text):
        x, y, wide, high = (float(value) * mm for value in rectangle)
        left, right = round(x * PX_PER_MM), round((x + wide) * PX_PER_MM)
        bottom, top = height - round(y * PX_PER_MM), height - round((y + high) * PX_PER_MM)
        page[top:bottom, left:right] = 0
    return page


def test_the_pdf_shows_the_whole_board_in_true_size(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.pdf")
    page = _drawn((tmp_path / "sheet.pdf").read_bytes())
    corners = find_corners(cv2.cvtColor(page, cv2.COLOR_GRAY2BGR))
    assert len(corners.ids) == (SQUARES[0] - 1) * (SQUARES[1] - 1)
    seen, own = np.ptp(corners.px, axis=0) / PX_PER_MM, np.ptp(corners.mm, axis=0)
    assert seen == pytest.approx(own, abs=0.05)


def test_the_page_is_a4_and_says_how_to_print_it(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.pdf")
    text = (tmp_path / "sheet.pdf").read_bytes().decode("latin1")
    assert "/MediaBox [0 0 841.8898 595.2756]" in text
    assert "This ruler must be 100 mm long" in text
    start = int(re.search(r"startxref\n(\d+)", text)[1])  # type: ignore[index]
    assert text[start:].startswith("xref")
    places = [int(place) for place in re.findall(r"(\d{10}) 00000 n", text)]
    assert all(text[place:].startswith(f"{number} 0 obj") for number, place in enumerate(places, start=1))


def test_the_cells_are_those_that_opencv_draws() -> None:
    drawn = board().generateImage((SQUARES[0] * 80, SQUARES[1] * 80))
    assert np.array_equal(np.kron(cells(), np.ones((10, 10), np.uint8)), drawn)
    assert cells().shape == (SQUARES[1] * 8, SQUARES[0] * 8)
    assert CELL_MM == 2.0


def test_an_empty_picture_has_no_corners() -> None:
    assert len(find_corners(np.full((200, 300, 3), 200, np.uint8)).ids) == 0


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_sheet(tmp_path / "none" / "sheet.pdf")
