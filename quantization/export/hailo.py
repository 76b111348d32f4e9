"""What Hailo's Dataflow Compiler needs to make a HEF file of the network, and the compilation where it is installed.

Written after Hailo's documents: the Dataflow Compiler User Guide (release 3.30, chapters 4.2 to 4.4: parsing, model
optimization, compilation) for the three commands and the calibration array, which is (N, H, W, 3) in the values that
the camera gives when the model script adds the normalization; and the Hailo Model Zoo, whose script for MobileNet
(hailo_model_zoo/cfg/alls/generic/mobilenet_v1.alls) has this very normalization, and whose docs/OPTIMIZATION.rst asks
for 1,024 pictures at least.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.preprocess import MEAN, STD
from edge.errors import BrickgateError

COMPILER = "hailo"
CHIPS = ("hailo8", "hailo8l")
"""A HEF file runs on the chip it was compiled for: the Raspberry Pi AI Kit has a Hailo-8L, the AI HAT+ either."""
CALIBRATION_PICTURES = 1024
LIMIT_S = 6 * 3600
CALIBRATION, SCRIPT, README = "calibration.npy", "model.alls", "README.md"

_README = """# Making HEF files of this network

`model.onnx` (in the folder above) is the float network, `calibration.npy` pictures that show the range of its values
(N, height, width, 3; uint8 RGB, 0 to 255), and `model.alls` the model script: it makes the chip normalise, so that it
takes the pixels as they are. With Hailo's Dataflow Compiler installed (x86-64, from Hailo's developer
zone), run here, or let `brickgate-model export` do it:

{commands}
A HEF file runs only on the chip it was compiled for. Options are those of Hailo's Dataflow Compiler User Guide,
chapters 4.2 to 4.4.
"""


def prepare_for_hailo(pictures: NDArray[np.uint8], onnx_file: Path, folder: Path) -> None:
    """Writes the calibration array, the model script and a README with the commands.

    Args:
        pictures: (N, H, W, 3) uint8 RGB, as the network is shown them before normalization.
        onnx_file: the network, beside `folder`.
        folder: for the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / CALIBRATION, pictures)
    mean, std = [MEAN] * 3, [STD] * 3
    (folder / SCRIPT).write_text(f"normalization1 = normalization({mean}, {std})\n", encoding="utf-8")
    blocks = []
    for chip in CHIPS:
        lines = "".join(f"    {shlex.join(command)}\n" for command in commands(COMPILER, chip, onnx_file))
        blocks.append(f"For {chip}:\n\n{lines}\n")
    (folder / README).write_text(_README.format(commands="".join(blocks)), encoding="utf-8")


def commands(compiler: str, chip: str, onnx_file: Path) -> list[list[str]]:
    """Parsing, optimization and compilation, to be run in the folder of the files."""
    name = onnx_file.stem
    parsed, optimized, for_chip = f"{name}.har", f"{name}_{chip}.har", ["--hw-arch", chip]
    return [
        [compiler, "parser", "onnx", f"../{onnx_file.name}", "--har-path", parsed, *for_chip],
        [
            *(compiler, "optimize", parsed, "--calib-set-path", CALIBRATION, "--model-script", SCRIPT),
            *("--output-har-path", optimized, *for_chip),
        ],
        [compiler, "compiler", optimized, *for_chip, "--output-dir", chip],
    ]


def find_compiler() -> str | None:
    """The compiler on the PATH."""
    return shutil.which(COMPILER)


def compile_for_hailo(compiler: str, chip: str, onnx_file: Path, folder: Path) -> Path:
    """Runs the three commands in `folder` and gives the HEF file.

    Raises:
        BrickgateError: a command failed, ran too long or left no file; the message names its log.
    """
    made = folder / chip
    shutil.rmtree(made, ignore_errors=True)
    log = folder / f"{chip}.log"
    with log.open("w", encoding="utf-8") as stream:
        for command in commands(compiler, chip, onnx_file):
            try:
                done = subprocess.run(
                    command, cwd=folder, stdout=stream, stderr=subprocess.STDOUT, check=False, timeout=LIMIT_S
                )
            except OSError as error:
                raise BrickgateError(f"{compiler} cannot be run ({error.strerror}): install it anew") from error
            except subprocess.TimeoutExpired as error:
                raise BrickgateError(f"'{COMPILER} {command[1]}' ran for more than {LIMIT_S} s: see {log}") from error
            if done.returncode != 0:
                raise BrickgateError(f"'{COMPILER} {command[1]}' failed for {chip}: see {log}")
    files = sorted(made.glob("*.hef"))
    if not files:
        raise BrickgateError(f"'{COMPILER} compiler' left no HEF file for {chip}: see {log}")
    return files[0]
