"""What is wrong with a simulated machine's accelerator: wraps a real one, and spoils or sharpens what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import HardwareError

SLOW_S = 0.25
Tensor = NDArray[np.generic]


class AcceleratorFault(StrEnum):
    """What may be wrong with an accelerator."""

    NONE = "none"
    MISSING = "missing"
    """Not there when the model is loaded."""
    SLOW = "slow"
    """Takes `SLOW_S` longer for each answer."""
    GONE = "gone"
    """Pulled out: every call fails."""
    EMPTY = "empty"
    """Answers NaN, or the least value everywhere where the scores are whole numbers."""
    CONSTANT = "constant"
    """Gives its last answer again, whatever it is asked."""
    RANDOM = "random"
    """Scores at random."""
    MISSHAPEN = "misshapen"
    """Leaves out a score."""


class Network(Protocol):
    """What `edge.hardware.interfaces.Accelerator` asks for."""

    @property
    def name(self) -> str: ...

    @property
    def input_spec(self) -> Any: ...

    @property
    def output_spec(self) -> Any: ...

    def load(self, model: Path) -> None: ...

    def invoke(self, tensor: Tensor) -> Tensor: ...

    def close(self) -> None: ...


class SimAccelerator:
    """Runs its model on `network`, as `fault` lets it. `wait` lets time pass, as a slow answer does."""

    name = "sim"

    def __init__(self, network: Network, wait: Callable[[float], None], seed: int) -> None:
        self._network = network
        self._wait = wait
        self._rng = np.random.default_rng([seed, 3])
        self._last: Tensor | None = None
        self.fault = AcceleratorFault.NONE

    @property
    def input_spec(self) -> Any:
        return self._network.input_spec

    @property
    def output_spec(self) -> Any:
        return self._network.output_spec

    def load(self, model: Path) -> None:
        if self.fault in (AcceleratorFault.MISSING, AcceleratorFault.GONE):
            raise HardwareError("accelerator sim: not found: plug it in")
        self._network.load(model)

    def invoke(self, tensor: Tensor) -> Tensor:
        if self.fault in (AcceleratorFault.MISSING, AcceleratorFault.GONE):
            raise HardwareError("accelerator sim: does not answer")
        if self.fault is AcceleratorFault.SLOW:
            self._wait(SLOW_S)
        answer = self._spoil(self._network.invoke(tensor))
        self._last = answer
        return answer

    def close(self) -> None:
        self._network.close()

    def _spoil(self, answer: Tensor) -> Tensor:
        if self.fault is AcceleratorFault.CONSTANT and self._last is not None:
            return self._last.copy()
        if self.fault is AcceleratorFault.MISSHAPEN:
            return answer[..., :-1]
        whole = np.issubdtype(answer.dtype, np.integer)
        if self.fault is AcceleratorFault.EMPTY:
            return np.full_like(answer, np.iinfo(str(answer.dtype)).min if whole else np.nan)
        if self.fault is AcceleratorFault.RANDOM:
            if whole:
                limits = np.iinfo(str(answer.dtype))
                return self._rng.integers(limits.min, limits.max + 1, answer.shape).astype(answer.dtype)
            return self._rng.normal(0, 10, answer.shape).astype(answer.dtype)
        return answer


class TemperedAccelerator:
    """Runs its model on `network`, and multiplies its logits by `temperature`: above 1 it is surer than it may be."""

    name = "sim"

    def __init__(self, network: Network, temperature: float) -> None:
        self._network = network
        self._temperature = temperature

    @property
    def input_spec(self) -> Any:
        return self._network.input_spec

    @property
    def output_spec(self) -> Any:
        # Stored numbers stay as they are and stand for more: nothing is rounded or cut off anew.
        spec = self._network.output_spec
        return replace(spec, scale=spec.scale * self._temperature)

    def load(self, model: Path) -> None:
        self._network.load(model)

    def invoke(self, tensor: Tensor) -> Tensor:
        answer = self._network.invoke(tensor)
        return answer if self._network.output_spec.scale else answer * answer.dtype.type(self._temperature)  # type: ignore[operator]

    def close(self) -> None:
        self._network.close()
