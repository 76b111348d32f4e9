"""A power cut at any call to the disk: what was saved is there, whatever the card made of the rest."""

from __future__ import annotations

import errno
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.journal.file import Disk
from edge.journal.journal import Journal
from edge.journal.read import read_journal

MAX_MB = 8 * 4 * 470 / 1e6
"""Eight files of about four records."""
MOST_PARTS = 20


class PowerCut(BaseException):
    """The power fails within a call to the disk."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What the card has of what was not synced: the directory as it was after so many changes, and of each file's new
    bytes a share, of which the file system may have kept the length but not the contents."""

    directory_changes: int
    kept: float
    zeros: str
    """Where zeros stand for what was lost: "none" (the file is shorter), "tail" or "front"."""


class Card(Disk):
    """A real folder, and beside it what of it is durable: contents since a file's last sync, names since the folder's.

    The directory's changes become durable in their order, as on any journaling file system (ext4), but possibly none of
    them before the folder is synced, although the files are.
    """

    def __init__(self, folder: Path, calls_left: int) -> None:
        self.folder, self.calls_left = folder, calls_left
        self.synced: dict[int, bytes] = {}
        self.directories: list[dict[str, int]] = [{}]
        """Name to inode, as durable, and after each change since."""

    def write(self, fd: int, data: bytes) -> int:
        self._note_names()
        if self._cut():
            super().write(fd, data[: len(data) // 2])
            raise PowerCut
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._note_names()
        if self._cut():
            raise PowerCut
        self.synced[os.fstat(fd).st_ino] = os.pread(fd, 1 << 24, 0)

    def rename(self, source: Path, target: Path) -> None:
        self._note_names()
        if self._cut():
            raise PowerCut
        super().rename(source, target)
        self._note_names()

    def sync_folder(self, folder: Path) -> None:
        self._note_names()
        if self._cut():
            raise PowerCut
        self.directories = [self.directories[-1]]

    def _cut(self) -> bool:
        self.calls_left -= 1
        return self.calls_left < 0

    def _note_names(self) -> None:
        names = {file.name: file.stat().st_ino for file in self.folder.iterdir() if file.is_file()}
        if names != self.directories[-1]:
            self.directories.append(names)

    def leave(self, folder: Path, aftermath: Aftermath) -> None:
        """Puts into `folder` what is found there after the cut."""
        contents = {file.stat().st_ino: file.read_bytes() for file in self.folder.iterdir() if file.is_file()}
        names = self.directories[min(aftermath.directory_changes, len(self.directories) - 1)]
        for name, inode in names.items():
            synced = self.synced.get(inode, b"")
            new = contents.get(inode, synced)[len(synced) :]
            length = round(aftermath.kept * len(new))
            remains = {
                "none": new[:length],
                "tail": new[:length] + bytes(len(new) - length),
                "front": bytes(len(new) - length) + new[len(new) - length :],
            }
            (folder / name).write_bytes(synced + remains[aftermath.zeros])


class BalkingFolder(Card):
    """Refuses to sync its folder as long as it is told to."""

    balks = False

    def sync_folder(self, folder: Path) -> None:
        if self.balks:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync_folder(folder)


aftermaths = st.builds(Aftermath, st.integers(0, 12), st.floats(0, 1), st.sampled_from(["none", "tail", "front"]))


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 90), st.lists(st.integers(1, 4), min_size=1, max_size=MOST_PARTS // 4), aftermaths)
def test_what_was_saved_before_a_power_cut_is_there_and_numbers_go_on(part, calls, batches, aftermath):
    with tempfile.TemporaryDirectory() as name:
        before, after = Path(name) / "before", Path(name) / "after"
        before.mkdir()
        after.mkdir()
        card, saved = Card(before, calls), 0
        try:
            journal = Journal.open(before / "journal.jsonl", MAX_MB, threaded=False, disk=card)
            for batch in batches:
                newest = [journal.append(part()) for _ in range(batch)][-1]
                journal.append(part(newest, bin="r1"))
                saved = newest if journal.flush() else saved
        except PowerCut:
            pass
        card.leave(after, aftermath)
        check_what_is_left(after / "journal.jsonl", saved, part)


def check_what_is_left(path, saved, part):
    warnings: list[str] = []
    journal = Journal.open(path, MAX_MB, warnings.append, threaded=False)
    number = journal.append(part())
    journal.close()
    records = {record.part_id: record for record in read_journal(path)}
    assert set(range(1, saved + 1)) <= records.keys()
    assert number == max(records) > saved
    assert saved == 0 or records[saved].bin == "r1"
    assert all("damaged" in line for line in warnings)
    repaired: list[str] = []
    list(read_journal(path, repaired.append))
    assert repaired == []


def test_a_new_file_that_no_folder_knows_of_is_not_waited_for(path, part):
    """Turned to a new file, written and synced it, but the folder was not: all of that is in no directory."""
    disk = Card(path.parent, 10**6)
    journal = Journal.open(path, MAX_MB, threaded=False, disk=disk)
    for _ in range(5):
        journal.append(part())
    journal.flush()
    assert journal.append(part()) == 6
    assert path.with_name("journal.jsonl.1").exists()
    path.unlink()
    assert Journal.open(path, MAX_MB, threaded=False).append(part()) == 6


def test_a_new_file_whose_folder_would_not_sync_gets_its_name_with_the_next_records(tmp_path, part):
    """The disk balks just as the journal turns to a new file, and is well again right after."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    card, told = BalkingFolder(before, 10**6), []
    journal = Journal.open(before / "journal.jsonl", MAX_MB, told.append, threaded=False, disk=card)
    card.balks = True
    for _ in range(5):
        journal.append(part())
    assert journal.flush()
    assert [line.split(":")[1] for line in told] == [" no new file can be begun (Input/output error)"]
    card.balks = False
    journal.append(part(bin="r1"))
    assert journal.flush()
    card.leave(after, Aftermath(0, 0.0, "none"))
    check_what_is_left(after / "journal.jsonl", 6, part)


def test_numbers_go_on_where_the_newest_file_holds_only_corrections(path, part):
    with Journal.open(path, MAX_MB, threaded=False) as journal:
        for _ in range(5):
            journal.append(part())
        journal.flush()
        journal.append(part(2, bin="r1"))
    assert b'"part_id":5' in path.with_name("journal.jsonl.1").read_bytes()
    with Journal.open(path, MAX_MB, threaded=False) as journal:
        assert journal.append(part()) == 6
    assert [(record.part_id, record.bin) for record in read_journal(path)][1] == (2, "r1")


def test_zeros_before_a_good_line_cost_nothing_but_themselves(path, part):
    with Journal.open(path, threaded=False) as journal:
        journal.append(part())
        journal.append(part())
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + bytes(4096) + second)
    warnings: list[str] = []
    assert [record.part_id for record in read_journal(path, warnings.append)] == [1, 2]
    assert warnings == [f"journal {path}: a damaged line was left out: journal.jsonl at byte {len(first)}"]
    with Journal.open(path, threaded=False, warn=warnings.append) as journal:
        assert journal.append(part()) == 3
    assert warnings[1].endswith("was damaged, kept as journal.jsonl.broken-1; 2 good records were taken over")
