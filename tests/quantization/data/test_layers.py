"""Reading shards of renders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import InputError
from quantization.data.layers import HULL_POINTS, encode_layers_png, hull_of, open_layers
from quantization.data.shards import ShardWriter


def test_a_set_is_read_shard_by_shard(renders):
    looks = open_layers(renders)
    assert (len(looks), looks.families) == (12, ("3001", "3003"))
    assert looks.family.tolist() == [0, 1] * 6
    assert looks.elevation_deg[:6].tolist() == [90, 90, 90, 30, 30, 30]
    first, second = looks.picture(0), looks.picture(6)
    assert first[14, 8, 3] == 255
    assert (second[14, 8, 3], second[14, 9, 3]) == (0, 255)
    assert (looks.picture(7)[..., 3] > 0).sum() == 20 * 20


def test_an_unfinished_shard_is_left_out(renders):
    (renders / "layers-00001.tar").rename(renders / ".layers-00001.tar.7.part")
    assert len(open_layers(renders)) == 6


def test_a_set_without_a_finished_shard_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"holds no finished shard of renders: run 'brickgate-model render' first"):
        open_layers(tmp_path)


def test_hulls_are_the_corners_of_the_covered_area(renders):
    hull = open_layers(renders).hulls[0]
    assert hull.shape == (HULL_POINTS, 2)
    assert (hull.min(axis=0).tolist(), hull.max(axis=0).tolist()) == ([8, 14], [39, 23])


def test_a_look_holds_all_that_is_known(renders):
    looks = open_layers(renders)
    look = looks.look(7)
    assert (look.transparent, look.elevation_deg) == (False, 90.0)
    assert np.array_equal(look.layers, looks.picture(7))
    assert np.array_equal(look.hull, hull_of(look.layers[..., 3]))


def test_layers_are_packed_without_loss():
    layers = np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8)
    read = cv2.imdecode(np.frombuffer(encode_layers_png(layers), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA), layers)


def write_one(folder: Path, picture: bytes, **label: object) -> Path:
    folder.mkdir()
    (folder / "set.json").write_text('{"families": ["3001"]}')
    with ShardWriter(folder, "layers", 1) as writer:
        writer.add("k", picture, "png", {"part": "3001", "source": "render", "kind": "layers"} | label)
    return folder


def test_what_is_not_a_set_of_layers_is_named(tmp_path):
    grey = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
    for name, picture in (("text", b"not a picture"), ("grey", grey)):
        looks = open_layers(write_one(tmp_path / name, picture))
        with pytest.raises(InputError, match=r"the sample at byte 512 of .* is not a picture of four layers"):
            looks.picture(0)
        with pytest.raises(InputError, match="has no hull_px in its label"):
            _ = looks.hulls[0]
    with pytest.raises(InputError, match="holds coloured pictures, not layers"):
        open_layers(write_one(tmp_path / "pictures", grey, kind="picture"))
    with pytest.raises(InputError, match=r"shows 3002, which its set\.json does not name"):
        open_layers(write_one(tmp_path / "strange", grey, part="3002"))
    (tmp_path / "grey" / "set.json").unlink()
    with pytest.raises(InputError, match=r"set\.json is missing or damaged: run 'brickgate-model render' again"):
        open_layers(tmp_path / "grey")


def test_the_hull_of_nothing_is_the_middle():
    assert (hull_of(np.zeros((40, 40), np.uint8)) == 20).all()


def test_a_round_hull_is_thinned_evenly():
    v, u = np.mgrid[:400, :400]
    disc = (((u - 200) ** 2 + (v - 200) ** 2) < 150**2).astype(np.uint8) * 255
    radii = np.linalg.norm(hull_of(disc) - 200, axis=1)
    assert radii.min() > 148
    assert len(np.unique(hull_of(disc), axis=0)) == HULL_POINTS
