"""From the network's stored output to log-probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.records import Scores


def dequantize(stored: NDArray[np.generic], scale: float, zero_point: float) -> Scores:
    """Real values of a stored tensor: scale × (stored − zero_point); scale 0 means that it is not quantized."""
    values = stored.astype(np.float32)
    return values if scale == 0 else ((values - zero_point) * np.float32(scale)).astype(np.float32)


def log_softmax(logits: Scores, temperature: float = 1.0) -> Scores:
    """Log-probabilities along the last axis of logits ÷ temperature (Guo et al. 2017, temperature scaling)."""
    scaled = logits / np.float32(temperature)
    shifted = scaled - scaled.max(axis=-1, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(np.float32)
