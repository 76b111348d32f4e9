"""Labels that were corrected by hand: no picture is labelled twice, and what is wrong is told as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import InputError
from quantization.recipe import Family
from quantization.tiles.captured import CaptureOptions, pack_captures, read_captures
from quantization.tiles.labels import known_parts, label_all, label_by_csv

KNOWN = known_parts([Family(number, (number,), (), number) for number in ("3001", "3003")])
HEADER = "file,part,colour_code,group,mm_per_px,box_px\n"


def labelled(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a.jpg", "b.jpg"):
        (folder / name).touch()
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder / "labels.csv"


def test_a_look_with_two_labels_is_taken_once_and_the_other_is_named(tmp_path):
    file = labelled(tmp_path, HEADER + "a.jpg,3001,,1,,\nb.jpg,3001,,1,,\na.jpg,3003,,2,,\n")
    looks, left_out, unnamed = read_captures([tmp_path], KNOWN)
    assert [(look.file.name, look.part) for look in looks] == [("a.jpg", "3001"), ("b.jpg", "3001")]
    assert (left_out, unnamed) == ([f"{file}:4: a.jpg has its label at {file}:2 already"], 0)


def test_a_folder_that_is_given_twice_is_taken_once(tmp_path):
    labelled(tmp_path / "run-0001", HEADER + "a.jpg,3001,,1,,\n")
    looks, left_out, _ = read_captures([tmp_path, tmp_path / "run-0001", tmp_path], KNOWN)
    assert (len(looks), left_out) == (1, [])


def test_parts_of_two_machines_are_two_groups_though_both_number_their_runs_alike(tmp_path):
    cards = [tmp_path / card / "captures" for card in ("first", "second")]
    for card in cards:
        labelled(card / "run-0001", HEADER + "a.jpg,3001,,7,,\nb.jpg,3001,,7,,\n")
    looks, _, _ = read_captures(cards, KNOWN)
    groups = [look.group for look in looks]
    assert groups[0] == groups[1] == "captures/run-0001/7"
    assert groups[2] == groups[3] != groups[0]


@pytest.mark.parametrize("group_by", ["file", "folder"])
def test_trays_of_two_days_are_two_groups_though_folders_and_pictures_are_called_alike(tmp_path, group_by):
    trays = [tmp_path / day / "3001" / "IMG_0001.jpg" for day in ("monday", "tuesday")]
    trays.insert(1, trays[0].with_name("IMG_0002.jpg"))
    groups = [tray.group for tray in label_all(trays, "3001", KNOWN, group_by, None).trays]
    assert (
        groups
        == {
            "file": ["3001/IMG_0001.jpg", "3001/IMG_0002.jpg", "3001 (2)/IMG_0001.jpg"],
            "folder": ["3001", "3001", "3001 (2)"],
        }[group_by]
    )


def test_a_scale_that_is_wrong_in_all_rows_is_not_said_to_be_a_missing_part(tmp_path):
    labelled(tmp_path, HEADER + 'a.jpg,3001,,1,"0,2",\nb.jpg,3001,,1,"0,2",\n')
    said: list[str] = []
    with pytest.raises(InputError, match=r"^no look of 2 has a usable label: correct what the lines above name$"):
        pack_captures([tmp_path], KNOWN, CaptureOptions(), tmp_path / "set", said.append)
    assert len(said) == 2


def test_a_tray_with_two_labels_is_taken_once_and_the_other_is_named(tmp_path):
    file = labelled(tmp_path, "file,part\na.jpg,3001\n./a.jpg,3003\n")
    labelling = label_by_csv([tmp_path / "a.jpg"], file, KNOWN, "file", None)
    assert [tray.part for tray in labelling.trays] == ["3001"]
    assert labelling.left_out == [f"{file}:3: ./a.jpg has its label in line 2 already"]
