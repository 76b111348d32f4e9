"""Rendering on a Ray cluster: the same shards as without one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge.errors import BrickgateError
from quantization.render.cluster import render_away, render_on_cluster
from quantization.render.plan import ShardPlan, make_plan
from quantization.render.shards import render_shards


def plan() -> ShardPlan:
    return make_plan({"a": ("one",), "b": ("two", "one")}, 3, 48, 1, samples_a_shard=2)


def render(folder: Path, cluster: str | None) -> dict[str, bytes]:
    tars = render_shards(plan(), folder, 1, folder.parent / "cache", progress=False, cluster=cluster)
    return {path.name: path.read_bytes() for tar in tars for path in (tar, tar.with_suffix(".index"))}


@pytest.mark.slow
@pytest.mark.usefixtures("library")
def test_two_workers_of_a_cluster_make_the_same_shards(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'brickgate[cluster]'")
    assert render(tmp_path / "cluster", "local") == render(tmp_path / "here", None)


def test_a_machine_needs_neither_the_library_nor_the_folders_of_the_asking_one(tmp_path, library, monkeypatch):
    here = render(tmp_path / "here", None)
    meshes = {name: (tmp_path / "cache" / f"{name}.npz").read_bytes() for name in ("one", "two")}
    monkeypatch.setenv("LDRAWDIR", "/nowhere")
    for shard in range(plan().shards):
        files = render_away(plan(), shard, meshes)
        assert files == {suffix: here[f"layers-{shard:05d}{suffix}"] for suffix in (".tar", ".index")}


def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BrickgateError, match=r"--cluster needs Ray: pip install 'brickgate\[cluster\]'"):
        list(render_on_cluster("auto", [(plan(), 0, tmp_path, tmp_path)]))
