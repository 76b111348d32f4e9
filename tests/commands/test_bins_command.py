"""`brickgate bins`: how full they are, and that one was emptied."""

import json

import pytest

from edge import installed
from edge.config import example
from edge.service_command import main as serve


def test_an_emptied_bin_is_noted_for_the_run_and_shown(brickgate, tmp_path):
    journal = tmp_path / "j.jsonl"
    (tmp_path / "j.jsonl.bins").write_text(json.dumps({"bricks-a": [90, 0.5], "plates": [12, 0.01]}), encoding="utf-8")
    shown = brickgate("bins", "--config", "pushers-4", "--journal", journal)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[:3] == [
        "plates: 12 parts, about 0.01 l",
        "bricks-a: 90 parts, about 0.5 l, 25% full",
        "bricks-b: 0 parts, about 0 l, 0% full",
    ]
    emptied = brickgate("bins", "--config", "pushers-4", "--journal", journal, "--emptied", "bricks-a")
    assert "bricks-a: 0 parts, about 0 l, 0% full" in emptied.out
    assert (tmp_path / "j.jsonl.emptied").read_text(encoding="utf-8") == "bricks-a\n"
    # No run has heard of it yet: whoever asks again must not read that it is full.
    again = brickgate("bins", "--config", "pushers-4", "--journal", journal)
    assert again.out == emptied.out


def test_counts_that_are_no_numbers_are_left_out(brickgate, tmp_path):
    (tmp_path / "j.jsonl.bins").write_text('{"bricks-a": [Infinity, 0.5]}', encoding="utf-8")
    shown = brickgate("bins", "--config", "pushers-4", "--journal", tmp_path / "j.jsonl")
    assert (shown.code, shown.err) == (0, "")
    assert "bricks-a: 0 parts, about 0 l, 0% full" in shown.out


def test_a_bin_that_is_not_there_is_named_with_the_nearest(brickgate, tmp_path):
    result = brickgate("bins", "--config", "pushers-4", "--journal", tmp_path / "j", "--emptied", "brick-a")
    assert (result.code, result.out) == (1, "")
    assert result.err == "error: --emptied brick-a: no such bin; did you mean 'bricks-a'?\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def service(monkeypatch, tmp_path):
    """An installed machine: its configuration, its journal's folder, and a file of the drive that it is a link to."""
    drive, etc, var = tmp_path / "boot", tmp_path / "etc/machine.yaml", tmp_path / "var/brickgate-journal.jsonl"
    for folder in (drive, etc.parent, var.parent):
        folder.mkdir(parents=True)
    for name in ("machine.yaml", "bins.yaml"):
        (drive / name).write_text((example("pushers-4") / name).read_text())
        (etc.parent / name).symlink_to(drive / name)
    monkeypatch.setattr(installed, "MACHINE", etc)
    monkeypatch.setattr(installed, "JOURNAL", var)
    (var.parent / "brickgate-journal.jsonl.bins").write_text(json.dumps({"bricks-a": [90, 0.5]}), encoding="utf-8")
    monkeypatch.chdir(drive)
    return tmp_path


@pytest.mark.parametrize("config", ["etc/machine.yaml", "boot/machine.yaml"])
def test_word_for_the_installed_machine_reaches_the_service(brickgate, service, config):
    result = brickgate("bins", "--config", service / config, "--emptied", "bricks-a")
    assert (result.code, result.err) == (0, "")
    assert (service / "var/brickgate-journal.jsonl.emptied").read_text(encoding="utf-8") == "bricks-a\n"


def test_word_where_no_run_counts_is_an_error(brickgate, service, tmp_path):
    result = brickgate("bins", "--config", "pushers-4", "--emptied", "bricks-a")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: brickgate-journal.jsonl: no run keeps its counts there")
    assert sorted(file.name for file in (tmp_path / "boot").iterdir()) == ["bins.yaml", "machine.yaml"]


def test_the_service_writes_where_the_command_looks(capsys):
    with pytest.raises(SystemExit):
        serve(["--help"])
    assert f"default: {installed.JOURNAL}" in " ".join(capsys.readouterr().out.split())
