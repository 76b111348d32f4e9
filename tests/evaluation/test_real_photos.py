"""How answers on labelled photographs are scored."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from real_photos import read_labelled, score


def test_an_answer_that_looks_alike_is_told_apart_from_a_right_and_a_wrong_one():
    alike = {"3001": 0, "3002": 1, "72949": 1, "3003": 3}
    found = [["3001", "3003"], ["72949", "3002"], ["3003", "3001"], ["3001", "72949"]]
    scored = score(found, ["3001", "3002", "3001", "3003"], alike)
    assert (scored.first, scored.alike, scored.among) == (0.25, 0.5, 0.75)
    assert scored.mistakes == {("3002", "72949"): 1, ("3001", "3003"): 1, ("3003", "3001"): 1}


def test_photographs_of_unknown_parts_and_wrong_labels_are_left_out(tmp_path):
    (tmp_path / "labels.csv").write_text(
        "file,part_family,view,group,notes\n"
        "a.jpg,3001,front,one,\nb.jpg,3001,back,,\nc.jpg,99,front,two,\nd.jpg,3001,front,three,MISLABELLED: a 3003\n",
        encoding="utf-8",
    )
    kept = read_labelled(tmp_path, {"3001"})
    assert [(photo.file.name, photo.group) for photo in kept] == [("a.jpg", "one"), ("b.jpg", "b.jpg")]
