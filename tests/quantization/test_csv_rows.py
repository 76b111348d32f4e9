"""Lists as spreadsheets and people leave them: what would be lost without a word is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import InputError
from quantization.csv_rows import read_csv


def written(folder: Path, text: str) -> Path:
    file = folder / "labels.csv"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_csv(file, "labels", ("file", "part"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file;part;bin\na.jpg;3001;x\n", "and has file;part;bin: save it with commas instead of semicolons"),
        ("file\tpart\na.jpg\t3001\n", "and has file part: save it with commas instead of tabs"),
        ('"file,part\na.jpg,3001\nb.jpg,3001"\n', "and has file,part a.jpg,3001 b.jpg,3001"),
    ],
)
def test_what_is_there_instead_of_the_columns_is_one_short_line(tmp_path, text, says):
    file = written(tmp_path, text)
    assert refusal(file) == f"{file} has no column 'file': it needs file, part, {says}"


def test_a_whole_file_in_one_cell_is_not_told_whole(tmp_path):
    file = written(tmp_path, '"' + "file,part\n" * 1000 + '"\n')
    assert len(refusal(file)) < 400


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ('file,part\na.jpg,3001\nb.jpg,"3001\nc.jpg,3001\nd.jpg,3001\n', "line 2"),
        ('"file,part\na.jpg,3001\n', "its beginning"),
    ],
)
def test_a_quotation_mark_that_is_never_closed_swallows_no_rows(tmp_path, text, after):
    file = written(tmp_path, text)
    assert refusal(file) == (
        f"{file} cannot be read as labels after {after} (unexpected end of data): is there a quotation mark too many?"
    )


def test_rows_of_nothing_but_commas_are_no_rows(tmp_path):
    assert read_csv(written(tmp_path, "file,part\n,\na.jpg,3001\n , \n\n"), "labels", ("file", "part")) == [
        (3, {"file": "a.jpg", "part": "3001"})
    ]
