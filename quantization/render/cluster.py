"""Renders shards on a Ray cluster. Meshes travel to the machines and shards travel back: they share no folder."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge.errors import BrickgateError
from quantization.data.shard_rows import index_path
from quantization.data.shard_writer import not_written
from quantization.ldraw.store import load_part
from quantization.render.plan import ShardPlan
from quantization.render.shards import Job, render_shard

IN_FLIGHT_A_CORE = 2
"""Shards asked for ahead: enough to keep a core busy while one travels."""


def render_on_cluster(address: str, jobs: Sequence[Job]) -> Iterator[int]:
    """Render shards on a cluster; yield their numbers as they are written here.

    A machine that is lost costs time only: Ray gives its shards to another.

    Args:
        address: as Ray takes it: "auto", "HOST:6379", "ray://HOST:10001", or "local" for this machine alone.
        jobs: as for `render_shard`; their folders are this machine's.

    Raises:
        BrickgateError: Ray is not installed, no cluster answers, or a shard failed.
    """
    ray = _connect(address)
    try:
        remote = ray.remote(num_cpus=1, max_retries=3)(render_away)
        most = IN_FLIGHT_A_CORE * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        waiting, running = list(reversed(jobs)), {}
        while waiting or running:
            while waiting and len(running) < most:
                job = waiting.pop()
                running[remote.remote(job[0], job[1], _meshes(job))] = job
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            job = running.pop(done)
            yield _write(job, _result(ray, done))
    finally:
        ray.shutdown()


def _connect(address: str) -> Any:
    try:
        import ray
    except ModuleNotFoundError:
        raise BrickgateError("--cluster needs Ray: pip install 'brickgate[cluster]'") from None
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        line = " ".join(str(error).split())
        raise BrickgateError(f"no Ray cluster at {address} ({line[:200]}): start one with 'ray start'") from error
    return ray


def _result(ray: Any, done: Any) -> dict[str, bytes]:
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, BrickgateError) else error
        raise BrickgateError(f"a machine of the cluster failed: {' '.join(str(cause).split())[-300:]}") from error
    except ray.exceptions.RayError as error:
        raise BrickgateError(
            f"the cluster lost a shard ({' '.join(str(error).split())[:200]}); finished shards are kept:"
            " run the same command to go on"
        ) from error


def _meshes(job: Job) -> dict[str, bytes]:
    """Return the mesh files that a shard needs."""
    plan, shard, _, cache_dir = job
    moulds = {mould for family in plan.families_of(shard) for mould in plan.moulds[family]}
    for mould in moulds:
        load_part(mould, cache_dir)  # makes those of an older format anew
    return {mould: (cache_dir / f"{mould}.npz").read_bytes() for mould in sorted(moulds)}


def render_away(plan: ShardPlan, shard: int, meshes: dict[str, bytes]) -> dict[str, bytes]:
    """Render one shard on whatever machine this is; return its tar and its index by suffix."""
    with tempfile.TemporaryDirectory(prefix="brickgate-") as folder:
        cache_dir, out_dir = Path(folder) / "meshes", Path(folder) / "set"
        cache_dir.mkdir()
        for mould, data in meshes.items():
            (cache_dir / f"{mould}.npz").write_bytes(data)
        render_shard((plan, shard, out_dir, cache_dir))
        tar = plan.path(out_dir, shard)
        return {path.suffix: path.read_bytes() for path in (tar, index_path(tar))}


def _write(job: Job, files: dict[str, bytes]) -> int:
    plan, shard, out_dir, _ = job
    path = plan.path(out_dir, shard)
    for target in (index_path(path), path):  # the tar last: with it the shard is finished
        temporary = target.with_name(f".{target.name}.part")
        try:
            temporary.write_bytes(files[target.suffix])
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise not_written(path, error) from error
    return shard
