"""The tool that makes the sprites: the same bytes from the same seed, and what it writes can be read."""

from __future__ import annotations

import numpy as np
import pytest

from edge.catalogue.parts import StarterPart
from edge.errors import BrickgateError
from edge.sim.sprites import SpriteAtlas

sprites = pytest.importorskip("quantization.sprites", reason="needs the extra `model`")
from quantization.ldraw.library import library_dir  # noqa: E402

PIN = StarterPart("4274", "Technic Pin 1/2", ("4274",), ())


def test_an_outline_is_convex_around_the_middle_of_its_box():
    corners = np.array([[1, 1, 0], [5, 1, 0], [5, 3, 9], [1, 3, 9], [3, 2, 4]], float)
    outline = np.array(sprites.outline_mm(corners))
    assert {tuple(corner) for corner in outline.tolist()} == {(-2, -1), (2, -1), (2, 1), (-2, 1)}


def test_picture_axes_turn_the_parts_y_upwards():
    triangle = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0]], float)
    assert {tuple(corner) for corner in sprites.outline_mm(triangle)} == {(-2, 1), (2, 1), (-2, -1)}


def test_one_family_is_made_twice_alike_and_read_back(tmp_path, monkeypatch):
    try:
        library_dir()
    except BrickgateError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(sprites, "MOST_POSES", 1)
    told = []
    try:
        sprites.make_sprites([PIN], tmp_path / "one", 7, tmp_path / "meshes", lambda *step: told.append(step))
        sprites.make_sprites([PIN], tmp_path / "two", 7, tmp_path / "meshes")
    except BrickgateError as error:
        pytest.skip(str(error))
    assert told == [(0, 1, "4274")]
    for name in ("sprites.bin", "sprites.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    atlas = SpriteAtlas(tmp_path / "one")
    for clear in (False, True):
        for axis in range(len(atlas.axes_deg(clear))):
            for tilt in range(len(atlas.tilts_deg(clear))):
                sprite = atlas.sprite("4274", 0, clear, axis, tilt)
                assert (sprite.coverage > 127).sum() * atlas.mm_per_px**2 > 20
