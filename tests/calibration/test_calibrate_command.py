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


def test_status_says_what_was_measured_and_what_is_to_be_done(calibrate, folder, belt_section):
    save_section(folder / "calibration.yaml", "belt", belt_section)
    code, out, err = calibrate("status", "--config", folder / "machine.yaml")
    assert (code, err) == (0, "")
    assert "2026-01-01 12:00" in out
    assert "0.2 %" in out
    assert out.count("not calibrated") == 6
