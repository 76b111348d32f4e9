"""Reading pictures and manifests: good ones, and each way of being bad."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import InputError
from edge.inference.picture import Picture, read_manifest, read_picture, single_pictures


def noise(height: int = 90, width: int = 120) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_pictures_are_read_as_bgr(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"red{suffix}"
    cv2.imwrite(str(file), np.full((20, 30, 3), (0, 0, 255), np.uint8))
    image = read_picture(file)
    assert image.shape == (20, 30, 3)
    assert image[10, 10, 2] > 250
    assert image[10, 10, 0] < 5


@pytest.mark.parametrize("array", [np.full((9, 9), 7, np.uint8), np.full((9, 9, 4), 7, np.uint8)])
def test_grey_and_transparent_pictures_become_three_channels(tmp_path: Path, array: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), array)
    assert read_picture(tmp_path / "a.png").shape == (9, 9, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_cut_file_is_told(tmp_path: Path, suffix: str, share: float) -> None:
    file = tmp_path / f"cut{suffix}"
    cv2.imwrite(str(file), noise(600, 800))
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=f"cut{suffix} was cut short: copy the picture again"):
        read_picture(file)


@pytest.mark.parametrize("data", [b"", b"GIF", b"a text\n" * 100, bytes(1000)])
def test_no_picture_is_told(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.jpg is no picture"):
        read_picture(file)


def test_a_missing_picture_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png cannot be read \(No such file"):
        read_picture(tmp_path / "gone.png")
    with pytest.raises(InputError, match="cannot be read"):
        read_picture(tmp_path)


def test_a_manifest_groups_rows_in_order(tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    file.write_text("file,group,mm_per_px\na.png,one,0.2\nb.png,,\nc.png,one,\nd.png,,0.5\n", encoding="utf-8")
    groups = read_manifest(file, mm_per_px=0.1)
    assert groups == [
        (Picture(tmp_path / "a.png", 0.2, "a.png"), Picture(tmp_path / "c.png", 0.1, "c.png")),
        (Picture(tmp_path / "b.png", 0.1, "b.png"),),
        (Picture(tmp_path / "d.png", 0.5, "d.png"),),
    ]


def test_a_manifest_may_have_only_files_and_other_columns(tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    file.write_text("\ufeffcolour,file\nred,a.png\n", encoding="utf-8")
    assert read_manifest(file) == [(Picture(tmp_path / "a.png", None, "a.png"),)]


def test_absolute_paths_stay(tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    file.write_text("file\n/pictures/a.png\n", encoding="utf-8")
    assert read_manifest(file) == [(Picture(Path("/pictures/a.png"), None, "/pictures/a.png"),)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no column 'file'"),
        ("picture\na.png\n", r"has no column 'file' \(it has: picture\)"),
        ("file,mm_per_px\na.png,0.2\nb.png,wide\n", r"m\.csv:3: mm_per_px is 'wide'"),
        ("file,mm_per_px\na.png,-1\n", r"m\.csv:2: mm_per_px is '-1'"),
        ("file,mm_per_px\na.png,nan\n", r"mm_per_px is 'nan'"),
        ("file,group\n,one\n", r"m\.csv:2: no file is named"),
    ],
)
def test_a_bad_manifest_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "m.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        read_manifest(file)


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a manifest"):
        read_manifest(tmp_path / "m.csv")


def test_single_pictures_stand_alone() -> None:
    assert single_pictures([Path("a"), Path("b")], 0.3) == [(Picture(Path("a"), 0.3),), (Picture(Path("b"), 0.3),)]
