"""Pictures are read as they are, a window at a time, and damage is named by its place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import InputError
from quantization.tiles import tiff
from quantization.tiles.picture import WholePicture, open_picture

SIZE = (300, 220)


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (64, 48), "bigtiff": True, "compression": "zlib"},
        {"tile": (64, 64), "compression": "zlib", "predictor": True},
        {"rowsperstrip": 13, "compression": "zlib"},
        {"rowsperstrip": 13},
        {},
        {"byteorder": ">", "tile": (32, 32)},
        {"compression": "lzw", "tile": (96, 96)},
    ],
)
def test_every_layout_of_tiff_gives_the_same_pixels(tmp_path, image, write_tiff, options):
    file = write_tiff(tmp_path / "a.tif", image, **options)
    with open_picture(file) as picture:
        assert (picture.width_px, picture.height_px) == SIZE
        for left, top, width, height in ((0, 0, *SIZE), (37, 61, 100, 120), (290, 210, 10, 10), (5, 0, 1, 220)):
            expected = image[top : top + height, left : left + width]
            assert np.array_equal(picture.read(left, top, width, height), expected)


def test_grey_sixteen_bits_and_alpha_become_blue_green_red(tmp_path, image, write_tiff):
    grey = image[..., 0]
    with open_picture(write_tiff(tmp_path / "g.tif", grey.astype(np.uint16) * 257, tile=(64, 64))) as picture:
        assert np.array_equal(picture.read(9, 9, 50, 50), np.repeat(grey[9:59, 9:59, None], 3, axis=2))
    with open_picture(write_tiff(tmp_path / "w.tif", grey, photometric="miniswhite")) as picture:
        assert np.array_equal(picture.read(0, 0, 20, 20)[..., 0], 255 - grey[:20, :20])
    tifffile = pytest.importorskip("tifffile")
    rgba = np.dstack([image[..., ::-1], np.full(image.shape[:2], 7, np.uint8)])
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"], tile=(64, 64))
    with open_picture(tmp_path / "a.tif") as picture:
        assert np.array_equal(picture.read(0, 0, *SIZE), image)


def test_grey_of_sixteen_bits_in_a_png_keeps_its_shades(tmp_path, image):
    """Pillow itself would make all of it white that is brighter than 1 in 256."""
    grey = image[..., 0]
    cv2.imwrite(str(tmp_path / "g.png"), grey.astype(np.uint16) * 257)
    with open_picture(tmp_path / "g.png") as picture:
        assert np.array_equal(picture.read(0, 0, *SIZE), np.repeat(grey[..., None], 3, axis=2))


def test_a_pyramid_is_used_where_it_serves(tmp_path, image, write_tiff, monkeypatch):
    """The levels hold other pictures here, so that what was read tells the level."""
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "p.svs", bigtiff=True) as writer:
        for times, value in ((1, 10), (4, 40), (16, 160)):
            level = np.full((640 // times, 960 // times, 3), value, np.uint8)
            options = {"subifds": 2} if times == 1 else {"subfiletype": 1}
            writer.write(level, photometric="rgb", tile=(64, 64), **options)
    with open_picture(tmp_path / "p.svs") as picture:
        assert (picture.width_px, picture.height_px) == (960, 640)
        read = {times: picture.shrunk(0, 0, 960, 640, times) for times in (1, 2, 4, 8, 16, 32)}
    assert {times: int(small.max()) for times, small in read.items()} == {1: 10, 2: 10, 4: 40, 8: 40, 16: 160, 32: 160}
    assert read[8].shape == (80, 120, 3)


@pytest.mark.parametrize(
    ("further", "unread"),
    [([(300, 220)], 1), ([(300, 220), (300, 220)], 2), ([(290, 230)], 1), ([(75, 55), (60, 60)], 0), ([], 0)],
)
def test_a_scanners_other_sheets_are_counted_and_previews_are_not(tmp_path, image, further, unread):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "sheets.tif") as sheets:
        for width, height in [SIZE, *further]:
            sheets.write(np.zeros((height, width, 3), np.uint8), photometric="rgb", compression="zlib", metadata=None)
    with open_picture(tmp_path / "sheets.tif") as opened:
        assert (opened.unread, opened.width_px) == (unread, SIZE[0])


@pytest.mark.parametrize("times", [1, 2, 3, 7])
def test_shrinking_in_blocks_is_shrinking_at_once(tmp_path, write_tiff, monkeypatch, times):
    monkeypatch.setattr(tiff, "BLOCK_PX", 64)
    ramp = np.linspace(0, 255, 300)[None, :, None] * np.ones((220, 1, 3))
    with open_picture(write_tiff(tmp_path / "a.tif", ramp.astype(np.uint8), tile=(48, 48))) as picture:
        small = picture.shrunk(12, 20, 203, 150, times)
    whole = ramp[20:170, 12:215].astype(np.uint8)
    size = (-(-203 // times), -(-150 // times))
    expected = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    assert small.shape == expected.shape
    assert np.abs(small.astype(int) - expected).max() <= 3


def test_jpeg_and_png_are_turned_upright_by_their_exif(tmp_path):
    from PIL import Image

    picture = Image.new("RGB", (40, 20), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.jpg", exif=exif)
    with open_picture(tmp_path / "a.jpg") as opened:
        assert isinstance(opened, WholePicture)
        assert (opened.width_px, opened.height_px) == (20, 40)
        assert opened.read(3, 3, 1, 1)[0, 0].argmax() == 2


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_picture_that_is_cut_short_is_named(tmp_path, image, suffix):
    file = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(file), image)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(InputError, match=rf"a\.{suffix} cannot be decoded: .*truncated"):
        open_picture(file)


def test_a_tiff_that_is_cut_short_is_named_by_place(tmp_path, image, write_tiff):
    file = write_tiff(tmp_path / "a.tif", image, tile=(64, 64), compression="zlib")
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(file) as opened:
        offsets, counts = opened.pages[0].dataoffsets, opened.pages[0].databytecounts
    data = bytearray(file.read_bytes())
    data[offsets[6] + 4 : offsets[6] + counts[6]] = bytes(counts[6] - 4)
    file.write_bytes(data[: offsets[-1] + 10])
    with open_picture(file) as picture:
        assert np.array_equal(picture.read(0, 0, 64, 64), image[:64, :64])
        with pytest.raises(InputError, match=r"a\.tif, block at 64, 64 px, cannot be decoded"):
            picture.read(70, 70, 5, 5)
        with pytest.raises(InputError, match=r"a\.tif, block at 256, 192 px, is missing: the file is cut short"):
            picture.read(280, 200, 10, 10)


@pytest.mark.parametrize("data", [b"", b"II*\0", b"no picture at all"])
def test_what_is_no_tiff_is_one_line(tmp_path, data):
    file = tmp_path / "a.tif"
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.tif is no TIFF that can be read") as caught:
        open_picture(file)
    assert "\n" not in str(caught.value)


def test_pixels_of_another_kind_are_refused(tmp_path, write_tiff):
    file = write_tiff(tmp_path / "a.tif", np.zeros((30, 30), np.float32))
    with pytest.raises(InputError, match=r"holds pixels of float32 × 1"):
        open_picture(file)


def test_what_would_need_too_much_memory_is_refused_before_it_is_decoded(tmp_path, image, write_tiff, monkeypatch):
    monkeypatch.setattr("quantization.tiles.picture.MOST_WHOLE_PX", 1000)
    monkeypatch.setattr(tiff, "MOST_BLOCK_BYTES", 1000)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    with pytest.raises(InputError, match=r"a\.png has 300×220 px, and a PNG is decoded as a whole: save it as a tiled"):
        open_picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"is stored in blocks of 300×220 px"):
        open_picture(write_tiff(tmp_path / "a.tif", image, compression="zlib", rowsperstrip=220))


def test_the_cache_keeps_to_its_bytes():
    cache = tiff._Cache(1000)
    for number in range(9):
        cache.put((0, number), np.zeros((10, 10, 3), np.uint8))
        cache.get((0, 0))
    assert cache.get((0, 0)) is not None
    assert [number for number in range(9) if cache.get((0, number)) is not None] == [0, 7, 8]
