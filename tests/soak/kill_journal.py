"""Kills processes that write a journal, at random moments, and looks for what is missing; then damages journals.

    python tests/soak/kill_journal.py --kills 500

Each process is killed with SIGKILL while it records parts, amends them, keeps pictures and turns to new files, on a
real disk with real fsyncs. After each kill, everything that was decided more than a second before it, or acknowledged
as saved, must be in the journal as it was, the numbers must go on without a gap, and nothing may be damaged once the
journal has been opened again. Then a disk hangs, a journal is cut at every byte, and others get random bits flipped:
reading must never fail with anything but one line, and every record that was not hit must be there. Ends with 1 when
anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np

from edge.errors import JournalError
from edge.journal.file import Disk, files_of
from edge.journal.journal import Journal
from edge.journal.lines import encode
from edge.journal.picture_files import picture_of, pictures_folder
from edge.journal.pictures import RingSize
from edge.journal.read import read_journal
from edge.records import PartRecord

DECIDED_BEFORE_S = 1.0
"""What was decided longer ago than this must be there."""
KILLS_A_JOURNAL = 20
RING = RingSize(pictures=40, bytes=60_000)
ROOMY_MB, TIGHT_MB = 100.0, 0.2
"""One journal keeps everything; the next turns to a new file every 25 KB."""
SURELY_KEPT = 50
"""Parts that even the tight one still has."""


@dataclass(slots=True)
class Report:
    """What became of it."""

    kills: int = 0
    parts: int = 0
    checked: int = 0
    """Parts that had to be there, over all kills."""
    lost: int = 0
    corrupt: int = 0
    torn_ends: int = 0
    """Journals that were opened with a record cut short at their end, and mended."""
    pictures: int = 0
    cuts: int = 0
    flips: int = 0
    stall_s: float = 0.0
    longest_call_s: float = 0.0
    """That the control path waited for the journal while the disk hung."""
    wall_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    def fault(self, line: str, *, lost: int = 0, corrupt: int = 0) -> None:
        self.lost += lost
        self.corrupt += corrupt
        self.faults.append(line)


@dataclass(slots=True)
class Told:
    """What a process said it had done before it died: version and moment of each part's last change that must be there,
    and the newest of all."""

    due: dict[int, int] = field(default_factory=dict)
    newest: dict[int, int] = field(default_factory=dict)


def record(part_id: int, version: int) -> PartRecord:
    """A record that can be checked against its part and version; its length varies."""
    filler = "é" * (part_id * 37 % 211)
    return PartRecord(
        part_id, 1e9 + part_id, version, 0, 4, (("3001", 0.97), ("3003", 0.02)), (("Red", 0.9),), "l1", "rest",
        "refused", f"part {part_id}, version {version} {filler}", 0.97, ("g1=pass",), 0.031,
        gate_reports=(("g1", "pass", "done", -0.02),),
    )  # fmt: skip


def write_until_killed(path: Path, max_mb: float, seed: int, pipe: int) -> NoReturn:
    """The process that dies. Says each thing that it has done, with its moment, right after it."""

    def say(what: str, part_id: int = 0, version: int = 0) -> None:
        os.write(pipe, f"{what} {part_id} {version} {time.monotonic():.6f}\n".encode())

    rng = random.Random(seed)
    picture = np.full((40, 60, 3), 128, np.uint8)
    versions: dict[int, int] = {}
    journal = Journal.open(path, max_mb, lambda line: say("warned:" + line.replace(" ", "_")), pictures=RING)
    say("opened")
    while True:
        part_id = journal.append(record(-1, 0))
        journal.append(record(part_id, 1))
        versions[part_id] = 1
        say("decided", part_id, 1)
        if rng.random() < 0.3:
            journal.keep_picture(part_id, picture)
        if rng.random() < 0.5:
            amended = rng.choice(list(versions)[-20:])
            versions[amended] += 1
            journal.append(record(amended, versions[amended]))
            say("decided", amended, versions[amended])
        if rng.random() < 0.02 and journal.flush(60):
            say("saved")
        if rng.random() < 0.6:
            time.sleep(rng.expovariate(1 / 0.03))


def kill_one(path: Path, max_mb: float, seed: int, most_s: float) -> Told:
    """One process, killed after at most `most_s` seconds; returns what it had said."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        try:
            write_until_killed(path, max_mb, seed, write_end)
        finally:
            os._exit(1)
    os.close(write_end)
    kill_at_s = time.monotonic() + random.Random(~seed).uniform(0, most_s)
    said = b""
    while (left_s := kill_at_s - time.monotonic()) > 0:
        if select.select([read_end], [], [], left_s)[0]:
            chunk = os.read(read_end, 1 << 16)
            if not chunk:
                break
            said += chunk
    killed_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while chunk := os.read(read_end, 1 << 16):
        said += chunk
    os.close(read_end)
    return told_by(said.decode(), killed_s)


def told_by(said: str, killed_s: float) -> Told:
    """What had to be there when it died."""
    told, warned = Told(), []
    for line in said.splitlines():
        what, part_id, version, at_s = line.split()
        if what == "decided":
            told.newest[int(part_id)] = int(version)
            if float(at_s) <= killed_s - DECIDED_BEFORE_S:
                told.due[int(part_id)] = int(version)
        elif what == "saved":
            told.due.update(told.newest)
        elif what.startswith("warned:") and "its_end_was_damaged" not in what:
            warned.append(what.replace("_", " "))
    if warned:
        raise AssertionError(f"a process warned: {warned[0]}")
    return told


def check(path: Path, known: dict[int, int], told: Told, report: Report, *, roomy: bool) -> None:
    """Compares the journal with what had to be there, and takes what is there into `known`."""
    warnings: list[str] = []
    try:
        found = {entry.part_id: entry for entry in read_journal(path, warnings.append)}
    except JournalError:
        found = {}  # Killed before the first record, or in the middle of it.
    report.torn_ends += len(warnings)
    known.update(told.due)
    newest = max(found, default=0)
    oldest_due = 1 if roomy else max(newest - SURELY_KEPT, 1)
    due = {part_id: version for part_id, version in known.items() if part_id >= oldest_due}
    report.checked += len(due)
    for part_id, version in due.items():
        if part_id not in found:
            report.fault(f"part {part_id} is lost", lost=1)
        elif found[part_id].frame_first < version:
            report.fault(f"part {part_id} has version {found[part_id].frame_first}, not {version}", lost=1)
    for part_id, entry in found.items():
        wanted = record(part_id, entry.frame_first)
        # The first line of a part was made before its number was known.
        if entry.frame_first and entry != wanted:
            report.fault(f"part {part_id} is not as it was written", corrupt=1)
    missing = [part_id for part_id in range(oldest_due, newest) if part_id not in found]
    if missing:
        report.fault(f"{path}: numbers {missing} were left out", lost=len(missing))
    known.clear()
    known.update({part_id: entry.frame_first for part_id, entry in found.items()})
    report.pictures += check_pictures(path, report)


def check_pictures(path: Path, report: Report) -> int:
    """Every picture is whole and the ring within its bounds; returns their number."""
    files = list(pictures_folder(path).glob("*.jpg"))
    for file in files:
        if picture_of(path, int(file.stem)) is None or cv2.imread(str(file)) is None:
            report.fault(f"{file} is not whole", corrupt=1)
    if len(files) > RING.pictures + 1 or sum(file.stat().st_size for file in files) > RING.bytes * 1.1:
        report.fault(f"{path}: {len(files)} pictures are more than the ring may hold", corrupt=1)
    return len(files)


def check_reopened(path: Path, max_mb: float, report: Report) -> None:
    """Once it has been opened again, nothing is damaged, nothing was set aside, and the space is kept to."""
    Journal.open(path, max_mb).close()
    warnings: list[str] = []
    report.parts += len(list(read_journal(path, warnings.append)))
    aside = list(path.parent.glob("*.broken-*"))
    for what in [*warnings, *map(str, aside)]:
        report.fault(f"after opening: {what}", corrupt=1)
    sizes = [file.stat().st_size for file in files_of(path)]
    used = sum(sizes)
    # Beside a slow disk a file grows beyond its share, and is kept where the others hold less than half of the space.
    if used > max_mb * 1e6 * 1.25 and used - max(sizes) > max_mb * 1e6 / 2:
        report.fault(f"{path}: takes {used} bytes", corrupt=1)


def kill_many(folder: Path, kills: int, most_s: float, seed: int, report: Report) -> None:
    for first in range(0, kills, KILLS_A_JOURNAL):
        roomy = first // KILLS_A_JOURNAL % 2 == 0
        max_mb = ROOMY_MB if roomy else TIGHT_MB
        path = folder / f"from-{first:04d}" / "journal.jsonl"
        known: dict[int, int] = {}
        for kill in range(first, min(first + KILLS_A_JOURNAL, kills)):
            told = kill_one(path, max_mb, seed + kill, most_s)
            report.kills += 1
            if path.exists():
                check(path, known, told, report, roomy=roomy)
            elif told.due:
                report.fault(f"{path} is not there", lost=len(told.due))
        check_reopened(path, max_mb, report)
        shutil.rmtree(path.parent)


class HangingDisk(Disk):
    """Answers nothing until an instant."""

    def __init__(self) -> None:
        self.until_s = 0.0

    def write(self, fd: int, data: bytes) -> int:
        self._hang()
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._hang()
        super().sync(fd)

    def _hang(self) -> None:
        time.sleep(max(self.until_s - time.monotonic(), 0.0))


def stall(folder: Path, stall_s: float, report: Report) -> None:
    """Records twenty parts a second while the disk hangs: no call waits, and nothing is lost when it answers again."""
    path, disk, warnings = folder / "stalled.jsonl", HangingDisk(), []
    picture = np.full((120, 120, 3), 128, np.uint8)
    journal = Journal.open(path, warn=warnings.append, disk=disk)
    journal.append(record(-1, 0))
    disk.until_s = time.monotonic() + stall_s
    while time.monotonic() < disk.until_s:
        start_s = time.monotonic()
        journal.keep_picture(journal.append(record(-1, 0)), picture)
        report.longest_call_s = max(report.longest_call_s, round(time.monotonic() - start_s, 5))
        time.sleep(0.05)
    newest = journal.append(record(-1, 0))
    journal.close()
    report.stall_s = stall_s
    if [entry.part_id for entry in read_journal(path)] != list(range(1, newest + 1)):
        report.fault("parts were lost while the disk hung", lost=1)
    if stall_s > 3 and not any("has not answered" in line for line in warnings):
        report.fault(f"the disk hung, and nobody was told: {warnings}")


def cut_everywhere(folder: Path, parts: int, report: Report) -> None:
    """Cuts a journal at every byte: the whole records before the cut are read, and one line says what is not."""
    path = folder / "cut.jsonl"
    lines = [encode(record(part_id, 1)) for part_id in range(1, parts + 1)]
    whole = b"".join(lines)
    ends = [sum(map(len, lines[:count])) for count in range(parts + 1)]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        report.cuts += 1
        complete = sum(end <= cut for end in ends) - 1
        check_damaged(path, list(range(1, complete + 1)), cut not in ends, f"cut at byte {cut}", report)


def flip_bits(folder: Path, flips: int, seed: int, report: Report) -> None:
    """Flips up to eight bits anywhere: the records that were not hit are read."""
    path, rng = folder / "flipped.jsonl", random.Random(seed)
    lines = [encode(record(part_id, 1)) for part_id in range(1, 13)]
    owner = [index for index, line in enumerate(lines) for _ in line]
    for _ in range(flips):
        data = bytearray(b"".join(lines))
        hit = set()
        for at in rng.sample(range(len(data)), rng.randint(1, 8)):
            data[at] ^= 1 << rng.randrange(8)
            hit.add(owner[at])
        path.write_bytes(data)
        report.flips += 1
        spared = [index + 1 for index in range(len(lines)) if index not in hit]
        check_damaged(path, spared, True, f"bits flipped in {sorted(hit)}", report)


def check_damaged(path: Path, whole: list[int], damaged: bool, what: str, report: Report) -> None:
    warnings: list[str] = []
    try:
        found = list(read_journal(path, warnings.append))
    except JournalError as error:
        found, warnings = [], [str(error)]
    except Exception as error:
        report.fault(f"{what}: reading failed: {error!r}", corrupt=1)
        return
    if [entry.part_id for entry in found] != whole or any(entry != record(entry.part_id, 1) for entry in found):
        report.fault(f"{what}: {[entry.part_id for entry in found]} were read, not {whole}", lost=1)
    if len(warnings) != damaged:
        report.fault(f"{what}: told {warnings}", corrupt=1)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--most-s", type=float, default=3.0, help="longest life of a process")
    parser.add_argument("--cut-parts", type=int, default=12, help="records of the journal that is cut at every byte")
    parser.add_argument("--flips", type=int, default=5000, help="journals with flipped bits")
    parser.add_argument("--stall-s", type=float, default=10.0, help="how long a disk hangs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="on the disk that is tried; default: a temporary one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    report, start_s = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        kill_many(folder, options.kills, options.most_s, options.seed, report)
        stall(folder, options.stall_s, report)
        cut_everywhere(folder, options.cut_parts, report)
        flip_bits(folder, options.flips, options.seed, report)
    report.wall_s = round(time.monotonic() - start_s, 1)
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        for fault in report.faults:
            print(fault)
        print(
            f"{report.kills} kills, {report.parts} parts recorded, {report.checked} times one that had to be there: "
            f"{report.lost} lost, {report.corrupt} corrupt; {report.torn_ends} ends mended; "
            f"{report.pictures} pictures looked at; {report.cuts} cuts, {report.flips} flips; "
            f"{report.stall_s:g} s of a hanging disk held a call up for {1000 * report.longest_call_s:.1f} ms at most; "
            f"{report.wall_s} s"
        )
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
