"""A parts library of two boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import BrickgateError
from quantization.render.renderer import Renderer

QUADS = ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (2, 3, 7, 6), (1, 2, 6, 5), (0, 4, 7, 3))
CORNERS = np.array([[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


@pytest.fixture(scope="session")
def opengl() -> None:
    try:
        Renderer(48).close()
    except BrickgateError as error:
        pytest.skip(str(error))


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opengl: None) -> Path:
    folder = tmp_path / "library"
    (folder / "parts").mkdir(parents=True)
    (folder / "p").mkdir()
    for name, size in (("one", 20), ("two", 40)):
        lines = ["0 Box", "0 BFC CERTIFY CCW"]
        for quad in QUADS:
            corners = (CORNERS[list(quad)] * [size, 10, 20])[:, [0, 2, 1]] * [1, -1, 1]
            lines.append("4 16 " + " ".join(f"{value:g}" for value in corners.ravel()))
        (folder / "parts" / f"{name}.dat").write_text("\n".join(lines))
    monkeypatch.setenv("LDRAWDIR", str(folder))
    return folder
