"""Flatten an LDraw file into triangles, wound counter-clockwise seen from outside.

The format is https://www.ldraw.org/article/218.html, the winding rules https://www.ldraw.org/article/415.html.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.errors import BrickgateError
from quantization.ldraw.library import Library

TOP_STUDS = frozenset({"stud.dat", "studa.dat", "stud10.dat", "stud15.dat", "studp01.dat"})
MAX_DEPTH = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Geometry:
    """A flattened file, in LDraw units (0.4 mm, y down).

    Attributes:
        triangles_ldu: (K, 3, 3) corners.
        studs_ldu: (S, 2, 3): the middle of each closed stud's foot, and the direction into the part.
    """

    triangles_ldu: Floats
    studs_ldu: Floats


@dataclass(slots=True)
class _Faces:
    """What one file holds itself, and what it places."""

    triangles: list[list[float]] = field(default_factory=list)
    placed: list[Geometry] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    """What all of it is read from, or would be if it were there."""


class Parser:
    """Flattens files of one library; what primitives and sub-files flatten to is kept.

    Round primitives are replaced by their finer twins (p/48/) where those exist, so that studs and tubes look
    round.
    """

    def __init__(self, library: Library, fine: bool = True) -> None:
        self.library = library
        self.fine = fine
        self._flat: dict[str, Geometry] = {}
        self._files: dict[str, frozenset[str]] = {}

    def flatten(self, name: str) -> Geometry:
        """Return all triangles of a file and of the files it places.

        Raises:
            BrickgateError: a file is missing, malformed, or places itself.
        """
        return self._flatten(_plain(name), ())

    def files_of(self, name: str) -> frozenset[str]:
        """Return the names of all files that a flattened file depends on, finer twins that are not there included."""
        self.flatten(name)
        return self._files[_plain(name)]

    def _flatten(self, name: str, above: tuple[str, ...]) -> Geometry:
        if name in self._flat:
            return self._flat[name]
        if name in above or len(above) > MAX_DEPTH:
            raise BrickgateError(f"LDraw file {name} places itself")
        faces = _Faces()
        clockwise = inverted = False
        for number, line in enumerate(self.library.read_lines(self._finest(name)), 1):
            words = line.split()
            if not words:
                continue
            if words[0] == "0":
                if len(words) > 2 and words[1] == "BFC":
                    clockwise = "CW" in words or (clockwise and "CCW" not in words)
                    inverted = inverted or "INVERTNEXT" in words
                continue
            try:
                self._add(faces, words, clockwise, inverted, (*above, name))
            except (ValueError, IndexError) as error:
                raise BrickgateError(f"LDraw file {name}, line {number} is malformed: {line.strip()}") from error
            inverted = False
        flat = _join(name, faces)
        self._flat[name] = flat
        self._files[name] = frozenset((*faces.files, name, *self._twins(name)))
        return flat

    def _finest(self, name: str) -> str:
        return next((twin for twin in self._twins(name) if self.library.find(twin)), name)

    def _twins(self, name: str) -> list[str]:
        return [f"48/{name}"] if self.fine and "/" not in name else []

    def _add(self, faces: _Faces, words: list[str], clockwise: bool, inverted: bool, above: tuple[str, ...]) -> None:
        if words[0] == "1":
            if len(words) < 15:
                raise ValueError("a placed file is cut short")
            numbers = np.array([_number(word) for word in words[2:14]])
            name = _plain(" ".join(words[14:]))
            child = self._flatten(name, above)
            faces.files |= self._files[name]
            faces.placed.append(_place(child, numbers[3:].reshape(3, 3), numbers[:3], inverted))
        elif words[0] in ("3", "4"):
            corners = [[_number(w) for w in words[2 + 3 * k : 5 + 3 * k]] for k in range(int(words[0]))]
            if any(len(corner) != 3 for corner in corners):
                raise ValueError("a corner is cut short")
            if clockwise:
                corners.reverse()
            for k in range(1, len(corners) - 1):
                faces.triangles.append(corners[0] + corners[k] + corners[k + 1])


def _plain(name: str) -> str:
    return name.strip().lower().replace("\\", "/")


def _number(word: str) -> float:
    """A coordinate; "nan" and "inf", which Python reads as numbers, are none."""
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is no coordinate")
    return number


def _place(child: Geometry, matrix: Floats, offset: Floats, inverted: bool) -> Geometry:
    """Return a child as its parent places it; a mirror turns the winding over, INVERTNEXT does so again."""
    triangles = child.triangles_ldu @ matrix.T + offset
    if (np.linalg.det(matrix) < 0) != inverted:
        triangles = triangles[:, ::-1]
    studs = child.studs_ldu @ matrix.T
    studs[:, 0] += offset
    return Geometry(triangles, studs)


def _join(name: str, faces: _Faces) -> Geometry:
    own = np.array(faces.triangles, dtype=np.float64).reshape(-1, 3, 3)
    stud = [[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]] if name in TOP_STUDS else []
    studs = [np.array(stud, dtype=np.float64).reshape(-1, 2, 3)]
    if not stud:
        studs += [placed.studs_ldu for placed in faces.placed]
    triangles = [own, *(placed.triangles_ldu for placed in faces.placed)]
    return Geometry(np.concatenate(triangles), np.concatenate(studs))
