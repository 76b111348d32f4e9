"""Compiles an int8 TFLite model for the Edge TPU, where Coral's compiler is installed.

The options and the files that come out are those of Coral's page "Edge TPU Compiler"
(https://coral.ai/docs/edgetpu/compiler/): `edgetpu_compiler --out_dir DIR model.tflite` writes `model_edgetpu.tflite`
and `model_edgetpu.log`, whose table names each operator, how many there are and whether they were mapped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edge.errors import BrickgateError
from quantization.export.flatbuffer import read_contents

COMPILER = "edgetpu_compiler"
MAPPED = "Mapped to Edge TPU"
LIMIT_S = 600
_ROW = re.compile(r"^([A-Z][A-Z0-9_]*)\s+(\d+)\s+(\S.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the compiler's table."""

    operator: str
    count: int
    status: str

    @property
    def mapped(self) -> bool:
        return self.status == MAPPED


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled file and what became of the operators."""

    file: Path
    rows: tuple[Row, ...]

    @property
    def note(self) -> str:
        """How much runs on the Edge TPU, in one line."""
        total = sum(row.count for row in self.rows)
        left = [f"{row.count} {row.operator} ({row.status})" for row in self.rows if not row.mapped]
        on_tpu = sum(row.count for row in self.rows if row.mapped)
        return f"{on_tpu} of {total} operators on the Edge TPU" + (f"; on the CPU: {', '.join(left)}" if left else "")


def find_compiler() -> str | None:
    """The compiler on the PATH."""
    return shutil.which(COMPILER)


def compile_for_edge_tpu(compiler: str, model: Path, folder: Path) -> Compiled:
    """Compiles `model` into `folder`.

    Raises:
        BrickgateError: the compiler failed, ran too long, or mapped nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, log = folder / f"{model.stem}_edgetpu.tflite", folder / f"{model.stem}_edgetpu.log"
    file.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            [compiler, "--out_dir", str(folder), str(model)],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    except OSError as error:
        raise BrickgateError(f"{compiler} cannot be run ({error.strerror}): install edgetpu-compiler anew") from error
    except subprocess.TimeoutExpired as error:
        raise BrickgateError(f"{compiler} ran for more than {LIMIT_S} s on {model}: it was stopped") from error
    if done.returncode != 0 or not file.is_file():
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise BrickgateError(f"{COMPILER} failed on {model} ({lines[-1].strip() if lines else 'it said nothing'})")
    if not read_contents(file).compiled:
        raise BrickgateError(f"{COMPILER} mapped no operator of {model}: see {log}")
    return Compiled(file, parse_log(log.read_text(encoding="utf-8") if log.is_file() else done.stdout))


def parse_log(text: str) -> tuple[Row, ...]:
    """The rows of the compiler's table of operators."""
    return tuple(Row(operator, int(count), status) for operator, count, status in _ROW.findall(text))
