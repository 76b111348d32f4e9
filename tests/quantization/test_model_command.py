"""`brickgate-model` as it is typed: mistakes are one line."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from quantization import factory
from quantization.cli import main
from quantization.factory import report_step


@pytest.fixture
def brickgate_model(monkeypatch, capsys, tmp_path):
    """Runs a command in an empty folder, and gives its exit code and what it said on standard error."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["brickgate-model", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            main()
        return exited.value.code or 0, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("build", "--recipe", "large"),
            2,
            "no recipe large: give a YAML file or one of starter, tiny, universal",
        ),
        (
            ("train", "--recipe", "tiny"),
            1,
            "error: data/tiny/renders holds no finished shard of renders: run 'brickgate-model render' first",
        ),
        (
            ("quantize", "--recipe", "tiny"),
            1,
            "error: data/tiny/checkpoint.pt is missing: run 'brickgate-model train' first",
        ),
        (
            ("bundle", "--recipe", "tiny"),
            1,
            "error: data/tiny/evaluation.json is missing: run 'brickgate-model evaluate' first",
        ),
        (
            ("render", "--recipe", "tiny", "--shard", "4/4"),
            1,
            "error: --shard is '4/4': give i/n with i from 0 to n − 1, such as 0/4",
        ),
        (
            ("render", "--recipe", "tiny", "--shard", "0/²"),
            1,
            "error: --shard is '0/²': give i/n with i from 0 to n − 1, such as 0/4",
        ),
        (
            ("evaluate", "--shards", "trays", "--by", "group", "--photos", "mine"),
            1,
            "error: --photos go with --recipe, not with --shards: give one or the other",
        ),
        (
            ("evaluate", "--recipe", "tiny", "--bundle", "data/tiny/bundle", "--photos", "mine"),
            1,
            "error: --bundle goes with --shards: without them it is the model of --recipe that is measured",
        ),
    ],
)
def test_a_mistake_is_one_line(brickgate_model, arguments, code, message):
    assert brickgate_model(*arguments) == (code, f"{message}\n")


def test_build_takes_every_step_that_makes_a_model(brickgate_model, monkeypatch):
    taken = []
    for name in ("render", "train", "quantize", "evaluate", "export", "bundle"):
        monkeypatch.setattr(factory, name, lambda *arguments, name=name: taken.append(name))
    monkeypatch.setattr(report_step, "write_report", lambda shop, out, *more, **named: taken.append(out.name))
    assert brickgate_model("build", "--recipe", "tiny") == (0, "")
    assert taken == ["render", "train", "quantize", "evaluate", "export", "bundle", "report.html"]


def test_without_ldraw_it_says_where_it_looked(brickgate_model, monkeypatch):
    monkeypatch.setenv("LDRAWDIR", "/nowhere")
    code, said = brickgate_model("render", "--recipe", "tiny")
    assert (code, said) == (
        1,
        "error: no LDraw parts library at LDRAWDIR=/nowhere: run install.sh --model, or set LDRAWDIR to a folder that"
        " holds parts/ and p/\n",
    )


def test_a_work_folder_that_cannot_be_made_is_named(brickgate_model, tmp_path):
    (tmp_path / "file").touch()
    code, said = brickgate_model("train", "--recipe", "tiny", "--work", tmp_path / "file" / "work")
    assert (code, said) == (1, f"error: [Errno 20] Not a directory: '{tmp_path / 'file' / 'work'}'\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_says_that_nothing_is_lost(brickgate_model, monkeypatch, number, code):
    monkeypatch.setattr(factory, "quantize", lambda shop: os.kill(os.getpid(), number))
    assert brickgate_model("quantize", "--recipe", "tiny") == (
        code,
        "stopped; what was finished is kept, run the same command to go on\n",
    )
