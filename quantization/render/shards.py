"""Render a training set in tar shards that training can start on while later ones are still being rendered.

A set's folder holds the shards with their indices (`quantization.data.shards`), `set.json` (what was asked for) and
`contact.png`. A shard is made anew or not at all: a run that is killed, or a machine that is lost, costs the shards
that were being written, and running the command again makes those, byte for byte as they would have been.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge.errors import BrickgateError
from quantization.data.opening import listed
from quantization.data.shards import ShardWriter, open_shards
from quantization.ldraw.library import library_dir
from quantization.ldraw.store import is_outdated, keep_part
from quantization.render.contact import CONTACT_FILE, write_contact
from quantization.render.plan import ShardPlan, claim
from quantization.render.renderer import Renderer
from quantization.render.samples import SampleMaker

NAMED_FAILURES = 5

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def render_shards(
    plan: ShardPlan,
    out_dir: Path,
    workers: int,
    cache_dir: Path,
    progress: bool = True,
    part_of: tuple[int, int] = (0, 1),
    cluster: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Render what is missing of a set; finished shards stay, so a killed run is resumed by running it again.

    Args:
        plan: what the set holds.
        out_dir: folder of the set.
        workers: processes on this machine.
        cache_dir: folder of built meshes.
        progress: show a bar.
        part_of: (i, n): render only every n-th shard, starting with the i-th, on one of n machines.
        cluster: address of a Ray cluster that renders instead of this machine.
        say: told in one line where parts are drawn otherwise than when their meshes were built, or where this machine
            has nothing to render.

    Returns:
        All finished shards.

    Raises:
        BrickgateError: the folder holds another set, a part cannot be built, the disk is full, or a worker died.
    """
    claim(plan, out_dir)
    mine = range(part_of[0], plan.shards, part_of[1])
    if not mine:
        number, machines = part_of
        say(f"--shard {number}/{machines} has nothing to render: {out_dir} has work for {plan.shards} of {machines}")
    missing = [shard for shard in mine if not plan.is_finished(out_dir, shard)]
    build_meshes(plan, missing, cache_dir, workers, say)
    jobs = [(plan, shard, out_dir, cache_dir) for shard in missing]
    for _ in _shown(_rendered(jobs, workers, cluster), len(missing), len(mine), progress):
        if not (out_dir / CONTACT_FILE).exists():
            write_contact(open_shards([out_dir]), out_dir / CONTACT_FILE)
    finished = sorted(out_dir.glob("[!.]*.tar"))
    # One of many machines may have no shard of a small set to render.
    if finished and (missing or not (out_dir / CONTACT_FILE).exists()):
        write_contact(open_shards([out_dir]), out_dir / CONTACT_FILE)
    return finished


Job = tuple[ShardPlan, int, Path, Path]


def _rendered(jobs: Sequence[Job], workers: int, cluster: str | None) -> Iterable[int]:
    if cluster is not None:
        from quantization.render.cluster import render_on_cluster

        return render_on_cluster(cluster, jobs)
    # A process a core renders more than one process with threads: llvmpipe's threads wait for each other.
    os.environ["LP_NUM_THREADS"] = "0"
    return each(render_shard, jobs, workers)


def _shown(done: Iterable[int], missing: int, total: int, progress: bool) -> Iterator[int]:
    columns = (
        TextColumn("rendering"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("shards"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not progress) as bar:
        task = bar.add_task("shards", total=total, completed=total - missing)
        for shard in done:
            bar.advance(task)
            yield shard


def render_shard(job: Job) -> int:
    """Render and write one shard; return its number."""
    plan, shard, out_dir, cache_dir = job
    maker = SampleMaker(plan, cache_dir, _renderer(plan.size_px))
    entries = plan.entries(shard)
    with ShardWriter(out_dir, plan.kind, len(entries), first_shard=shard) as writer:
        for family, index in entries:
            writer.add(*maker.make(family, index))
    return shard


@cache
def _renderer(size_px: int) -> Renderer:
    os.environ.setdefault("LP_NUM_THREADS", "0")
    return Renderer(size_px)


def build_meshes(
    plan: ShardPlan, shards: Iterable[int], cache_dir: Path, workers: int, say: Callable[[str], None]
) -> None:
    """Build what some shards show and is not yet in the cache, so that no worker fails after an hour; what LDraw draws
    otherwise by now is built anew, and said.

    Raises:
        BrickgateError: names every mould that cannot be built; or there is no LDraw library to build any from.
    """
    families = sorted({family for shard in shards for family in plan.families_of(shard)})
    moulds = sorted({mould for family in families for mould in plan.moulds[family]})
    outdated = [mould for mould in moulds if is_outdated(mould, cache_dir)]
    if outdated:
        say(
            f"LDraw draws {listed(outdated)} otherwise than when {cache_dir} was filled: built anew, while finished"
            " shards stay as they are"
        )
    jobs = [(mould, cache_dir) for mould in moulds if mould in outdated or not (cache_dir / f"{mould}.npz").exists()]
    if jobs:
        library_dir()
    failures = [problem for problem in each(build_mesh, jobs, workers) if problem]
    if failures:
        more = f" (and {len(failures) - NAMED_FAILURES} more)" if len(failures) > NAMED_FAILURES else ""
        raise BrickgateError(
            f"{len(failures)} of {len(moulds)} parts cannot be built: {'; '.join(failures[:NAMED_FAILURES])}{more}:"
            " correct the library, or leave them out of the list of families"
        )


def build_mesh(job: tuple[str, Path]) -> str | None:
    """Build one mould; return what is wrong with it, if anything."""
    mould, cache_dir = job
    try:
        keep_part(mould, cache_dir)
    except BrickgateError as error:
        line = str(error)
        return line if mould in line else f"{mould}: {line}"
    return None


def each(work: Callable[[Argument], Result], jobs: Sequence[Argument], workers: int) -> Iterator[Result]:
    """Do jobs in processes; yield results as they come.

    Raises:
        BrickgateError: a process was killed, or a job's own error.
    """
    if workers <= 1 or len(jobs) <= 1:
        yield from map(work, jobs)
        return
    others = set(active_children())
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn"))
    try:
        running: list[Future[Result]] = [pool.submit(work, job) for job in jobs]
        for done in as_completed(running):
            yield done.result()
        pool.shutdown()
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(active_children()) - others:
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise BrickgateError(
                "a rendering process was killed (out of memory?); finished shards are kept: run the same command to go"
                " on, with fewer --workers if it happens again"
            ) from error
        raise
