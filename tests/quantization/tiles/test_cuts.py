"""Tiles and parts are cut where they lie, whole, and what is left out is counted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import InputError
from quantization.tiles import cut as cutting
from quantization.tiles.background import named_background
from quantization.tiles.blobs import BlobFinder
from quantization.tiles.cut import BARE, BORDER, CUT_OFF, SPECK, TOUCHING, Losses, cut_parts, cut_tiles, find_blobs
from quantization.tiles.find_background import find_background
from quantization.tiles.picture import WholePicture, open_picture


class Remembered:
    """A picture that remembers the largest window that it was asked for."""

    def __init__(self, picture):
        self._picture, self.largest_px = picture, 0
        self.width_px, self.height_px = picture.width_px, picture.height_px

    def read(self, left, top, width, height):
        assert left >= 0
        assert top >= 0
        assert left + width <= self.width_px
        assert top + height <= self.height_px
        self.largest_px = max(self.largest_px, width * height)
        return self._picture.read(left, top, width, height)

    def shrunk(self, left, top, width, height, times):
        self.largest_px = max(self.largest_px, width * height // times**2)
        return self._picture.shrunk(left, top, width, height, times)


@pytest.fixture
def opened(tmp_path):
    def write_and_open(image):
        cv2.imwrite(str(tmp_path / "a.png"), image)
        return WholePicture(tmp_path / "a.png")

    return write_and_open


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(0.05, 0.7),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
)  # fmt: skip
def test_blobs_are_whole_wherever_bands_end(seed, height, width, density, bands):
    mask = (np.random.default_rng(seed).random((height, width)) < density).astype(np.uint8)
    finder, found, top = BlobFinder(1), [], 0
    for band in bands:
        if top < height:
            found += finder.add(mask[top : top + band])
            top += band
    if top < height:
        found += finder.add(mask[top:])
    found += finder.finish()
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    expected = sorted((u, v, u + w, v + h, a) for u, v, w, h, a in stats[1:].tolist())
    assert sorted((b.left, b.top, b.right, b.bottom, b.area) for b in found) == expected


def test_folds_and_dust_are_specks():
    mask = np.zeros((60, 60), np.uint8)
    mask[10, 2:50] = 1
    mask[30:34, 30:34] = 1
    mask[40:55, 20:50] = 1
    finder = BlobFinder(12)
    blobs = finder.add(mask) + finder.finish()
    assert [(b.left, b.top) for b in blobs] == [(20, 40)]
    assert finder.specks == 2


@pytest.mark.parametrize("covered", [0.0, 0.3, 1.0])
def test_an_unevenly_lit_background_is_found_under_any_parts(opened, tray, covered):
    """Each pixel of the background must be known as such and none of the bricks, also where these are the most."""
    boxes = [
        (left, top, left + 68, top + 68)
        for k, (left, top) in enumerate((u, v) for v in range(6, 720, 80) for u in range(6, 920, 80))
        if k % 10 < covered * 10
    ]
    image = tray(1000, 800, boxes)
    background = find_background(opened(image))
    truth = np.zeros(image.shape[:2], np.bool_)
    for left, top, right, bottom in boxes:
        truth[top:bottom, left:right] = True
    found = background.foreground(image, 0, 0) > 0
    assert (found != truth).mean() < 0.001
    red, green, blue = (int(background.colour[k : k + 2], 16) for k in (1, 3, 5))
    assert max(abs(red - 187), abs(green - 185), abs(blue - 179)) < 8


def test_a_window_of_the_background_fits_into_the_whole(opened, tray):
    image = tray(900, 700, [(300, 300, 400, 380)])
    background = find_background(opened(image))
    whole = background.foreground(image, 0, 0)
    part = background.foreground(image[250:450, 280:500], 280, 250)
    assert np.array_equal(part, whole[250:450, 280:500])
    small = cv2.resize(image[250:450, 280:500], (55, 50), interpolation=cv2.INTER_AREA)
    assert background.bare_share(small, 280, 250, 4) == pytest.approx(1 - part.mean(), abs=0.02)


def test_noise_has_no_background(opened):
    image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    assert find_background(opened(cv2.resize(image, None, fx=12, fy=12, interpolation=cv2.INTER_NEAREST))) is None


def test_a_background_can_be_named(opened, tray):
    picture = opened(tray(400, 400, []))
    assert named_background("#0a0B0c", picture).colour == "#0A0B0C"
    assert named_background("000000", picture).bare_share(picture.read(0, 0, 50, 50), 0, 0) == 0
    with pytest.raises(InputError, match="--background is 'white': give a colour as RRGGBB"):
        named_background("white", picture)


def test_tiles_do_not_overlap_and_bare_ones_are_left_out(opened, tray):
    image = tray(1010, 530, [(5, 15, 105, 115), (205, 15, 305, 60), (405, 15, 505, 75), (905, 415, 1005, 515)])
    losses = Losses()
    picture = Remembered(opened(image))
    background = find_background(picture)
    tiles = list(cut_tiles(picture, 100, background, losses))
    assert [tile.box_px for tile in tiles] == [
        (5, 15, 105, 115),
        (405, 15, 505, 115),
        (905, 415, 1005, 515),
    ]
    for tile in tiles:
        left, top, right, bottom = tile.box_px
        assert np.array_equal(tile.image, image[top:bottom, left:right])
    assert losses.counts == {BARE: 47, BORDER: 16}
    shares: list[float] = []
    assert len(list(cut_tiles(picture, 100, None, Losses(), shares.append))) == 50
    assert shares == pytest.approx([(15 + 100 * row) / 530 for row in range(5)])


BOXES = [(40 + 170 * k, 250 + 3 * k, 120 + 170 * k, 300 + 3 * k) for k in range(9)]


@pytest.mark.parametrize("rows", [7, 64, 256])
def test_parts_are_cut_out_whole_across_window_borders(opened, tray, monkeypatch, rows):
    """The parts lie across the border at row 256, and across any other."""
    monkeypatch.setattr(cutting, "BAND_ROWS", rows)
    monkeypatch.setattr(cutting, "BLOCK_PX", 100)
    image = tray(1600, 600, [*BOXES, (0, 100, 60, 140), (800, 20, 1100, 160), (1500, 500, 1505, 506)])
    losses = Losses()
    picture = opened(image)
    shares: list[float] = []
    parts = list(cut_parts(picture, find_background(picture), 24, losses, shares.append))
    assert [part.box_px for part in parts] == BOXES
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.9 < shares[-1] < 1
    for part in parts:
        left, top, right, bottom = part.box_px
        assert part.image.shape == (104, 104, 3)
        assert np.array_equal(part.image[27:77, 12:92], image[top:bottom, left:right])
    assert losses.counts == {SPECK: 1, CUT_OFF: 1, TOUCHING: 1}


@pytest.mark.parametrize("gap", range(248, 260))
def test_a_gap_that_is_closed_is_closed_across_bands_too(opened, gap):
    """Four bare rows in a part, above, on and below the border of two bands."""
    image = np.full((600, 80, 3), 210, np.uint8)
    image[200:300, 20:40] = (30, 30, 200)
    image[gap : gap + 4] = 210
    picture = opened(image)
    (blob,) = find_blobs(picture, named_background("D2D2D2", picture), 8, Losses())
    assert (blob.top, blob.bottom) == (200, 300)


def test_a_large_picture_is_searched_shrunk_and_cut_in_full(tmp_path, tray, write_tiff, monkeypatch):
    """What a window may hold does not grow with the picture: here 60 rows of it, and what one part needs."""
    monkeypatch.setattr(cutting, "SEARCH_PX", 400)
    monkeypatch.setattr(cutting, "BAND_ROWS", 20)
    monkeypatch.setattr(cutting, "BLOCK_PX", 256)
    image = tray(2400, 1800, [(left, top, left + 90, top + 60) for top in range(50, 1700, 130) for left in (60, 1990)])
    with open_picture(write_tiff(tmp_path / "a.tif", image, tile=(128, 128), bigtiff=True)) as opened:
        picture = Remembered(opened)
        parts = list(cut_parts(picture, find_background(picture), 24, Losses()))
    assert len(parts) == 26
    found = sorted(parts, key=lambda part: (part.box_px[3] // 130, part.box_px[0]))
    for part, (top, left) in zip(found, ((v, u) for v in range(50, 1700, 130) for u in (60, 1990)), strict=True):
        assert np.abs(np.array(part.box_px) - (left, top, left + 90, top + 60)).max() <= 6
    assert picture.largest_px <= 256 * 256
    assert picture.largest_px < 0.02 * 2400 * 1800


def test_what_a_damaged_block_hides_is_left_out_and_the_rest_is_kept(tmp_path, tray, write_tiff, monkeypatch):
    monkeypatch.setattr(cutting, "BLOCK_PX", 128)
    boxes = [(left, top, left + 70, top + 50) for top in (40, 300, 560) for left in (40, 300, 560)]
    file = write_tiff(tmp_path / "a.tif", tray(768, 768, boxes), tile=(128, 128), compression="zlib")
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(file) as opened:
        offset, count = opened.pages[0].dataoffsets[14], opened.pages[0].databytecounts[14]
    data = bytearray(file.read_bytes())
    data[offset : offset + count] = bytes(count)
    file.write_bytes(data)
    losses = Losses()
    with open_picture(file) as picture:
        background = find_background(picture)
        assert [p.box_px for p in cut_parts(picture, background, 24, losses)] == [b for b in boxes if b != boxes[4]]
        assert len(list(cut_tiles(picture, 128, None, losses))) == 35
    assert losses.damaged
    assert all("block at 256, 256 px, cannot be decoded" in line for line in losses.damaged)
