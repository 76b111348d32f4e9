"""The bench measures every stage with each number of parts, and its ratios are of what they say."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from edge.bench import DrawnBelt, print_report, run_bench
from edge.bundle.manifest import Bundle, BundlePart
from edge.bundle.preprocess import InputSpec
from edge.hardware.interfaces import TensorSpec

SIDE_PX = 32
READING_S = 0.001
INVOKE_S = 0.5


class TickingClock:
    """Every reading takes a millisecond."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def now_s(self) -> float:
        self.time_s += READING_S
        return self.time_s

    def sleep_until(self, instant_s: float) -> None:
        self.time_s = max(self.time_s, instant_s)


class SlowNetwork:
    """Takes half a second of that clock for every look."""

    name = "slow"
    input_spec = TensorSpec((1, SIDE_PX, SIDE_PX, 3), np.dtype(np.int8), 1 / 128, 0)
    output_spec = TensorSpec((1, 3), np.dtype(np.int8), 0.1, 0)

    def __init__(self, clock: TickingClock) -> None:
        self.clock = clock

    def load(self, model: Path) -> None:
        raise NotImplementedError(str(model))

    def invoke(self, tensor):
        self.clock.time_s += INVOKE_S
        return np.array([[90, 0, 0]], np.int8)

    def close(self) -> None: ...


BUNDLE = Bundle(
    folder=Path("tiny"),
    name="tiny",
    model=Path("tiny/model.tflite"),
    input=InputSpec(SIDE_PX, SIDE_PX, 0.1),
    parts=tuple(BundlePart(number, name, "Brick") for number, name in (("3001", "a"), ("3005", "b"), ("3004", "c"))),
    temperature=1.0,
    fusion_exponent=0.5,
    unsure_below=0.5,
    size_evidence=None,
    accelerators=("cpu",),
)


@pytest.fixture(scope="module")
def report():
    clock = TickingClock()
    return run_bench(SlowNetwork(clock), BUNDLE, frames=12, clock=clock)


def test_every_part_in_view_is_looked_at(report) -> None:
    assert [times.parts for times in report.stages] == [1, 4, 8]
    assert report.stages[0].looks <= 1
    assert 3 <= report.stages[1].looks <= 4
    assert 5 <= report.stages[2].looks <= 8


def test_the_stages_add_up_to_the_frame(report) -> None:
    for times in report.stages:
        stages = ("watch", "track", "prepare", "invoke", "colour", "fuse", "decide")
        stages_ms = sum(getattr(times, f"{stage}_ms") for stage in stages)
        assert stages_ms == pytest.approx(times.frame_ms, rel=0.02)


def test_the_ratios(report) -> None:
    four = report.stages[1]
    assert report.invoke_ms == pytest.approx(1e3 * (INVOKE_S + READING_S))
    assert report.overhead_ratio == pytest.approx((four.frame_ms - four.invoke_ms) / report.invoke_ms)
    assert report.vision_ratio == pytest.approx(four.track_ms / four.bare_ms)


def test_json_holds_the_ratios_and_all_stages(report) -> None:
    out = io.StringIO()
    print_report(report, out, as_json=True)
    told = json.loads(out.getvalue())
    assert {"stages", "invoke_ms", "overhead_ratio", "vision_ratio"} <= set(told)
    assert told["stages"][2]["parts"] == 8


def test_the_table_names_the_stages(report) -> None:
    out = io.StringIO()
    print_report(report, out, as_json=False)
    for word in ("track", "invoke", "colour", "overhead ratio", "vision ratio"):
        assert word in out.getvalue()


@pytest.mark.parametrize("parts", [1, 4, 8])
def test_the_drawn_belt_moves_by_a_step(parts: int) -> None:
    belt = DrawnBelt(parts)
    first, second = belt.draw(10), belt.draw(11)
    assert first.image_bgr.shape == (720, 1280, 3)
    step_px = round((second.belt_mm - first.belt_mm) * 5)
    moved = np.abs(second.image_bgr[:, step_px:].astype(int) - first.image_bgr[:, :-step_px]).max(axis=2)
    assert (moved > 40).mean() < 0.002
