"""The printed sheet that the plane step measures with: a ChArUco board (OpenCV) in true size, with a ruler."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.records import ImageBgr

SQUARES = (16, 11)
CELL_MM, CELLS = 2.0, 8
"""The board lies on a grid: a square is 8 × 8 cells, the mark in it 6 × 6."""
SQUARE_MM = CELL_MM * CELLS
PAGE_MM = (297.0, 210.0)
"""A4, lying; the board and its ruler also fit on US Letter."""
BOARD_AT_MM = (20.5, 12.0)
RULER_MM = 100
POINTS_PER_MM = 72 / 25.4

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]


def board() -> cv2.aruco.CharucoBoard:
    """The board; lengths in mm."""
    marks = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_250)
    return cv2.aruco.CharucoBoard(SQUARES, SQUARE_MM, CELL_MM * (CELLS - 2), marks)


def cells() -> Bytes:
    """(rows, columns) of the board's cells, 255 where the paper is bare."""
    size = (SQUARES[0] * CELLS, SQUARES[1] * CELLS)
    return np.asarray(board().generateImage((size[0] * 4, size[1] * 4)), np.uint8)[2::4, 2::4]


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """Corners of the board found in a picture: their numbers (N,), px (N, 2), and mm (N, 2) on the sheet."""

    ids: NDArray[np.int_]
    px: Doubles
    mm: Doubles


def find_corners(image_bgr: ImageBgr) -> Corners:
    """The board's corners in a picture, however few."""
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    charuco = board()
    px, ids, _, _ = cv2.aruco.CharucoDetector(charuco).detectBoard(grey)
    if ids is None or px is None or not len(ids):
        return Corners(np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)))
    numbers = np.asarray(ids).ravel().astype(int)
    mm = np.asarray(charuco.getChessboardCorners(), np.float64)[numbers, :2]
    return Corners(numbers, np.asarray(px, np.float64).reshape(-1, 2), mm)


def find_marks(image_bgr: ImageBgr) -> dict[int, Doubles]:
    """ArUco marks of the sheet's dictionary (4×4), alone or on a sheet: corners (4, 2) in px by their numbers."""
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    corners, ids, _ = cv2.aruco.ArucoDetector(board().getDictionary()).detectMarkers(grey)
    if ids is None:
        return {}
    numbers = [int(number) for number in np.asarray(ids).ravel()]
    return {number: np.asarray(four, np.float64).reshape(4, 2) for number, four in zip(numbers, corners, strict=True)}


def write_sheet(file: Path) -> None:
    """Writes the sheet as a PDF of one page: black rectangles in true size, which every printer draws sharp.

    Raises:
        InputError: the file cannot be written, or is one that somebody needs.
    """
    if file.suffix.lower() != ".pdf":
        raise InputError(f"{file} is no name for a PDF: call it {file.stem}.pdf")
    if file.exists() and not file.read_bytes()[:4] == b"%PDF":
        raise InputError(f"{file} is there and is no PDF: choose another name")
    try:
        file.write_bytes(_pdf(_content()))
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}): choose another place") from error


def _content() -> bytes:
    """The page's drawing operators (PDF 1.4), in mm from the page's lower left corner."""
    lines = [f"{POINTS_PER_MM:.9f} 0 0 {POINTS_PER_MM:.9f} 0 0 cm", "0 g"]
    left, top = BOARD_AT_MM[0], PAGE_MM[1] - BOARD_AT_MM[1]
    for row, line in enumerate(cells()):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], line < 128, [False]]).astype(int)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            lines.append(
                f"{left + begin * CELL_MM:g} {top - (row + 1) * CELL_MM:g} {(end - begin) * CELL_MM:g} {CELL_MM:g} re"
            )
    lines.append("f")
    lines += _ruler(left, top - SQUARES[1] * SQUARE_MM - 6)
    return "\n".join(lines).encode("ascii")


def _ruler(left: float, top: float) -> list[str]:
    lines = ["0.25 w", f"{left:g} {top:g} m {left + RULER_MM:g} {top:g} l"]
    for mm in range(RULER_MM + 1):
        high = 4 if mm % 10 == 0 else 2.5 if mm % 5 == 0 else 1.5
        lines.append(f"{left + mm:g} {top:g} m {left + mm:g} {top - high:g} l")
    words = (
        f"This ruler must be {RULER_MM} mm long: print at 100 %, not fitted to the page.",
        "Cut the sheet along the edges of its squares so that it lies flat on the belt.",
    )
    lines.append("S")
    for number, line in enumerate(words):
        lines.append(f"BT /F 3.2 Tf {left + RULER_MM + 8:g} {top - 1 - 4.5 * number:g} Td ({line}) Tj ET")
    return lines


def _pdf(content: bytes) -> bytes:
    """A PDF of one page around its content (ISO 32000-1, 7.5)."""
    box = " ".join(f"{side * POINTS_PER_MM:.4f}" for side in PAGE_MM)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {box}] /Contents 4 0 R"
        " /Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>".encode("ascii"),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
