"""Disks that hang, are taken out, turn read-only or lose their permissions: told once, and nothing decided is lost."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from edge.journal.file import Disk, JournalFile, files_of
from edge.journal.journal import Journal
from edge.journal.lines import encode
from edge.journal.read import read_journal
from edge.journal.watch import Backlog, StallWatch
from edge.journal.writer import LineWriter


def ids(path: Path) -> list[int]:
    return [record.part_id for record in read_journal(path, pytest.fail)]


class SlowSync(Disk):
    """A card that takes its time to sync, but takes what is written."""

    def __init__(self, writes: int) -> None:
        self.syncing, self.go_on, self.written = threading.Event(), threading.Event(), threading.Event()
        self._writes = writes

    def write(self, fd: int, data: bytes) -> int:
        count = super().write(fd, data)
        self._writes -= data.count(b"\n")
        if self._writes <= 0:
            self.written.set()
        return count

    def sync(self, fd: int) -> None:
        self.syncing.set()
        assert self.go_on.wait(30)
        super().sync(fd)


def test_while_the_card_syncs_new_records_outlive_the_process(path, part):
    disk = SlowSync(writes=6)
    journal = Journal.open(path, disk=disk)
    journal.append(part())
    assert disk.syncing.wait(30)
    for _ in range(5):
        journal.append(part())
    assert disk.written.wait(30)
    assert ids(path) == [1, 2, 3, 4, 5, 6]
    assert journal.unsaved == 6
    disk.go_on.set()
    assert journal.flush(30)
    assert journal.unsaved == 0
    journal.close()


def test_a_sync_in_the_background_counts_only_what_was_written_before_it(path, part):
    disk, told = SlowSync(writes=9), []
    writer = LineWriter(JournalFile(path, 10**6, disk), told.append, background=True)
    writer.write([encode(part(1)), encode(part(2))], 10.0)
    writer.sync_when_due(10.3)
    assert not disk.syncing.is_set()
    writer.sync_when_due(10.5)
    assert disk.syncing.wait(30)
    writer.write([encode(part(2, bin="r1")), encode(part(3))], 10.6)
    assert (writer.unsaved, writer.busy_since_s) == (3, 10.5)
    disk.go_on.set()
    assert writer._sync is not None
    writer._sync.join(30)
    writer.sync_when_due(10.7)
    assert (writer.unsaved, writer.next_due_s) == (2, pytest.approx(10.9))
    writer.sync(11.0)
    assert (writer.unsaved, writer.next_due_s, told) == (0, float("inf"), [])


def test_a_file_that_is_full_gives_way_though_records_come_without_a_pause(path, part):
    disk = SlowSync(writes=2)
    writer = LineWriter(JournalFile(path, 8 * 400, disk), pytest.fail, background=True)
    writer.write([encode(part(1))], 10.0)
    writer.sync_when_due(10.5)
    assert disk.syncing.wait(30)
    writer.write([encode(part(2))], 10.6)
    disk.go_on.set()
    assert writer._sync is not None
    writer._sync.join(30)
    writer.sync_when_due(10.7)
    assert (writer.unsaved, len(files_of(path)), path.stat().st_size) == (0, 2, 0)


class FailingSync(Disk):
    """Syncs that fail while they are told to."""

    error: int | None = None

    def sync(self, fd: int) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        super().sync(fd)


def test_a_sync_that_fails_in_the_background_is_told_once_and_made_up_for(path, part):
    disk, told = FailingSync(), []
    writer = LineWriter(JournalFile(path, 10**6, disk), told.append, background=True)
    disk.error = errno.EIO
    writer.write([encode(part(1))], 10.0)
    now_s = 10.5
    for _ in range(4):
        writer.sync_when_due(now_s)
        if writer._sync:
            writer._sync.join(30)
        writer.write([encode(part(int(now_s)))], now_s)
        now_s += 1.1
    assert (writer.unsaved, len(told)) == (5, 1)
    disk.error = None
    writer.sync_when_due(now_s)
    assert (writer.unsaved, writer.lost) == (0, 0)
    assert told[1] == f"journal {path}: is written again; 5 records were saved late"
    assert ids(path) == [1, 10, 11, 12, 13]


def test_a_journal_that_somebody_removed_is_begun_anew_with_what_was_not_saved(path, part):
    told: list[str] = []
    journal = Journal.open(path, threaded=False, warn=told.append)
    journal.append(part())
    assert journal.flush()
    path.unlink()
    journal.append(part())
    assert not journal.flush()
    assert told == [
        f"journal {path}: cannot be written (the file was removed): free or replace the disk; "
        f"records are kept in memory meanwhile"
    ]
    assert journal.flush()
    journal.close()
    assert ids(path) == [2]


def test_a_folder_that_somebody_removed_is_made_anew(tmp_path, part):
    path = tmp_path / "card" / "journal.jsonl"
    journal = Journal.open(path, threaded=False)
    path.unlink()
    path.parent.rmdir()
    journal.append(part())
    assert not journal.flush()
    assert journal.flush()
    journal.close()
    assert ids(path) == [1]


class Unplugged(Disk):
    """A card that is out: its open files answer with errors for ever, and the path leads elsewhere or nowhere."""

    def __init__(self) -> None:
        self.dead: set[int] = set()

    def write(self, fd: int, data: bytes) -> int:
        if os.fstat(fd).st_ino in self.dead:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().write(fd, data)


def test_another_card_is_gone_on_with_and_what_is_on_it_stays(path, part):
    disk, told = Unplugged(), []
    journal = Journal.open(path, threaded=False, disk=disk, warn=told.append)
    journal.append(part())
    journal.flush()
    disk.dead.add(path.stat().st_ino)
    path.rename(path.with_name("taken-out"))
    other = encode(part(70)) + encode(part(71))
    path.write_bytes(other + b'{"part_id":72,"time')
    journal.append(part())
    assert journal.flush()
    journal.close()
    assert "cannot be written (Input/output error)" in told[0]
    assert told[1] == f"journal {path}: is written again; 1 records were saved late"
    assert told[2] == f"journal {path}: its end was damaged, 19 bytes after the last record were cut off"
    assert path.read_bytes() == other + encode(part(2))


class Stubborn(Disk):
    """A folder in which nothing can be renamed, or a disk that is read-only, as long as it is told to be."""

    def __init__(self) -> None:
        self.rename_error: int | None = None
        self.write_error: int | None = None

    def write(self, fd: int, data: bytes) -> int:
        if self.write_error:
            raise OSError(self.write_error, os.strerror(self.write_error))
        return super().write(fd, data)

    def rename(self, source: Path, target: Path) -> None:
        if self.rename_error:
            raise OSError(self.rename_error, os.strerror(self.rename_error))
        super().rename(source, target)


def test_lost_permissions_are_told_once_and_the_files_keep_their_bounds_again_afterwards(path, part):
    disk, told, max_mb = Stubborn(), [], 0.008
    disk.rename_error = errno.EACCES
    with Journal.open(path, max_mb, threaded=False, disk=disk, warn=told.append) as journal:
        for _ in range(30):
            journal.append(part())
            assert journal.flush()
        assert [line.split(":")[1] for line in told] == [" no new file can be begun (Permission denied)"]
        disk.rename_error = None
        for _ in range(30):
            journal.append(part())
            assert journal.flush()
    kept = ids(path)
    assert kept[-1] == 60
    assert sum(file.stat().st_size for file in files_of(path)) <= max_mb * 1e6
    assert kept == list(range(kept[0], 61))


def test_a_read_only_disk_is_told_once_counted_and_made_up_for(path, part):
    disk, told = Stubborn(), []
    with Journal.open(path, threaded=False, disk=disk, warn=told.append) as journal:
        disk.write_error = errno.EROFS
        for _ in range(3):
            journal.append(part())
            assert not journal.flush()
        assert (journal.unsaved, len(told)) == (3, 1)
        assert "cannot be written (Read-only file system)" in told[0]
        disk.write_error = None
        assert journal.flush()
    assert (ids(path), told[1:]) == ([1, 2, 3], [f"journal {path}: is written again; 3 records were saved late"])


def test_the_watch_tells_of_each_stall_once_and_of_its_end():
    backlog, told = [Backlog(float("inf"), 0, 0)], []
    watch = StallWatch("journal x", lambda: backlog[0], told.append)
    for now_s, state in (
        (1.0, Backlog(0.5, 1, 0)),
        (2.6, Backlog(0.5, 1, 0)),
        (9.0, Backlog(0.5, 40, 0)),
        (10.5, Backlog(float("inf"), 0, 0)),
        (11.0, Backlog(10.9, 1, 0)),
    ):
        backlog[0] = state
        watch.look(now_s)
    assert told == [
        "journal x: the disk has not answered for 2 s; 1 record is kept in memory meanwhile",
        "journal x: the disk answers again, after 10 s",
    ]


def test_a_listener_that_is_gone_does_not_end_the_journal(path, part):
    def gone(_line: str) -> None:
        raise BrokenPipeError

    path.write_bytes(b"no journal")
    with Journal.open(path, warn=gone) as journal:
        journal.append(part())
    assert ids(path) == [1]


def test_a_reader_misses_nothing_when_the_machine_turns_to_a_new_file_meanwhile(path, part):
    with Journal.open(path, 0.008, threaded=False) as journal:
        for _ in range(5):
            journal.append(part())
            journal.flush()
        older, reading = len(files_of(path)), read_journal(path)
        for _ in range(8):
            journal.append(part())
            journal.flush()
    assert 1 < older < len(files_of(path))
    assert [record.part_id for record in reading][:5] == [1, 2, 3, 4, 5]
    assert ids(path) == list(range(1, 14))
