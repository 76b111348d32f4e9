"""The gate lets pass what answers as the float network does, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import BrickgateError
from quantization.export.parity import check, compare

REFERENCE = np.eye(4, dtype=np.float32) * 5


def test_agreement_is_that_of_first_answers():
    found = REFERENCE.copy()
    found[0] = [1, 2, 0, 0]
    parity = compare(REFERENCE, found)
    assert (parity.pictures, parity.agreement) == (4, 0.75)
    assert parity.error == pytest.approx(np.sqrt((4**2 + 2**2) / 16))
    assert compare(REFERENCE, REFERENCE * 0.9).agreement == 1.0


def test_a_file_that_answers_otherwise_does_not_pass():
    found = REFERENCE[[1, 1, 2, 3]]
    check("model.onnx", compare(REFERENCE, found), 0.75)
    with pytest.raises(BrickgateError) as error:
        check("model.onnx", compare(REFERENCE, found), 0.998)
    assert str(error.value) == (
        "model.onnx gives the float network's answer for 75.0% of 4 pictures only (the recipe asks for 99.8%): it does"
        " not enter a bundle; train longer or export anew"
    )


def test_a_model_that_gives_no_numbers_does_not_pass():
    with pytest.raises(BrickgateError):
        check("model.tflite", compare(REFERENCE, np.full_like(REFERENCE, np.nan)), 0.9)
