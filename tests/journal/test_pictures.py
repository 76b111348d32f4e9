"""The pictures beside the journal: a bounded ring, never waited for."""

from __future__ import annotations

import io
import json
import math
import threading
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InputError
from edge.journal.export import export_journal
from edge.journal.file import Disk
from edge.journal.journal import Journal
from edge.journal.picture_files import picture_of, pictures_folder
from edge.journal.pictures import (
    LONGEST_SIDE_PX,
    PictureRing,
    PictureWriter,
    RingSize,
    encode_jpeg,
)


def picture(side_px: int = 40) -> np.ndarray:
    return np.full((side_px, side_px, 3), 90, np.uint8)


def offer(writer: PictureWriter, part_id: int, side_px: int = 40) -> None:
    if writer.admit(picture(side_px)):
        writer.hand_over(part_id, picture(side_px))


def kept(path) -> list[int]:
    return sorted(int(file.stem) for file in pictures_folder(path).glob("*.jpg"))


def test_the_newest_pictures_are_kept_by_number_and_by_bytes(path):
    jpeg = encode_jpeg(picture())
    ring = PictureRing(pictures_folder(path), RingSize(3, 10 * len(jpeg)))
    for part_id in range(1, 6):
        ring.add(part_id, jpeg)
    assert kept(path) == [3, 4, 5]
    ring = PictureRing(pictures_folder(path), RingSize(10, 2 * len(jpeg)))
    assert ring.last_part_id == 5
    ring.add(6, jpeg)
    assert kept(path) == [5, 6]
    ring.add(7, jpeg * 3)
    assert kept(path) == [5, 6]


def test_no_pictures_can_be_asked_for(path):
    PictureRing(pictures_folder(path), RingSize(0, 1000)).add(1, encode_jpeg(picture()))
    assert not pictures_folder(path).exists()


def test_a_second_picture_of_a_part_takes_the_place_of_the_first(path):
    ring = PictureRing(pictures_folder(path), RingSize())
    ring.add(1, encode_jpeg(picture()))
    ring.add(1, encode_jpeg(picture(60)))
    assert picture_of(path, 1).read_bytes() == encode_jpeg(picture(60))


def test_what_a_power_cut_left_of_a_picture_is_none(path):
    jpeg = encode_jpeg(picture())
    ring = PictureRing(pictures_folder(path), RingSize())
    for part_id, remains in enumerate((jpeg, b"", jpeg[:-20], bytes(len(jpeg)), b"\xff"), 1):
        ring.add(part_id, remains)
    (pictures_folder(path) / "unfinished.tmp").write_bytes(jpeg[:100])
    (pictures_folder(path) / "mine.jpg").write_bytes(jpeg)
    assert [picture_of(path, part_id) is not None for part_id in range(1, 7)] == [True] + [False] * 5
    assert PictureRing(pictures_folder(path), RingSize()).last_part_id == 5
    assert not (pictures_folder(path) / "unfinished.tmp").exists()
    assert (pictures_folder(path) / "mine.jpg").exists()


def test_a_large_picture_is_made_smaller():
    import cv2

    large = np.zeros((LONGEST_SIDE_PX, 3 * LONGEST_SIDE_PX, 3), np.uint8)
    small = cv2.imdecode(np.frombuffer(encode_jpeg(large), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (round(LONGEST_SIDE_PX / 3), LONGEST_SIDE_PX, 3)


def test_the_records_have_the_last_room_on_the_disk(path):
    free_bytes = [10**9]
    warnings: list[str] = []
    ring = PictureRing(pictures_folder(path), RingSize(), lambda _folder: free_bytes[0])
    writer = PictureWriter(ring, warnings.append, threaded=False)
    offer(writer, 1)
    free_bytes[0] = 1_000_000
    offer(writer, 2)
    offer(writer, 3)
    assert (writer.kept, writer.failed, kept(path)) == (1, 2, [1])
    free_bytes[0] = 10**9
    offer(writer, 4)
    writer.close()
    folder = pictures_folder(path)
    assert warnings == [
        f"pictures {folder}: cannot be written (the disk is nearly full): free or replace the disk",
        f"pictures {folder}: are written again, 2 are missing",
        f"pictures {folder}: 2 of 4 could not be kept",
    ]


def test_a_folder_that_cannot_be_written_costs_pictures_but_no_record(path, part):
    pictures_folder(path).write_text("a file of this name")
    warnings: list[str] = []
    with Journal.open(path, warn=warnings.append, threaded=False) as journal:
        journal.keep_picture(journal.append(part()), picture())
        assert journal.flush()
        assert (journal.unsaved, journal.pictures.failed) == (0, 1)
    assert warnings[0].startswith(f"pictures {pictures_folder(path)}: cannot be written (")


class StalledRing(PictureRing):
    """A disk that does not answer until it is told to."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.asked, self.go_on = threading.Event(), threading.Event()

    def add(self, part_id: int, jpeg: bytes) -> None:
        self.asked.set()
        self.go_on.wait(30)
        super().add(part_id, jpeg)


@pytest.mark.parametrize(("side_px", "waiting"), [(40, 63), (1000, 4)])
def test_pictures_that_come_faster_than_the_disk_takes_them_are_dropped_and_counted(path, side_px, waiting):
    warnings: list[str] = []
    ring = StalledRing(pictures_folder(path), RingSize())
    writer = PictureWriter(ring, warnings.append)
    offer(writer, 1, side_px)
    assert ring.asked.wait(30)
    for part_id in range(2, 102):
        offer(writer, part_id, side_px)
    assert writer.missing - writer.dropped == 1 + waiting
    ring.go_on.set()
    writer.close()
    assert (writer.kept, writer.dropped) == (1 + waiting, 100 - waiting)
    assert warnings == [f"pictures {pictures_folder(path)}: {100 - waiting} of 101 could not be kept"]


def test_numbers_go_on_after_the_pictures_where_the_journal_is_gone(path, part):
    with Journal.open(path, threaded=False) as journal:
        for _ in range(3):
            journal.keep_picture(journal.append(part()), picture())
    path.unlink()
    with Journal.open(path, threaded=False) as journal:
        assert journal.append(part()) == 4


def test_a_picture_waits_for_its_record_and_is_dropped_where_the_disk_hangs(path, part):
    class Hanging(Disk):
        asked, go_on = threading.Event(), threading.Event()

        def write(self, fd: int, data: bytes) -> int:
            self.asked.set()
            self.go_on.wait(30)
            return super().write(fd, data)

    disk = Hanging()
    journal = Journal.open(path, disk=disk, queue_records=5)
    journal.append(part())
    assert disk.asked.wait(30)
    for _ in range(3):
        journal.keep_picture(journal.append(part()), picture())
    assert (kept(path), journal.pictures.dropped, journal.lost) == ([], 1, 0)
    disk.go_on.set()
    journal.close()
    assert (kept(path), journal.pictures.missing) == ([2, 3], 1)


@pytest.fixture
def two_parts(path, part) -> Path:
    """A journal with a picture of the first of its two parts."""
    with Journal.open(path, threaded=False) as journal:
        journal.keep_picture(journal.append(part()), picture())
        journal.append(part(probability=math.nan))
    return path


def test_an_export_names_the_pictures_or_copies_them(two_parts, tmp_path):
    def exported(pictures: Path | None) -> list[dict]:
        out = io.StringIO()
        assert export_journal(two_parts, "jsonl", out, pictures) == 2
        return [json.loads(line) for line in out.getvalue().splitlines()]

    named, copied = exported(None), exported(tmp_path / "new" / "copies")
    original, copy = Path(named[0]["picture"]), Path(copied[0]["picture"])
    assert (original.parent, copy.parent) == (pictures_folder(two_parts), tmp_path / "new" / "copies")
    assert copy.read_bytes() == original.read_bytes()
    assert [(row[1]["picture"], row[1]["probability"]) for row in (named, copied)] == [(None, None)] * 2


@pytest.mark.parametrize("folder", ["/proc/no-such-folder", "a file"])
def test_a_folder_that_no_picture_can_be_copied_to_is_told(two_parts, tmp_path, folder):
    (tmp_path / "a file").touch()
    with pytest.raises(InputError, match=r"--pictures .*: cannot be written \(.*\): name another folder"):
        export_journal(two_parts, "csv", io.StringIO(), tmp_path / folder)


def test_a_picture_that_goes_while_it_is_exported_is_left_out(two_parts, tmp_path, monkeypatch):
    def gone(source: Path, _folder: Path) -> str:
        source.unlink()
        raise FileNotFoundError(source)

    monkeypatch.setattr("edge.journal.export.shutil.copy", gone)
    out = io.StringIO()
    assert export_journal(two_parts, "csv", out, tmp_path / "copies") == 2
    assert ".jpg" not in out.getvalue()
