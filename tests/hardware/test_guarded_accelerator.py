"""An accelerator that fails or answers nonsense is replaced, once, and told of; one that works never is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.errors import HardwareError
from edge.hardware.guarded import PROVE_EVERY, GuardedAccelerator
from edge.hardware.interfaces import TensorSpec
from edge.sim.accelerator import AcceleratorFault, SimAccelerator

MODEL = Path("model.tflite")


class Network:
    """Scores an 8 × 8 picture against four fixed ones."""

    input_spec = TensorSpec((1, 8, 8, 3), np.dtype(np.int8), 1 / 127.5, 0)

    def __init__(self, name: str, classes: int = 4, dtype: type = np.int8) -> None:
        self.name = name
        self.output_spec = TensorSpec((1, classes), np.dtype(dtype), 0.1, 0)
        self.loaded: Path | None = None
        self.closed = False
        self._weights = np.random.default_rng(1).normal(0, 1, (192, classes))

    def load(self, model: Path) -> None:
        self.loaded = model

    def invoke(self, tensor):
        scores = tensor.reshape(1, -1).astype(np.float64) @ self._weights / 60
        return scores.clip(-128, 127).astype(self.output_spec.dtype)

    def close(self) -> None:
        self.closed = True


@dataclass
class Bench:
    dtype: type = np.int8
    with_spare: bool = True
    spare_classes: int = 4
    told: list[str] = field(default_factory=list)
    clock: VirtualClock = field(default_factory=VirtualClock)

    def __post_init__(self) -> None:
        self.right = Network("cpu", self.spare_classes, self.dtype)
        self.first = SimAccelerator(Network("inner", dtype=self.dtype), self.clock.advance, seed=1)
        spare = (lambda: self.right) if self.with_spare else None
        self.guarded = GuardedAccelerator(self.first, spare, Path("cpu.tflite"), self.clock, self.told.append)
        self.rng = np.random.default_rng(7)

    def ask(self, times: int = 1) -> int:
        """Asks about random pictures; returns how many answers were wrong."""
        wrong = 0
        for _ in range(times):
            tensor = self.rng.integers(-128, 128, (1, 8, 8, 3)).astype(np.int8)
            wrong += not np.array_equal(self.guarded.invoke(tensor), self.right.invoke(tensor))
            self.clock.advance(0.01)
        return wrong


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_an_accelerator_that_works_is_left_alone(dtype):
    bench = Bench(dtype)
    bench.guarded.load(MODEL)
    assert bench.ask(10 * PROVE_EVERY) == 0
    assert (bench.told, bench.guarded.fell_back, bench.guarded.suspects) == ([], False, 0)
    assert bench.guarded.name == "sim"


def test_the_same_picture_again_gets_the_same_answer_and_is_no_nonsense():
    bench = Bench()
    bench.guarded.load(MODEL)
    tensor = np.zeros((1, 8, 8, 3), np.int8)
    tensor[0, 0, 0] = 100
    for _ in range(40):
        bench.guarded.invoke(tensor)
    assert bench.told == []


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@pytest.mark.parametrize(
    ("fault", "most_wrong"),
    [
        (AcceleratorFault.GONE, 0),
        (AcceleratorFault.EMPTY, 0),
        (AcceleratorFault.MISSHAPEN, 0),
        (AcceleratorFault.CONSTANT, 1),
        (AcceleratorFault.RANDOM, PROVE_EVERY),
    ],
)
def test_nonsense_is_noticed_and_the_cpu_goes_on(dtype, fault, most_wrong):
    bench = Bench(dtype)
    bench.guarded.load(MODEL)
    bench.ask(PROVE_EVERY + 3)
    bench.first.fault = fault
    wrong = bench.ask(3 * PROVE_EVERY)
    assert wrong <= most_wrong
    assert wrong <= bench.guarded.suspects <= PROVE_EVERY + 1
    assert len(bench.told) == 1
    assert "the cpu goes on, more slowly" in bench.told[0]
    assert bench.guarded.name == "cpu"
    assert bench.right.loaded == Path("cpu.tflite")
    assert bench.first._network.closed


def test_one_that_dies_on_a_probe_is_replaced_and_the_spare_is_not_measured_by_it():
    bench = Bench()
    bench.guarded.load(MODEL)
    bench.right._weights = -bench.right._weights
    bench.ask(PROVE_EVERY - 1)
    answer = bench.first.invoke

    def last_answer(tensor):
        scores = answer(tensor)
        bench.first.fault = AcceleratorFault.GONE
        return scores

    bench.first.invoke = last_answer
    bench.ask()
    assert bench.ask(PROVE_EVERY) == 0
    assert (len(bench.told), bench.guarded.name, bench.guarded.suspects) == (1, "cpu", 0)


def test_one_that_is_missing_at_the_start_is_replaced_before_the_first_picture():
    bench = Bench()
    bench.first.fault = AcceleratorFault.MISSING
    bench.guarded.load(MODEL)
    assert bench.ask(5) == 0
    assert bench.told == [
        "accelerator sim: not found: plug it in; the cpu goes on, more slowly: look at the accelerator, then start"
        " again",
    ]


def test_without_a_spare_a_failure_is_an_error():
    bench = Bench(with_spare=False)
    bench.guarded.load(MODEL)
    assert bench.ask(40) == 0
    bench.first.fault = AcceleratorFault.GONE
    with pytest.raises(HardwareError, match=r"does not answer: no other accelerator can stand in"):
        bench.ask()


def test_a_spare_with_other_tensors_cannot_stand_in():
    bench = Bench(spare_classes=5)
    bench.guarded.load(MODEL)
    bench.first.fault = AcceleratorFault.GONE
    with pytest.raises(HardwareError, match="other tensors"):
        bench.ask()


def test_a_slow_one_is_busy_and_not_replaced():
    bench = Bench()
    bench.guarded.load(MODEL)
    bench.ask(50)
    assert bench.guarded.busy_share(bench.clock.now_s()) == 0
    bench.first.fault = AcceleratorFault.SLOW
    bench.ask(20)
    assert bench.guarded.busy_share(bench.clock.now_s()) > 0.9
    bench.first.fault = AcceleratorFault.NONE
    bench.ask(400)
    assert bench.guarded.busy_share(bench.clock.now_s()) == 0
    assert bench.told == []
