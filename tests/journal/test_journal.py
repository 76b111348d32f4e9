"""The journal: nothing decided is lost, whatever happens to the file, the disk or the process."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import InputError, JournalError
from edge.journal.export import COLUMNS, export_journal
from edge.journal.file import Disk, JournalFile, files_of
from edge.journal.journal import Journal
from edge.journal.lines import decode, encode, is_intact, part_id_of
from edge.journal.read import read_journal
from edge.journal.writer import LineWriter
from edge.records import PartRecord


def part(part_id: int = -1, **changes: object) -> PartRecord:
    record = PartRecord(
        part_id, 12.5, 3, 9, 4, (("3001", 0.97), ("3003", 0.02)), (("Red", 0.9),), "l1", "rest", "refused",
        "g1 holds pass for track 2", 0.97, ("g1=pass", "g2=left"), 0.031, -0.019, 31.8, 15.8,
    )  # fmt: skip
    return replace(record, **changes)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def fill(path, count, **options):
    with Journal.open(path, **options) as journal:
        return [journal.append(part()) for _ in range(count)]


def ids(path):
    return [record.part_id for record in read_journal(path)]


class BadDisk(Disk):
    """A disk with so many bytes left, or one that will not sync."""

    def __init__(self, free_bytes: int = 10**9, sync_error: int | None = None) -> None:
        self.free_bytes, self.sync_error, self.syncs = free_bytes, sync_error, 0

    def write(self, fd: int, data: bytes) -> int:
        if self.free_bytes == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().write(fd, data[: self.free_bytes])
        self.free_bytes -= written
        return written

    def sync(self, fd: int) -> None:
        self.syncs += 1
        if self.sync_error:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        super().sync(fd)


# --- lines ---------------------------------------------------------------------------------------------------


def test_a_line_is_json_and_reads_back_the_same():
    line = encode(part(7))
    assert json.loads(line)["detail"] == "g1 holds pass for track 2"
    assert is_intact(line)
    assert part_id_of(line) == 7
    assert decode(line) == part(7)


def test_numpy_numbers_and_numbers_that_json_lacks_can_be_written():
    line = encode(part(7, probability=np.float32(0.5), lateness_s=float("nan"), looks=np.int64(3)))
    record = decode(line)
    assert (record.probability, record.looks) == (0.5, 3)
    assert record.lateness_s != record.lateness_s
    assert b"NaN" not in line


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_altered_byte_is_noticed(data):
    line = encode(part(7, detail='héllo\n"quoted"'))
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != line[at]))
    assert not is_intact(line[:at] + bytes([byte]) + line[at + 1 :])


def test_a_newer_field_is_left_out_and_a_missing_one_named():
    values = json.loads(encode(part(7)))
    assert decode(json.dumps({**values, "weight_g": 2}).encode()) == part(7)
    del values["bin"]
    with pytest.raises(JournalError, match="record of part 7: bin is missing"):
        decode(json.dumps(values).encode())


# --- writing and reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threaded", [True, False])
def test_records_are_there_after_close_and_numbers_go_on(path, threaded):
    assert fill(path, 3, threaded=threaded) == [1, 2, 3]
    assert fill(path, 2, threaded=threaded) == [4, 5]
    assert ids(path) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("threaded", [True, False])
def test_flush_makes_records_durable(path, threaded):
    disk = BadDisk()
    with Journal.open(path, threaded=threaded, disk=disk) as journal:
        journal.append(part())
        assert journal.flush()
        assert (disk.syncs, journal.unsaved) == (1, 0)
        assert ids(path) == [1]


def test_a_correction_replaces_the_record_before(path):
    with Journal.open(path, threaded=False) as journal:
        first = journal.append(part())
        journal.append(part())
        journal.append(part(first, bin="r1"))
    assert [(r.part_id, r.bin) for r in read_journal(path)] == [(1, "r1"), (2, "rest")]
    assert fill(path, 1) == [3]


def test_a_long_run_without_a_thread_does_not_sync_each_record(path):
    disk = BadDisk()
    with Journal.open(path, threaded=False, disk=disk) as journal:
        for _ in range(5000):
            journal.append(part())
    assert disk.syncs < 100
    assert len(ids(path)) == 5000


def test_appending_to_a_closed_journal_is_an_error(path):
    journal = Journal.open(path)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="after it was closed"):
        journal.append(part())


def test_two_writers_are_told_apart(path):
    with Journal.open(path), pytest.raises(JournalError, match="another brickgate writes to it"):
        Journal.open(path)
    Journal.open(path).close()


def test_the_folder_is_made(tmp_path):
    fill(tmp_path / "deep" / "down" / "journal.jsonl", 1)
    assert ids(tmp_path / "deep" / "down" / "journal.jsonl") == [1]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"journal .*file/journal.jsonl: cannot be opened \(.*\): give a file"):
        Journal.open(tmp_path / "file" / "journal.jsonl")
    with pytest.raises(JournalError, match="Is a directory"):
        Journal.open(tmp_path)


def test_a_missing_journal_is_named(path):
    with pytest.raises(JournalError, match=r"there is no such file"):
        read_journal(path)


def test_space_is_bounded_and_the_newest_stay(path):
    max_mb = 0.02
    with Journal.open(path, max_mb, threaded=False) as journal:
        for _ in range(50):
            for _ in range(4):
                journal.append(part())
            journal.flush()
    assert sum(file.stat().st_size for file in files_of(path)) <= max_mb * 1e6 * 1.25
    kept = ids(path)
    assert kept == list(range(kept[0], 201))
    assert kept[0] > 1
    assert fill(path, 1) == [201]


def test_files_that_came_out_too_large_and_a_smaller_bound_cost_the_oldest(path):
    line_bytes = len(encode(part(1)))
    max_mb = 8 * 2 * line_bytes / 1e6
    with Journal.open(path, max_mb, threaded=False) as journal:
        for _ in range(20):
            for _ in range(4):
                journal.append(part())
            journal.flush()
        assert sum(file.stat().st_size for file in files_of(path)) <= max_mb * 1e6
    kept = ids(path)
    assert kept == list(range(kept[0], 81))
    assert len(kept) >= 8
    with Journal.open(path, max_mb / 2, threaded=False) as journal:
        assert sum(file.stat().st_size for file in files_of(path)) <= max_mb / 2 * 1e6
        assert journal.append(part()) == 81


def test_a_file_that_grew_large_does_not_take_nearly_all_with_it(path):
    line_bytes = len(encode(part(1)))
    max_mb = 8 * 4 * line_bytes / 1e6
    with Journal.open(path, max_mb, threaded=False) as journal:
        for count in (4, 28, 4, 4):  # the disk was slow once
            for _ in range(count):
                journal.append(part())
            journal.flush()
        assert len(ids(path)) >= 28 + 8
        for _ in range(4):
            for _ in range(4):
                journal.append(part())
            journal.flush()
        kept = ids(path)
    assert 16 <= len(kept) <= 32
    assert kept == list(range(kept[0], 57))


def test_numbers_go_on_when_the_newest_file_is_empty(path):
    with Journal.open(path, 0.001, threaded=False) as journal:
        for _ in range(10):
            journal.append(part())
        journal.flush()
    assert path.stat().st_size == 0
    assert fill(path, 1) == [11]


# --- damage --------------------------------------------------------------------------------------------------


def test_a_cut_anywhere_loses_only_the_record_it_hits(path):
    fill(path, 3)
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    near_ends = {end + shift for end in ends for shift in (-12, -2, -1, 0, 1, 2)}
    for cut in sorted(near_ends.union(range(ends[0], len(whole), 61)) & set(range(ends[0], len(whole) + 1))):
        path.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends)
        warnings: list[str] = []
        assert fill(path, 1, warn=warnings.append, threaded=False) == [kept + 1]
        assert ids(path) == list(range(1, kept + 2))
        assert len(warnings) == (cut not in ends)


def test_a_damaged_tail_is_reported(path):
    fill(path, 2)
    with path.open("ab") as file:
        file.write(b"\0" * 512)
    warnings = []
    fill(path, 1, warn=warnings.append)
    assert warnings == [
        f"journal {path}: its end was damaged, 512 bytes after the last record were cut off",
    ]
    assert ids(path) == [1, 2, 3]
    assert list(path.parent.iterdir()) == [path]


def test_a_file_damaged_in_the_middle_is_kept_and_its_good_records_taken_over(path):
    fill(path, 3)
    broken = path.read_bytes().replace(b'{"part_id":2', b'{"part_id":9')
    path.write_bytes(broken)
    warnings = []
    assert fill(path, 1, warn=warnings.append) == [4]
    assert warnings == [f"journal {path}: was damaged, kept as journal.jsonl.broken-1; 2 good records were taken over"]
    assert (path.parent / "journal.jsonl.broken-1").read_bytes() == broken
    assert ids(path) == [1, 3, 4]


def test_a_file_that_is_no_journal_is_never_overwritten(path):
    for number in (1, 2):
        path.write_bytes(b"my only copy %d" % number)
        fill(path, 1)
        assert (path.parent / f"journal.jsonl.broken-{number}").read_bytes() == b"my only copy %d" % number


def test_reading_leaves_damaged_lines_out_and_says_so(path):
    fill(path, 3)
    path.write_bytes(path.read_bytes().replace(b'{"part_id":2', b'{"part_id":9')[:-5])
    warnings = []
    assert [record.part_id for record in read_journal(path, warnings.append)] == [1]
    at_byte = path.read_bytes().index(b"\n") + 1
    assert warnings == [
        f"journal {path}: 2 damaged lines were left out, the first in journal.jsonl at byte {at_byte}",
    ]


# --- bad disks -----------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_once_and_nothing_is_lost_when_it_has_room_again(path):
    line_bytes = len(encode(part(1)))
    disk, warnings = BadDisk(free_bytes=2 * line_bytes + 10), []
    journal = Journal.open(path, threaded=False, disk=disk, warn=warnings.append)
    for _ in range(5):
        journal.append(part())
        journal.flush()
    assert (journal.unsaved, journal.lost) == (3, 0)
    assert len(warnings) == 1
    assert warnings[0].startswith(f"journal {path}: cannot be written (No space left on device): free or replace")
    disk.free_bytes = 10**9
    assert journal.flush()
    assert warnings[1] == f"journal {path}: is written again; 3 records were saved late"
    journal.close()
    assert ids(path) == [1, 2, 3, 4, 5]
    assert all(map(is_intact, path.read_bytes().splitlines(keepends=True)))


def test_after_a_sync_that_failed_everything_since_is_written_again(path):
    disk, warnings = BadDisk(), []
    journal = Journal.open(path, threaded=False, disk=disk, warn=warnings.append)
    journal.append(part())
    journal.flush()
    disk.sync_error = errno.EIO
    journal.append(part())
    assert not journal.flush()
    os.truncate(path, path.stat().st_size - 7)
    disk.sync_error = None
    assert journal.flush()
    journal.close()
    assert ids(path) == [1, 2]
    assert len(path.read_bytes().splitlines()) == 2


def test_what_cannot_be_saved_at_the_end_is_told(path):
    warnings = []
    journal = Journal.open(path, threaded=False, disk=BadDisk(free_bytes=0), warn=warnings.append)
    journal.append(part())
    journal.close()
    assert warnings[-1] == f"journal {path}: 1 records could not be saved"


def test_memory_is_bounded_while_the_disk_is_away(path, monkeypatch):
    monkeypatch.setattr("edge.journal.journal.BATCH_RECORDS", 10)
    journal = Journal.open(path, threaded=False, disk=BadDisk(free_bytes=0))
    for _ in range(10_500):
        journal.append(part())
    assert (journal.unsaved, journal.lost) == (10_000, 500)


class StalledDisk(Disk):
    def __init__(self) -> None:
        self.stalled, self.go_on = threading.Event(), threading.Event()

    def write(self, fd: int, data: bytes) -> int:
        self.stalled.set()
        self.go_on.wait(30)
        return super().write(fd, data)


def test_a_stalled_disk_never_holds_up_the_control_path(path):
    disk, warnings = StalledDisk(), []
    journal = Journal.open(path, disk=disk, queue_records=100, warn=warnings.append)
    journal.append(part())
    assert disk.stalled.wait(30)
    for _ in range(103):
        journal.append(part())
    assert (journal.unsaved, journal.lost) == (101, 3)
    assert warnings == []
    journal.watch.look(time.monotonic() + 5)
    journal.watch.look(time.monotonic() + 6)
    assert warnings == [
        f"journal {path}: the disk has not answered for 5 s; 101 records are kept in memory meanwhile",
        f"journal {path}: the disk is too slow or away for too long, records are being lost",
    ]
    disk.go_on.set()
    assert journal.flush(30)
    journal.watch.look(time.monotonic() + 9)
    assert warnings[2:] == [
        f"journal {path}: the disk answers again, after 9 s",
        f"journal {path}: records are saved again, 3 were lost",
    ]
    journal.close()
    assert ids(path) == list(range(1, 102))


def test_a_record_that_cannot_be_written_does_not_end_the_journal(path):
    warnings = []
    with Journal.open(path, warn=warnings.append) as journal:
        journal.append(part(detail=object()))
        journal.append(part())
    assert ids(path) == [2]
    assert warnings == [f"journal {path}: part 1 cannot be written: a object cannot be written to the journal"]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests_journal_part import part
from edge.journal.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
while True:
    for _ in range(7):
        last = journal.append(part())
    journal.flush()
    print(last, flush=True)
"""


def test_a_killed_process_loses_nothing_that_was_flushed(path, tmp_path):
    (tmp_path / "tests_journal_part.py").write_text(
        "from edge.records import PartRecord\n"
        "def part():\n"
        "    return PartRecord(-1, 0.0, 0, 0, 1, (), (), 'a', 'a', 'certain', '', 1.0, (), 0.0)\n"
    )
    flushed = 0
    for round_ in range(1, 4):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        ) as process:
            assert process.stdout
            for _ in range(round_ * 3):
                flushed = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        found = ids(path)
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= flushed


# --- the table -----------------------------------------------------------------------------------------------


def test_the_table_has_a_row_a_part(path):
    with Journal.open(path, threaded=False) as journal:
        journal.append(part(time_s=0.0))
        journal.append(part(top=(), colour=()))
    out = io.StringIO()
    assert export_journal(path, "csv", out) == 2
    rows = out.getvalue().splitlines()
    assert rows[0] == ",".join(COLUMNS)
    assert rows[1].startswith("1,1970-01-01T00:00:00.000+00:00,rest,l1,refused,g1 holds pass for track 2,3001,0.97,Red")
    assert len(rows) == 3


def with_checksum(body: bytes) -> bytes:
    return body[:-1] + b',"crc32":"%08x"}\n' % zlib.crc32(body)


@pytest.mark.parametrize("time_s", [float("nan"), 1e300, float("inf")])
@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_a_part_whose_time_is_none_is_in_the_table_without_it(path, time_s, output_format):
    path.write_bytes(encode(part(1, time_s=time_s)))
    out = io.StringIO()
    assert export_journal(path, output_format, out) == 1
    assert out.getvalue().splitlines()[-1].startswith(("1,,rest", '{"part_id": 1, "time_s": '))


STRANGE = [
    *({key: value} for key in json.loads(encode(part(1))) for value in ([["a"]], {"a": 1}) if key != "crc32"),
    *({key: "x"} for key in ("part_id", "time_s", "looks", "length_mm", "again", "top", "gate_reports")),
    {"part_id": None}, {"gates": None}, {"bin": None}, {"gate_reports": [["g1", "left", "done", "late"]]},
]  # fmt: skip


@pytest.mark.parametrize("values", STRANGE, ids=str)
@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_a_line_of_another_program_is_left_out_though_its_checksum_is_right(path, values, output_format):
    strange = {**json.loads(encode(part(2))), **values}
    del strange["crc32"]
    path.write_bytes(encode(part(1)) + with_checksum(json.dumps(strange, separators=(",", ":")).encode()))
    out, said = io.StringIO(), []
    assert export_journal(path, output_format, out, warn=said.append) == 1
    assert len(said) == 1
    with Journal.open(path, threaded=False) as journal:
        assert journal.append(part()) > 1


@pytest.mark.parametrize(
    "body", [b'{"part_id":5,,}', b'{"part_id":5,"a":"\xff"}', b'{"part_id":5,"a":' + b"[" * 99999 + b"}"]
)
def test_a_line_that_is_no_json_is_left_out_though_its_checksum_is_right(path, body):
    path.write_bytes(encode(part(1)) + with_checksum(body))
    assert ids(path) == [1]


def test_a_table_that_cannot_be_written_is_one_line(path):
    with Journal.open(path, threaded=False) as journal:
        journal.append(part())
    full, refused = Path("/dev/full"), pytest.raises(InputError, match="the table cannot be written")
    with contextlib.suppress(OSError), full.open("w", encoding="utf-8") as out, refused:  # closing it fails, too
        export_journal(path, "csv", out)


def test_where_no_new_file_can_be_begun_the_old_one_grows_on_and_nothing_waits(path):
    path.with_name(f"{path.name}.7").mkdir()
    path.with_name(f"{path.name}.6").touch()
    told = []
    file = JournalFile(path, 8 * 400, Disk())
    writer = LineWriter(file, told.append)
    for number in range(1, 13):
        writer.write([encode(part(number))], float(number))
        writer.sync(float(number))
        assert (writer.unsaved, writer.next_due_s) == (0, float("inf"))
    file.close()
    assert [line for line in told if "no new file can be begun (Is a directory)" in line] == told
    assert len(told) == 1
    assert len(list(read_journal(path, pytest.fail))) == 12


@pytest.mark.parametrize("name", ["/dev/full", "/dev/null"])
def test_a_device_is_no_journal(name):
    with pytest.raises(JournalError, match=f"journal {name}: is a device or a pipe: give an ordinary file"):
        Journal.open(name)


def test_a_folder_is_no_journal_to_read():
    with pytest.raises(JournalError, match="there is no such file"):
        read_journal(".")
