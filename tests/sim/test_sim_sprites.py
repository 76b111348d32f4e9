"""The shipped sprites: complete, readable, and clear when damaged."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from edge.catalogue.parts import load_starter_parts
from edge.errors import InputError
from edge.sim.sprites import ASSETS, SpriteAtlas

MOST_BYTES = 12 * 1024 * 1024


def test_every_starter_family_is_there_in_likely_poses():
    atlas = SpriteAtlas()
    assert [shape.family for shape in atlas.shapes] == [part.number for part in load_starter_parts()]
    moulds = {part.number: part.ldraw_moulds for part in load_starter_parts()}
    for shape in atlas.shapes:
        assert shape.mould in moulds[shape.family]
        assert 1 <= len(shape.poses) <= 3
        for pose in shape.poses:
            assert pose.probability > 0
            assert 1 < pose.height_mm < 60
            assert len(pose.outline_mm) >= 3
            assert np.abs(pose.outline_mm.min(axis=0) + pose.outline_mm.max(axis=0)).max() < 0.4


@pytest.mark.parametrize("clear", [False, True])
def test_a_sprite_fits_its_outline_when_seen_from_straight_above(clear):
    atlas = SpriteAtlas()
    for shape in atlas.shapes[::10]:
        sprite = atlas.sprite(shape.family, 0, clear, axis=0, tilt=atlas.tilts_deg(clear).index(0.0))
        assert sprite.coverage.shape == sprite.diffuse.shape == sprite.gloss.shape == sprite.shadow.shape
        v, u = np.nonzero(sprite.coverage > 127)
        size_mm = np.array([np.ptp(u) + 1, np.ptp(v) + 1]) * atlas.mm_per_px
        outline_mm = np.ptp(shape.poses[0].outline_mm, axis=0)
        # What is nearer to the camera looks larger, by height ÷ distance.
        larger = 1 / (1 - shape.poses[0].height_mm / atlas.camera_height_mm)
        assert np.all(size_mm > outline_mm - 0.7)
        assert np.all(size_mm < outline_mm * larger + 0.7)


def test_the_rim_of_a_shadow_has_faded_out():
    atlas = SpriteAtlas()
    sprite = atlas.sprite("3001", 0, False, 1, 2)
    rim = np.concatenate([sprite.shadow[0], sprite.shadow[-1], sprite.shadow[:, 0], sprite.shadow[:, -1]])
    assert rim.min() > 240
    assert sprite.shadow.min() < 128


def test_the_sprites_are_small_enough_to_ship_and_carry_their_licence():
    assert sum(file.stat().st_size for file in ASSETS.iterdir()) <= MOST_BYTES
    licence = (ASSETS / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "LDraw" in licence
    assert "CC BY 4.0" in licence


def test_missing_sprites_are_one_line_that_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="brickgate-model sprites") as caught:
        SpriteAtlas(tmp_path)
    assert "\n" not in str(caught.value)


def test_damaged_sprites_are_named_when_they_are_asked_for(tmp_path):
    shutil.copy(ASSETS / "sprites.json", tmp_path)
    (tmp_path / "sprites.bin").write_bytes(bytes(4096))
    with pytest.raises(InputError, match="damaged"):
        SpriteAtlas(tmp_path).sprite("11211", 0, False, 0, 0)
