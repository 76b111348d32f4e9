"""Sets of renders in tar shards: the same samples whatever the way there, resumed, and never silently smaller."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.catalogue.colours import load_colours
from edge.errors import BrickgateError
from quantization.data.layers import hull_of, open_layers
from quantization.data.shards import open_shards
from quantization.ldraw.store import load_part
from quantization.render.plan import ShardPlan, make_plan
from quantization.render.samples import SampleMaker
from quantization.render.shards import each, render_shards

FAMILIES = {"a": ("one",), "b": ("two", "one")}


def plan(seed: int = 1, samples_a_shard: int = 4, looks: int = 5, **more: object) -> ShardPlan:
    return make_plan(FAMILIES, looks, 48, seed, samples_a_shard=samples_a_shard, **more)


def render(folder: Path, asked: ShardPlan, workers: int = 1, **more: object) -> list[Path]:
    return render_shards(asked, folder, workers, folder.parent / "cache", progress=False, **more)


def samples(folder: Path) -> dict[tuple[str, int], tuple[bytes, object]]:
    shards = open_shards([folder])
    read = [shards.read(k) for k in range(len(shards))]
    return {(label["part"], label["index"]): (picture, label) for picture, _, label in read}


@pytest.mark.parametrize(("families", "looks"), [(2, 5), (102, 600), (251, 9), (3141, 20)])
def test_a_plan_shows_each_look_once_and_every_family_first(families, looks):
    made = make_plan({f"f{k}": ("m",) for k in range(families)}, looks, 160, 1)
    entries = [made.entries(shard) for shard in range(made.shards)]
    assert Counter(entry for shard in entries for entry in shard) == Counter(
        (family, look) for family in range(families) for look in range(looks)
    )
    blocks = -(-families // made.families_a_shard)
    assert {family for shard in entries[:blocks] for family, _ in shard} == set(range(families))
    whole = len(entries[0])
    assert all(len(shard) >= 0.9 * whole for shard in entries[: made.shards - blocks])


@pytest.mark.usefixtures("library")
def test_a_set_is_what_its_labels_say(tmp_path):
    tars = render(tmp_path / "set", plan(split="train"))
    assert [path.name for path in tars] == ["layers-00000.tar", "layers-00001.tar", "layers-00002.tar"]
    shards = open_shards([tmp_path / "set"])
    assert shards.labels["part"].tolist() == ["a", "a", "b", "b"] * 2 + ["a", "b"]
    assert set(shards.labels["split"]) == {"train"}
    assert {label["mould"] for _, label in samples(tmp_path / "set").values()} == {"one", "two"}
    looks = open_layers(tmp_path / "set")
    for k in range(len(looks)):
        label = shards.label(k)
        look = looks.look(k)
        assert np.array_equal(look.hull, hull_of(look.layers[..., 3]))
        assert (look.transparent, round(look.elevation_deg, 3)) == (label["transparent"], label["elevation_deg"])
        x0, _, x1, _ = label["box_px"]
        columns = np.flatnonzero((look.layers[..., 3] > 96).any(axis=0))
        assert [columns[0], columns[-1] + 1] == pytest.approx([x0, x1], abs=1.5)
        assert 120 <= label["distance_mm"] <= 500
    contact = cv2.imread(str(tmp_path / "set" / "contact.png"))
    assert contact.std() > 10


@pytest.mark.usefixtures("library")
def test_a_sample_does_not_depend_on_shards_or_workers(tmp_path):
    render(tmp_path / "few", plan())
    render(tmp_path / "one", plan(samples_a_shard=100))
    render(tmp_path / "more", plan(looks=6, samples_a_shard=2))
    render(tmp_path / "processes", plan(), workers=2)
    for machine in (1, 0):
        render(tmp_path / "machines", plan(), part_of=(machine, 2))
    few, more = samples(tmp_path / "few"), samples(tmp_path / "more")
    assert len({picture for picture, _ in few.values()}) == 10
    assert samples(tmp_path / "one") == few
    assert {key: more[key] for key in few} == few
    for other in ("processes", "machines"):
        for tar in sorted((tmp_path / "few").glob("*.tar")):
            assert (tmp_path / other / tar.name).read_bytes() == tar.read_bytes()


@pytest.mark.usefixtures("library")
def test_a_machine_without_a_shard_of_a_small_set_has_nothing_to_do(tmp_path):
    assert plan(samples_a_shard=100).shards == 1
    said: list[str] = []
    assert render(tmp_path / "set", plan(samples_a_shard=100), part_of=(3, 4), say=said.append) == []
    assert said == [f"--shard 3/4 has nothing to render: {tmp_path / 'set'} has work for 1 of 4"]
    assert not (tmp_path / "set" / "contact.png").exists()
    assert len(render(tmp_path / "set", plan(samples_a_shard=100), part_of=(0, 4))) == 1
    assert (tmp_path / "set" / "contact.png").exists()


def test_a_sample_does_not_depend_on_who_built_the_mesh(tmp_path, library):
    tilted = "1 16 0 0 0 0.8 0 -0.6 0 1 0 0.6 0 0.8 two.dat"
    (library / "parts" / "tilted.dat").write_text(f"0 Box on edge\n0 BFC CERTIFY CCW\n{tilted}")
    built, kept = (load_part("tilted", tmp_path / "cache").mesh for _ in range(2))
    assert np.array_equal(built.normals, kept.normals)
    assert np.array_equal(built.edge_normals, kept.edge_normals)


def test_a_part_larger_than_the_cameras_distance_is_seen_from_further_away(tmp_path, library):
    times, longest_mm = 15, 15 * 16
    title, winding, *faces = [line.split() for line in (library / "parts" / "one.dat").read_text().splitlines()]
    larger = [[*face[:2], *(f"{times * float(value):g}" for value in face[2:])] for face in faces]
    (library / "parts" / "huge.dat").write_text("\n".join(map(" ".join, (title, winding, *larger))))
    asked = make_plan({"a": ("one",), "huge": ("huge",)}, 8, 48, 1)
    render(tmp_path / "set", asked)
    distances = [label["distance_mm"] for (part, _), (_, label) in samples(tmp_path / "set").items() if part == "huge"]
    assert len(distances) == 8
    assert min(distances) > longest_mm / 2
    usual = samples(tmp_path / "set")
    render(tmp_path / "usual", plan(looks=8))
    ours = {key: value for key, value in usual.items() if key[0] == "a"}
    assert {key: samples(tmp_path / "usual")[key] for key in ours} == ours, "others stay as they are"


@pytest.mark.usefixtures("library")
def test_a_killed_run_is_gone_on_with(tmp_path, monkeypatch):
    folder = tmp_path / "set"
    tars = render(folder, plan())
    before = [path.read_bytes() for path in tars]
    times = [path.stat().st_mtime_ns for path in tars]
    tars[1].write_bytes(before[1][:3000])
    tars[2].unlink()
    (folder / ".layers-00002.tar.1.part").write_bytes(before[2][:999])
    made = SampleMaker.make
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SampleMaker, "make", lambda self, family, k: stop() if k == 4 else made(self, family, k))
        render(folder, plan())
    assert tars[1].read_bytes() == before[1]
    assert not tars[2].exists()
    render(folder, plan())
    assert [path.read_bytes() for path in tars] == before
    assert tars[0].stat().st_mtime_ns == times[0]
    assert not list(folder.glob(".*"))


def stop() -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("library")
def test_pictures_are_coloured_for_good(tmp_path):
    render(tmp_path / "set", plan(looks=20, kind="pictures"))
    shards = open_shards([tmp_path / "set"])
    codes = {colour.code: colour for colour in load_colours(retired=True)}
    for k in range(len(shards)):
        picture, extension, label = shards.read(k)
        assert (extension, label["kind"]) == ("jpg", "picture")
        assert codes[label["colour"]].transparent == label["transparent"]
        assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape == (48, 48, 3)
    assert len(set(shards.labels["colour"])) > 10
    render(tmp_path / "again", plan(looks=20, kind="pictures", samples_a_shard=100))
    assert samples(tmp_path / "again") == samples(tmp_path / "set")


@pytest.mark.usefixtures("library")
def test_a_pictures_colour_is_its_labels(tmp_path):
    """The middle of an opaque part is nearer to its own colour's hue than to the others', most of the time."""
    render(tmp_path / "set", plan(looks=40, kind="pictures"))
    rgb_of = {colour.code: np.array(colour.rgb, float) for colour in load_colours(retired=True)}
    shards = open_shards([tmp_path / "set"])
    near = []
    for k in np.flatnonzero(~shards.labels["transparent"]):
        picture, _, label = shards.read(int(k))
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(float)
        x0, y0, x1, y1 = (int(edge) for edge in label["box_px"])
        u, v = (x0 + x1) // 2, (y0 + y1) // 2
        seen, named = image[v - 2 : v + 3, u - 2 : u + 3].mean(axis=(0, 1)), rgb_of[label["colour"]]
        if np.ptp(named) > 90:
            near.append(seen.argmax() == named.argmax())
    assert len(near) > 15
    assert np.mean(near) > 0.85


@pytest.mark.usefixtures("library")
def test_a_folder_of_another_set_is_refused(tmp_path):
    render(tmp_path / "set", plan(looks=2))
    first = plan(looks=2)
    mistaken = replace(first, moulds=(("nowhere",), *first.moulds[1:]))
    for other, how in (
        (plan(seed=2, looks=2), "its seed was 1 and is 2"),
        (plan(looks=3), "its per_family was 2 and is 3"),
        (plan(looks=2, kind="pictures"), "its kind was layers and is pictures"),
        (
            replace(first, families=(*first.families[:-1], "new")),
            f"of other families: it lacks new, it has {first.families[-1]}",
        ),
        (mistaken, f"{first.families[0]} has other moulds"),
    ):
        with pytest.raises(BrickgateError) as caught:
            render(tmp_path / "set", other)
        assert f"set holds another set of renders ({how}): give another --work, or empty this" in str(caught.value)


@pytest.mark.usefixtures("library")
def test_a_set_that_cannot_be_told_any_more_is_named_with_what_to_do(tmp_path):
    render(tmp_path / "set", plan(looks=2))
    (tmp_path / "set" / "set.json").write_text("{")
    shards = sorted((tmp_path / "set").glob("*.tar"))
    with pytest.raises(BrickgateError, match=r"set\.json is damaged, .*: empty .*set, and render again"):
        render(tmp_path / "set", plan(looks=2))
    assert sorted((tmp_path / "set").glob("*.tar")) == shards
    (tmp_path / "set" / "set.json").unlink()
    render(tmp_path / "set", plan(looks=2))


@pytest.mark.usefixtures("library")
def test_parts_that_cannot_be_built_are_all_named_before_anything_is_rendered(tmp_path, library):
    (library / "parts" / "broken.dat").write_text("0 Broken\n4 16 1 2 3\n")
    (library / "parts" / "hollow.dat").write_text("0 Hollow\n1 16 0 0 0 1 0 0 0 1 0 0 0 1 gone.dat\n")
    asked = make_plan({"a": ("one",), "b": ("broken",), "c": ("nowhere",), "d": ("hollow",)}, 2, 48, 1)
    with pytest.raises(BrickgateError) as caught:
        render(tmp_path / "set", asked)
    message = str(caught.value)
    assert message.startswith("3 of 4 parts cannot be built: LDraw file broken.dat, line 2 is malformed")
    assert "hollow: LDraw file gone.dat is not in" in message
    assert "nowhere.dat is not in" in message
    assert message.endswith("correct the library, or leave them out of the list of families")
    assert not list((tmp_path / "set").glob("*.tar"))


def test_a_part_that_a_newer_library_draws_otherwise_is_built_anew(tmp_path, library, monkeypatch):
    """Renders made anew would show it as it was, for good."""
    (library / "parts" / "sub.dat").write_text((library / "parts" / "one.dat").read_text())
    (library / "parts" / "one.dat").write_text("0 Box\n1 16 0 0 0 1 0 0 0 1 0 0 0 1 sub.dat\n")
    cache, said = tmp_path / "cache", []
    render(tmp_path / "set", plan(), say=said.append)
    kept, before = load_part("two", cache).mesh, (cache / "two.npz").stat().st_mtime_ns
    newer = tmp_path / "newer"
    shutil.copytree(library, newer)
    (newer / "parts" / "sub.dat").write_text((library / "parts" / "two.dat").read_text())
    monkeypatch.setenv("LDRAWDIR", str(newer))
    render(tmp_path / "set", plan(), say=said.append)
    assert said == [], "nothing is left to render"
    (tmp_path / "set" / "layers-00002.tar").unlink()
    render(tmp_path / "set", plan(), say=said.append)
    assert said == [
        f"LDraw draws one otherwise than when {cache} was filled: built anew, while finished shards stay as they are"
    ]
    assert np.array_equal(load_part("one", cache).mesh.vertices_mm, kept.vertices_mm)
    assert (cache / "two.npz").stat().st_mtime_ns == before
    render(tmp_path / "again", plan(), say=said.append)
    assert len(said) == 1


@pytest.mark.usefixtures("library")
def test_a_full_disk_keeps_what_was_finished(tmp_path):
    folder = tmp_path / "set"
    whole = render(tmp_path / "whole", plan())
    shutil.copytree(tmp_path / "whole", folder)
    (folder / "layers-00001.tar").unlink()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(BrickgateError, match=r"layers-00001\.tar does not fit on the disk .* run the same command"):
            render(folder, plan())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert len(open_shards([folder])) == 6
    assert [path.read_bytes() for path in render(folder, plan())] == [path.read_bytes() for path in whole]


def test_a_killed_worker_is_one_line():
    with pytest.raises(BrickgateError, match=r"a rendering process was killed .* finished shards are kept"):
        list(each(os._exit, [9, 9], 2))


def test_jobs_in_processes_give_all_results():
    assert sorted(each(abs, [-3, 2, -1], 2)) == [1, 2, 3]
