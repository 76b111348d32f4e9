"""What one look on the belt is worth together with the part's size.

The network sees every part at the same size; the machine measures the size beside it and weighs it in
(docs/decisions/0002-size-as-evidence.md). So do these figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.size import SizeEvidence
from edge.fusion.verdict import FusionSettings

Floats = NDArray[np.float32]


def log_scores_with_size(log_scores: Floats, sizes_mm: Floats, size: SizeEvidence) -> Floats:
    """(N, K) log-probabilities of single looks with the (N, 2) sizes that they show, weighed as the machine does.

    Raises:
        ValueError: not every look was measured.
    """
    if len(sizes_mm) != len(log_scores):
        raise ValueError(f"{len(sizes_mm)} of {len(log_scores)} looks have a size: measure each")
    exponent = np.float32(FusionSettings().size_exponent)
    fitting = np.stack([size.log_likelihood(length_mm, width_mm) for length_mm, width_mm in sizes_mm.tolist()])
    return log_softmax((log_scores + exponent * fitting).astype(np.float32))
