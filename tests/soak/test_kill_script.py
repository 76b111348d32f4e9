"""The killing of journal writers, in little: the script works, and it can fail."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.journal.journal import Journal
from edge.journal.lines import encode

FOLDER = Path(__file__).parent


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("kill_journal")


def test_killed_writers_lose_nothing_and_damaged_journals_are_read(tmp_path: Path) -> None:
    command = [
        *(sys.executable, str(FOLDER / "kill_journal.py"), "--json", "--folder", str(tmp_path)),
        *("--kills", "2", "--most-s", "2", "--cut-parts", "2", "--flips", "200", "--stall-s", "0.3"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert (done.returncode, report["faults"]) == (0, []), done.stderr
    assert (report["kills"], report["lost"], report["corrupt"], report["flips"]) == (2, 0, 0, 200)
    assert report["cuts"] > 500
    assert report["longest_call_s"] > 0
    assert not list(tmp_path.iterdir())


def written(script: Any, path: Path, *versions: int) -> None:
    with Journal.open(path, threaded=False) as journal:
        for part_id, version in enumerate(versions, 1):
            journal.append(script.record(part_id, version))


def test_what_a_process_said_more_than_a_second_before_its_death_is_due_and_what_it_saved(script: Any) -> None:
    said = "opened 0 0 1.0\ndecided 1 1 2.0\ndecided 2 1 2.5\ndecided 1 2 3.1\n"
    assert script.told_by(said, 4.0).due == {1: 1, 2: 1}
    assert script.told_by(said + "saved 0 0 3.9\n", 4.0).due == {1: 2, 2: 1}
    with pytest.raises(AssertionError, match="a process warned: warned:journal x"):
        script.told_by("warned:journal_x 0 0 1.0\n", 4.0)


def test_a_lost_part_an_older_version_and_a_gap_are_found(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(script, path, 1, 1)
    report = script.Report()
    script.check(path, {}, script.Told(due={1: 1, 2: 2, 3: 1}), report, roomy=True)
    assert report.faults == ["part 2 has version 1, not 2", "part 3 is lost"]
    path.write_bytes(encode(script.record(1, 1)) + encode(script.record(3, 1)))
    script.check(path, {}, script.Told(), report, roomy=True)
    assert report.faults[2:] == [f"{path}: numbers [2] were left out"]


def test_an_altered_record_and_a_half_picture_are_found(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(script, path, 1)
    path.write_bytes(encode(script.record(1, 1)).replace(b"part 1", b"part 7"))
    report = script.Report()
    script.check_damaged(path, [1], False, "altered", report)
    assert len(report.faults) == 2
    pictures = tmp_path / "journal.jsonl.pictures"
    pictures.mkdir()
    (pictures / "00000001.jpg").write_bytes(b"\xff\xd8 half")
    script.check_pictures(path, report)
    assert report.faults[2].endswith("00000001.jpg is not whole")
