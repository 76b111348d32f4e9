"""The same model gives the same answer under ai-edge-litert and under tflite-runtime, its predecessor.

tflite-runtime 2.14 needs numpy < 2, so it lives in an environment of its own: `install.sh --test` makes `.venv-tflite`
where Python is 3.11, and these tests hand pictures over to it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.manifest import load_bundle
from edge.hardware.tflite import CpuAccelerator

REPOSITORY = Path(__file__).parents[2]
OTHER_PYTHON = Path(os.environ.get("BRICKGATE_TFLITE_PYTHON") or REPOSITORY / ".venv-tflite" / "bin" / "python")
SHARED = Path(os.environ.get("BRICKGATE_SHARED") or REPOSITORY.parent / "shared")
USUAL_STEPS = 3
MOST_STEPS = 26
"""A tenth of int8's range. The two round differently in every layer; near a tie that is up to 23 steps of a softmax."""
INVOKE = """
import sys
from pathlib import Path
import numpy as np
from edge.hardware.tflite import CpuAccelerator
accelerator = CpuAccelerator("tflite-runtime")
accelerator.load(Path(sys.argv[1]))
print(accelerator.input_spec, accelerator.output_spec)
np.save(sys.argv[3], np.stack([accelerator.invoke(tensor) for tensor in np.load(sys.argv[2])]))
"""


@pytest.fixture(
    params=["universal", "starter", "mobilenet_v2_1.0_224_quant.tflite", "tf2_mobilenet_v2_1.0_224_ptq.tflite"]
)
def model(request: pytest.FixtureRequest) -> Path:
    """The shipped models, and two of Coral's with other tensor types."""
    if not OTHER_PYTHON.exists():
        pytest.skip(f"{OTHER_PYTHON} is not there: install.sh --test makes it where Python is 3.11")
    if request.param in {"universal", "starter"}:
        return load_bundle(request.param).model
    if not (SHARED / "coral").is_dir():
        pytest.skip(f"{SHARED}/coral is not there")
    return SHARED / "coral" / request.param


def _pictures(accelerator: CpuAccelerator) -> NDArray[np.generic]:
    """(4, 1, S, S, 3): smooth colours with a square in them, so that the outputs are not all alike."""
    spec, random = accelerator.input_spec, np.random.default_rng(7)
    side_px = spec.shape[1]
    pictures = random.integers(0, 256, (4, 1, 1, 1, 3)) + np.zeros((4, *spec.shape), np.int64)
    pictures[:, :, side_px // 4 : side_px // 2, side_px // 3 : side_px // 2] = random.integers(0, 256, (4, 1, 1, 1, 3))
    return (pictures + np.iinfo(spec.dtype).min).astype(spec.dtype)


def test_both_runtimes_agree(model: Path, tmp_path: Path) -> None:
    accelerator = CpuAccelerator("litert")
    accelerator.load(model)
    pictures = _pictures(accelerator)
    np.save(tmp_path / "in.npy", pictures)
    result = subprocess.run(
        [OTHER_PYTHON, "-c", INVOKE, model, tmp_path / "in.npy", tmp_path / "out.npy"],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == f"{accelerator.input_spec} {accelerator.output_spec}"
    ours = np.concatenate([accelerator.invoke(picture) for picture in pictures]).astype(int)
    theirs = np.load(tmp_path / "out.npy").astype(int)[:, 0]
    steps = np.abs(ours - theirs)
    assert np.ptp(ours) > MOST_STEPS
    assert steps.max() <= MOST_STEPS
    assert np.median(steps) <= USUAL_STEPS
    second, first = np.sort(ours)[:, -2:].T
    clear = first - second > MOST_STEPS
    assert (ours.argmax(1) == theirs.argmax(1))[clear].all()
