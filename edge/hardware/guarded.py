"""An accelerator that is not taken at its word: when it dies or answers nonsense, the CPU stands in for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.clock import Clock
from edge.errors import HardwareError
from edge.hardware.interfaces import Accelerator, TensorSpec

PROVE_EVERY, PROVE_AFTER_S = 16, 0.5
"""Answers, and time, between two proofs. Each costs an inference; half a second is less than a part rides from its
decision to the first gate, so that what nonsense has decided can still be taken back."""
DIFFERENT = 0.05
"""How far an answer to the probe may be from the first one, of its range; a sound chip repeats itself to the bit."""
LOAD_WINDOW_S = 2.0
Tensor = NDArray[np.generic]


class GuardedAccelerator:
    """Runs the model on `first`, and on a spare once `first` fails to load, fails to answer or answers nonsense.

    Nonsense is an answer of another shape or type, one that is not finite or the same for every class, and one to a
    probe (a fixed picture, asked now and then, and at once when two inputs in a row get the same answer) that is no
    longer what it was. What was answered since the last proof cannot be trusted: `suspects` counts it.

    Args:
        first: no model loaded yet.
        make_spare: what stands in; None for a CPU, which nothing can stand in for: it is guarded all the same, and its
            failures end the run.
        spare_model: the spare's model, where it needs another file than `first`.
        stopwatch: measures how long answers take.
        say: told in one line what happened.
    """

    def __init__(
        self,
        first: Accelerator,
        make_spare: Callable[[], Accelerator] | None,
        spare_model: Path | None,
        stopwatch: Clock,
        say: Callable[[str], None],
    ) -> None:
        self._running = first
        self._make_spare = make_spare
        self._spare_model = spare_model
        self._stopwatch = stopwatch
        self._say = say
        self._model: Path | None = None
        self._proofs: list[tuple[Tensor, NDArray[np.float64]]] = []
        self._last: tuple[bytes, bytes] | None = None
        self._unproven = 0
        self._proven_s = 0.0
        self._busy: deque[tuple[float, float]] = deque()
        self.fell_back = False
        self.suspects = 0
        """Answers given since the last proof, once the proof has failed; whoever acts on it sets it back to 0."""

    @property
    def name(self) -> str:
        return self._running.name

    @property
    def input_spec(self) -> TensorSpec:
        return self._running.input_spec

    @property
    def output_spec(self) -> TensorSpec:
        return self._running.output_spec

    def load(self, model: Path) -> None:
        self._model = model
        try:
            self._running.load(model)
            self._learn()
        except HardwareError as error:
            self._fall_back(str(error))

    def invoke(self, tensor: Tensor) -> Tensor:
        answer = self._ask(tensor)
        self._unproven += 1
        unproven = self._unproven
        if not self._plausible(answer) or not self._proven(tensor, answer):
            self.suspects += unproven
            self._fall_back(f"accelerator {self.name}: answers nonsense")
            return self._ask(tensor)
        return answer

    def close(self) -> None:
        self._running.close()

    def busy_share(self, now_s: float) -> float:
        """Share of the last seconds spent waiting for answers; near 1 the network is too slow for the frames."""
        self._forget_before(now_s - LOAD_WINDOW_S)
        return min(sum(took_s for _, took_s in self._busy) / LOAD_WINDOW_S, 1.0)

    @property
    def s_per_look(self) -> float | None:
        """What one answer took, over the last seconds; None when none was asked for."""
        took = [took_s for _, took_s in tuple(self._busy)]
        return sum(took) / len(took) if took else None

    def _forget_before(self, from_s: float) -> None:
        while self._busy and self._busy[0][0] < from_s:
            self._busy.popleft()

    def _ask(self, tensor: Tensor) -> Tensor:
        start_s = self._stopwatch.now_s()
        try:
            answer = self._running.invoke(tensor)
        except HardwareError as error:
            self._fall_back(str(error))
            answer = self._running.invoke(tensor)
        now_s = self._stopwatch.now_s()
        self._busy.append((now_s, now_s - start_s))
        self._forget_before(now_s - LOAD_WINDOW_S)
        return answer

    def _plausible(self, answer: Tensor) -> bool:
        spec = self._running.output_spec
        if answer.shape != spec.shape or answer.dtype != spec.dtype:
            return False
        finite = not np.issubdtype(answer.dtype, np.floating) or bool(np.isfinite(answer).all())
        return finite and (answer.size == 1 or bool((answer != answer.flat[0]).any()))

    def _proven(self, tensor: Tensor, answer: Tensor) -> bool:
        """Whether there is no reason to doubt an answer. Asks a probe regularly, each in its turn, and all of them when
        another input has got the same answer: whatever it is that is answered again, it suits one of them at most."""
        if not self._proofs:
            return True
        now, now_s = (tensor.tobytes(), answer.tobytes()), self._stopwatch.now_s()
        before, self._last = self._last, now
        if before is not None and before[1] == now[1] and before[0] != now[0]:
            asked = self._proofs
        elif self._unproven >= PROVE_EVERY or now_s - self._proven_s >= PROVE_AFTER_S:
            asked = self._proofs[:1]
            self._proofs = self._proofs[1:] + asked
        else:
            return True
        self._unproven, self._proven_s = 0, now_s
        return all(self._answers(probe, proof) for probe, proof in asked)

    def _answers(self, probe: Tensor, proof: NDArray[np.float64]) -> bool:
        answer = self._ask(probe)
        if self.fell_back:
            return True  # It failed, and the spare, which answered, is not to be measured by it.
        if not self._plausible(answer):
            return False
        off = np.abs(answer.astype(np.float64).reshape(-1) - proof).max()
        return bool(off <= DIFFERENT * np.ptp(proof))

    def _learn(self) -> None:
        """What the model answers to the probes while nothing is known to be wrong: noise, and noise in one channel."""
        if self._make_spare is None:
            return
        spec = self._running.input_spec
        levels = np.random.default_rng(5).integers(0, 256, spec.shape)
        proofs = []
        for most in ([255, 255, 255], [255, 0, 0]):
            shown = np.minimum(levels, most)
            if np.issubdtype(spec.dtype, np.floating):
                probe = (shown / 127.5 - 1).astype(spec.dtype)
            else:
                probe = (shown + np.iinfo(str(spec.dtype)).min).astype(spec.dtype)
            answer = self._running.invoke(probe)
            if not self._plausible(answer):
                raise HardwareError(f"accelerator {self.name}: answers nonsense")
            proofs.append((probe, answer.astype(np.float64).reshape(-1)))
        self._proofs, self._proven_s = proofs, self._stopwatch.now_s()

    def _fall_back(self, why: str) -> None:
        """Puts the spare in the place of what failed.

        Raises:
            HardwareError: there is none.
        """
        if self._make_spare is None or self._model is None:
            raise HardwareError(f"{why}: no other accelerator can stand in for it: look at it and start again")
        specs = (self._running.input_spec, self._running.output_spec) if self._proofs else None
        failed, self._running = self._running, self._make_spare()
        failed.close()
        self._make_spare, self._proofs = None, []
        self._running.load(self._spare_model or self._model)
        if specs is not None and specs != (self._running.input_spec, self._running.output_spec):
            raise HardwareError(f"{why}: the CPU's model has other tensors and cannot stand in: make the bundle again")
        self._last, self._unproven, self.fell_back = None, 0, True
        self._say(f"{why}; the {self._running.name} goes on, more slowly: look at the accelerator, then start again")
