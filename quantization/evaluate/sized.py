"""What one look on the belt is worth together with the part's size.

The network sees every part at the same size; the machine measures the size beside it and weighs it in
(docs/decisions/0002-size-as-evidence.md). So do these figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.fusion.verdict import FusionSettings
from quantization.evaluate.scores import LookScores, ModelScores

Floats = NDArray[np.float32]


def log_scores_with_size(scores: ModelScores, looks: LookScores) -> Floats:
    """(N, K) log-probabilities of single looks, each with the size that it shows, weighed as the machine does.

    Raises:
        ValueError: the looks were not measured.
    """
    if len(looks.sizes_mm) != len(looks.logits):
        raise ValueError(f"{len(looks.sizes_mm)} of {len(looks.logits)} looks have a size: measure each")
    exponent = np.float32(FusionSettings().size_exponent)
    found = scores.log_scores(looks.logits)
    for k, (length_mm, width_mm) in enumerate(looks.sizes_mm.tolist()):
        found[k] = log_softmax(found[k] + exponent * scores.size.log_likelihood(length_mm, width_mm))
    return found
