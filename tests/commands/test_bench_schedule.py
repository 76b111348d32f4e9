"""`brickgate bench --schedule`."""

from __future__ import annotations

import io
import json
from itertools import count

import pytest
from typer.testing import CliRunner

from edge import bench_schedule
from edge.cli import app


@pytest.mark.parametrize(("parts_per_min", "share"), [(60, 0.97), (120, 0.95), (180, 0.93)])
def test_the_planner_serves_nearly_what_the_best_plan_in_hindsight_does(parts_per_min, share):
    measured = bench_schedule.measure_share(bench_schedule.west_like(9), parts_per_min, parts=400, seed=3)
    assert 0 < measured.served <= measured.optimum <= measured.optimum_exact <= measured.parts <= 400
    assert measured.share >= share


def test_decisions_are_timed_by_the_stopwatch_after_the_belt_has_filled():
    ticks = count()
    times = bench_schedule.measure_time(bench_schedule.west_like(3), 50, seed=1, stopwatch=lambda: next(ticks) * 0.002)
    assert (times.gates, times.decisions) == (3, 80)
    assert times.p50_ms == times.p99_ms == pytest.approx(2.0)


def test_the_table_shows_shares_and_times():
    share = bench_schedule.ServedShare(60, 100, 45, 50, 60, 1)
    report = bench_schedule.ScheduleReport((share,), (bench_schedule.DecisionTime(9, 80, 0.04, 0.16),))
    out = io.StringIO()
    bench_schedule.print_report(report, out, as_json=False)
    assert "0.900" in out.getvalue()
    assert "0.750" in out.getvalue()
    assert "9 gates   p50 0.04 ms   p99 0.16 ms" in out.getvalue()


def test_the_command_prints_json(monkeypatch):
    monkeypatch.setattr(bench_schedule, "GATES", (2,))
    result = CliRunner().invoke(app, ["bench", "--schedule", "--parts", "20", "--json"])
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert [one["parts_per_min"] for one in report["shares"]] == [60, 120, 180]
    assert report["times"][0]["gates"] == 2
