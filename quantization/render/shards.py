"""Render a training set in shards that training can start on while later ones are still being rendered.

A set's folder holds `NNNNN.npy` ((n, H, W, 4) uint8 layers) and `NNNNN.npz` (labels) for each shard, besides
`set.json` (what was asked for) and `contact.png`. Each shard holds all families: shard k the looks from k·m
to k·m+m-1 of every family. The labels' file is written last, so a shard without one is unfinished.
"""

import argparse
import csv
import multiprocessing
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge.errors import BrickgateError
from quantization.ldraw.mesh import PartMesh
from quantization.ldraw.recess import with_recesses
from quantization.ldraw.store import Part, load_part
from quantization.render.contact import write_contact
from quantization.render.plan import ShardPlan, claim, is_finished
from quantization.render.renderer import Renderer
from quantization.render.sampler import RECESS_SHARE, sample_rng, sample_scene
from quantization.render.scene import RenderedLook

LOOKS_A_SHARD = 2000

Labels = dict[str, NDArray[np.generic]]


def render_shards(
    parts: Sequence[str],
    moulds_by_family: dict[str, Sequence[str]],
    per_family: int,
    size_px: int,
    seed: int,
    out_dir: Path,
    workers: int,
    cache_dir: Path,
    progress: bool = True,
    part_of: tuple[int, int] = (0, 1),
) -> list[Path]:
    """Render what is missing of a set; finished shards stay, so a killed run is resumed by running it again.

    Args:
        parts: the families, in the order of their indices.
        moulds_by_family: LDraw numbers of each family, drawn from evenly.
        per_family: looks a family.
        size_px: side of a look.
        seed: the set's seed; a look depends only on it, its mould's family and its index.
        out_dir: folder of the set.
        workers: processes.
        cache_dir: folder of built meshes.
        progress: show a bar.
        part_of: (i, n): render only every n-th shard, starting with the i-th, on one of n machines.

    Returns:
        The label files of all finished shards.

    Raises:
        BrickgateError: the folder holds another set, or a part cannot be built.
    """
    moulds = tuple(tuple(moulds_by_family[part]) for part in parts)
    a_shard = min(max(1, round(LOOKS_A_SHARD / len(parts))), per_family)
    plan = ShardPlan(tuple(parts), moulds, per_family, size_px, seed, a_shard)
    out_dir.mkdir(parents=True, exist_ok=True)
    claim(plan, out_dir)
    for mould in {mould for family in moulds for mould in family}:
        load_part(mould, cache_dir)  # fails here, at once, rather than in a worker after an hour
    mine = range(part_of[0], plan.shards, part_of[1])
    missing = [shard for shard in mine if not is_finished(plan, out_dir, shard)]
    _run(plan, missing, out_dir, cache_dir, workers, len(mine), progress)
    return sorted(out_dir.glob("[0-9]*.npz"))


def _run(
    plan: ShardPlan,
    missing: list[int],
    out_dir: Path,
    cache_dir: Path,
    workers: int,
    total: int,
    progress: bool,
) -> None:
    columns = (
        TextColumn("rendering"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("shards"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not progress) as bar:
        task = bar.add_task("shards", total=total, completed=total - len(missing))

        def done(shard: int) -> None:
            bar.advance(task)
            contact = out_dir / "contact.png"
            if not contact.exists():
                write_contact(out_dir / f"{shard:05d}.npy", plan.families, contact)

        jobs = [(plan, shard, out_dir, cache_dir) for shard in missing]
        _each(jobs, workers, done)


def _each(jobs: list[tuple[ShardPlan, int, Path, Path]], workers: int, done: Callable[[int], None]) -> None:
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            done(render_shard(job))
        return
    # A process a core renders more than one process with threads: llvmpipe's threads wait for each other.
    os.environ["LP_NUM_THREADS"] = "0"
    with multiprocessing.get_context("spawn").Pool(min(workers, len(jobs))) as pool:
        for shard in pool.imap_unordered(render_shard, jobs):
            done(shard)


_renderers: dict[int, Renderer] = {}
_parts: dict[tuple[Path, str], tuple[Part, PartMesh]] = {}


def render_shard(job: tuple[ShardPlan, int, Path, Path]) -> int:
    """Render and write one shard; return its number."""
    plan, shard, out_dir, cache_dir = job
    if plan.size_px not in _renderers:
        os.environ.setdefault("LP_NUM_THREADS", "0")
        _renderers[plan.size_px] = Renderer(plan.size_px)
    renderer = _renderers[plan.size_px]
    entries = plan.entries(shard)
    layers = np.empty((len(entries), plan.size_px, plan.size_px, 4), np.uint8)
    looks: list[tuple[str, bool, RenderedLook]] = []
    for row, (family, index) in enumerate(entries):
        mould, recessed, look = _render_look(renderer, plan, family, index, cache_dir)
        layers[row] = look.layers
        looks.append((mould, recessed, look))
    labels = _labels(entries, looks)
    temporary = out_dir / f".{shard:05d}-{os.getpid()}.npy"
    np.save(temporary, layers)
    temporary.replace(out_dir / f"{shard:05d}.npy")
    temporary = temporary.with_suffix(".npz")
    np.savez_compressed(temporary, **labels)  # type: ignore[arg-type]
    temporary.replace(out_dir / f"{shard:05d}.npz")
    return shard


def _render_look(
    renderer: Renderer, plan: ShardPlan, family: int, index: int, cache_dir: Path
) -> tuple[str, bool, RenderedLook]:
    rng = sample_rng(plan.seed, plan.families[family], index)
    moulds = plan.moulds[family]
    mould = moulds[int(rng.integers(len(moulds)))]
    part, with_recess = _part(mould, cache_dir)
    recessed = bool(rng.random() < RECESS_SHARE) and len(part.recesses_mm) > 0
    scene = sample_scene(rng, part.poses)
    return mould, recessed, renderer.look(with_recess if recessed else part.mesh, scene)


def _part(mould: str, cache_dir: Path) -> tuple[Part, PartMesh]:
    key = (cache_dir, mould)
    if key not in _parts:
        part = load_part(mould, cache_dir)
        _parts[key] = (part, with_recesses(part.mesh, part.recesses_mm))
    return _parts[key]


def _labels(entries: list[tuple[int, int]], looks: list[tuple[str, bool, RenderedLook]]) -> Labels:
    """Return one column a label, each with one row a look."""
    return {
        "family": np.array([family for family, _ in entries], np.int16),
        "index": np.array([index for _, index in entries], np.int32),
        "mould": np.array([mould for mould, _, _ in looks]),
        "underside_recess": np.array([recessed for _, recessed, _ in looks]),
        "box_px": np.array([look.box_px for _, _, look in looks], np.float32),
        "mm_per_px": np.array([look.mm_per_px for _, _, look in looks], np.float32),
        "elevation_deg": np.array([look.elevation_deg for _, _, look in looks], np.float32),
        "azimuth_deg": np.array([look.azimuth_deg for _, _, look in looks], np.float32),
        "pose": np.array([look.pose for _, _, look in looks], np.int8),
        "transparent": np.array([look.transparent for _, _, look in looks]),
    }


def read_families(path: Path) -> dict[str, tuple[str, ...]]:
    """Read families from a CSV file with the columns part_family and ldraw_moulds (separated by ';')."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["part_family"]: tuple(row["ldraw_moulds"].split(";")) for row in csv.DictReader(file)}


def main() -> None:
    """Render the set that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m quantization.render.shards", description="Render a training set.")
    parser.add_argument("--families", type=Path, required=True, help="CSV: part_family, ldraw_moulds (;)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the set")
    parser.add_argument("--cache", type=Path, required=True, help="folder of built meshes")
    parser.add_argument("--per-family", type=int, default=1200, help="looks a family")
    parser.add_argument("--size-px", type=int, default=160, help="side of a look")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--shard", default="0/1", help="i/n: render every n-th shard, starting with the i-th")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    args = parser.parse_args()
    families = read_families(args.families)
    first, every = (int(number) for number in args.shard.split("/"))
    try:
        render_shards(
            list(families), dict(families), args.per_family, args.size_px, args.seed, args.out, args.workers,
            args.cache, not args.quiet, (first, every),
        )  # fmt: skip
    except BrickgateError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
