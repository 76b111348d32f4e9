"""Labelled photographs: which are read, and what is counted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import InputError
from quantization.evaluate.photos import read_photos, score_photos

FAMILIES = ("3001", "3003")
ROWS = """\
file,part_family,view,group,notes
a.png,3001,front,1,
b.png,3001,back,1,
c.png,3003,front,2,
d.png,9999,front,3,
e.png,3003,front,4,MISLABELLED: shows a plate
f.png,3003,back,,
"""


def ignored(line):
    pass


@pytest.fixture
def photos(tmp_path):
    """Pictures whose red is the score of the first family and green that of the second."""
    for name, bgr in zip("abcf", [(0, 40, 200), (0, 120, 110), (0, 90, 100), (0, 200, 0)], strict=True):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((30, 40, 3), bgr, np.uint8))
    (tmp_path / "labels.csv").write_text(ROWS)
    return tmp_path


def by_colour(pictures):
    """(N, 2) logits."""
    return np.log(pictures[:, 16, 16, :2].astype(np.float32) + 1)


def test_families_that_the_model_knows_are_read(photos):
    read = read_photos(photos, FAMILIES, ignored)
    assert [(p.file.name, p.family, p.view, p.group) for p in read] == [
        ("a.png", 0, "front", "1"),
        ("b.png", 0, "back", "1"),
        ("c.png", 1, "front", "2"),
        ("f.png", 1, "back", "f.png"),
    ]


def test_photographs_of_other_parts_are_counted(photos):
    said = []
    read_photos(photos, FAMILIES, said.append)
    assert said == [f"{photos}/labels.csv: 1 of 6 photos show parts not in this model (9999): left out"]


def test_photographs_are_scored_in_their_order(photos):
    scores = score_photos(read_photos(photos, FAMILIES, ignored), by_colour, 32, batch=3)
    assert scores.logits.argmax(1).tolist() == [0, 1, 0, 1]
    assert scores.families.tolist() == [0, 0, 1, 1]
    assert scores.views.tolist() == ["front", "back", "front", "back"]
    assert scores.groups.tolist() == ["1", "1", "2", "f.png"]


def test_what_cannot_be_used_is_named(photos, tmp_path):
    with pytest.raises(InputError, match=r"labels\.csv: none of its 6 photos shows a part of this model"):
        read_photos(photos, ("3024",), ignored)
    with pytest.raises(InputError, match=r"labels\.csv cannot be read as .*s \(No such file or directory\): save"):
        read_photos(tmp_path / "none", FAMILIES, ignored)
    (tmp_path / "labels.csv").write_text("file,part_family\na.png,3001\n")
    with pytest.raises(InputError, match=r"has no column 'view': it needs file, part_family, view, group"):
        read_photos(photos, FAMILIES, ignored)
    (tmp_path / "labels.csv").write_text(ROWS)
    (photos / "f.png").unlink()
    with pytest.raises(InputError, match=r"labels\.csv names .*f\.png, which is not there: correct the labels"):
        read_photos(photos, FAMILIES, ignored)
    (tmp_path / "labels.csv").write_bytes(ROWS.replace("shows a", "für").encode("latin-1"))
    with pytest.raises(InputError, match=r"labels\.csv cannot be read as labels of photographs \('utf-8' codec"):
        read_photos(photos, FAMILIES, ignored)
    (tmp_path / "labels.csv").write_text(ROWS.replace("f.png,3003,back,,\n", ""), encoding="utf-8-sig")
    (photos / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.png is no picture that OpenCV can read: remove it from the set"):
        score_photos(read_photos(photos, FAMILIES, ignored), by_colour, 32)


def test_a_photograph_that_is_named_twice_counts_once_and_not_as_two_parts(photos):
    labels = photos / "labels.csv"
    labels.write_text(ROWS + "./a.png,3001,front,1,\n")
    assert [p.file.name for p in read_photos(photos, FAMILIES, ignored)] == ["a.png", "b.png", "c.png", "f.png"]
    labels.write_text(ROWS + "./a.png,3003,front,1,\n")
    with pytest.raises(InputError) as error:
        read_photos(photos, FAMILIES, ignored)
    assert str(error.value) == (
        f"{labels}:8: ./a.png has part_family '3003' here and '3001' in line 2: take one of these rows out"
    )
