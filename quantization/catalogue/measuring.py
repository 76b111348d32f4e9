"""Measures thousands of moulds, building their meshes on the way."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from edge.errors import BrickgateError
from quantization.catalogue.shapes import Shape, measure
from quantization.ldraw.library import Library

AT_ONCE = 200
"""Moulds a process: LDraw's parser keeps all that it has read, 0.3 MB a mould."""


def measure_all(
    numbers: Sequence[str], meshes: Path, library: Library, workers: int, report: Callable[[str], None]
) -> tuple[dict[str, Shape], dict[str, str]]:
    """The shapes of moulds, and why others have none.

    Args:
        meshes: folder of built meshes: a stopped run goes on where it was.
        workers: processes.
        report: takes a line on how far it is.
    """
    if len(numbers) <= AT_ONCE:
        return measure_some(numbers, meshes, library)
    shapes: dict[str, Shape] = {}
    problems: dict[str, str] = {}
    chunks = [numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(workers, 1), context, max_tasks_per_child=1) as pool:
        jobs = [pool.submit(measure_some, chunk, meshes, library) for chunk in chunks]
        for job in jobs:
            found, failed = job.result()
            shapes.update(found)
            problems.update(failed)
            report(f"measured {len(shapes) + len(problems)} of {len(numbers)} moulds")
    return shapes, problems


def measure_some(numbers: Sequence[str], meshes: Path, library: Library) -> tuple[dict[str, Shape], dict[str, str]]:
    """As `measure_all`, in this process."""
    shapes: dict[str, Shape] = {}
    problems: dict[str, str] = {}
    for number in numbers:
        try:
            shapes[number] = measure(number, meshes, library)
        except BrickgateError as error:
            problems[number] = str(error)
        except (ValueError, ArithmeticError, IndexError, RuntimeError) as error:
            # numpy, scipy and trimesh: faces without area, hulls without volume.
            problems[number] = f"its faces enclose nothing ({' '.join(str(error).split())[:80]})"
    return shapes, problems
