"""`brickgate-calibrate` as its users type it."""

import sys

import pytest

from calibration.cli import main
from calibration.file import save_section


@pytest.fixture
def calibrate(monkeypatch, capsys):
    """Runs a command in this process; gives its exit code and what it said."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["brickgate-calibrate", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            main()
        out, err = capsys.readouterr()
        return exited.value.code or 0, out, err

    return run


def test_help_names_every_step(calibrate):
    code, out, _ = calibrate("--help")
    assert code == 0
    for name in ("camera", "plane", "belt", "colour", "confidence", "positions", "gates", "all", "sheet", "status"):
        assert f" {name} " in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("belt", "--config", "nowhere/machine.yaml"), 2, "nowhere/machine.yaml: cannot be read: No such file"),
        (("belt", "--config", "{folder}/machine.yaml"), 2, "this machine is simulated: give --simulate SEED"),
        (("status", "--config", "{folder}/machine.yaml", "--to", "{folder}/bad.yaml"), 2, "bad.yaml"),
    ],
)
def test_bad_input_is_one_line(calibrate, folder, arguments, code, words):
    (folder / "bad.yaml").write_text("belt: fast\n")
    found, out, err = calibrate(*(argument.format(folder=folder) for argument in arguments))
    assert found == code
    assert words in err
    assert err.count("\n") == 1
    assert not out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("camera", "--to", "{folder}/none/c.yaml"), "none/c.yaml cannot be written: make its folder"),
        (("camera", "--pictures", "{folder}/bins.yaml"), "bins.yaml is no folder that can be written into"),
        (("all", "--pictures", "{folder}/bins.yaml"), "bins.yaml is no folder that can be written into"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_measured(calibrate, folder, arguments, words):
    arguments = [argument.format(folder=folder) for argument in arguments]
    code, out, err = calibrate(*arguments, "--config", folder / "machine.yaml", "--simulate", 1)
    assert code == 1
    assert words in err
    assert not out
    assert not (folder / "calibration.yaml").exists()


def test_a_simulated_machine_does_not_write_beside_a_real_ones_yaml(calibrate, folder):
    text = (folder / "machine.yaml").read_text()
    (folder / "machine.yaml").write_text(text.replace("driver: sim   ", "driver: picamera2 #", 1))
    code, out, err = calibrate("camera", "--config", folder / "machine.yaml", "--simulate", 1)
    assert (code, out) == (1, "")
    assert "is of a real machine, and what a simulated one measures is not true of it: give --to FILE" in err


@pytest.mark.parametrize("name", ["machine.yaml", "notes.pdf"])
def test_a_sheet_replaces_nothing_but_a_pdf(calibrate, folder, name):
    (folder / name).write_text("mine")
    code, _, err = calibrate("sheet", folder / name)
    assert code == 1
    assert "choose another name" in err or "is no name for a PDF: call it machine.pdf" in err
    assert (folder / name).read_text() == "mine"
    for _ in range(2):
        assert calibrate("sheet", folder / "sheet.pdf")[0] == 0


def test_status_says_what_was_measured_and_what_is_to_be_done(calibrate, folder, belt_section):
    save_section(folder / "calibration.yaml", "belt", belt_section)
    code, out, err = calibrate("status", "--config", folder / "machine.yaml")
    assert (code, err) == (0, "")
    assert "2026-01-01 12:00" in out
    assert "0.2 %" in out
    assert out.count("not calibrated") == 6
