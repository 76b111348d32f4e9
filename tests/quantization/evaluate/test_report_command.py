"""`brickgate-model report` as it is typed, and the speed that it measures."""

from __future__ import annotations

import sys

import pytest
from tiny_model import write_model

from edge.errors import ConfigError
from quantization import cli
from quantization.evaluate.bins import read_layout
from quantization.evaluate.speed import computer, measure_speed


def test_before_there_is_a_model_it_says_what_to_run(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["brickgate-model", "report", "--recipe", "tiny"])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    said = capsys.readouterr().err
    assert (exited.value.code, said) == (
        1, "error: data/tiny/converted/model.tflite is missing: run 'brickgate-model quantize' first\n",
    )  # fmt: skip


def test_a_layout_with_a_mistake_is_named(model_scores, tmp_path):
    bins = tmp_path / "bins.yaml"
    bins.write_text("default_bin: box\nlayout: {gate: g, left: bricks, pass: box}\nbins:\n  - {name: bricks}\n")
    with pytest.raises(ConfigError, match=r"bins\.yaml:4"):
        read_layout(str(bins), model_scores.parts)


def test_speed_is_told_for_each_number_of_threads(tmp_path):
    write_model(tmp_path / "model.tflite", side_px=8)
    speeds = measure_speed(tmp_path / "model.tflite", 8, threads=(1, 2), invokes=3)
    assert [speed.threads for speed in speeds] == [1, 2]
    assert all(0 < speed.median_ms <= speed.slow_ms for speed in speeds)
    assert "cores" in computer()
