"""Batches for training: in one global order, from shards of layers and of pictures."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from itertools import islice

import cv2
import numpy as np
import pytest

from edge.errors import BrickgateError, InputError
from quantization.data import augment
from quantization.data.belts import make_belts
from quantization.data.opening import Opening, listed, open_any
from quantization.data.shards import ShardWriter
from quantization.data.stream import DAMAGED, Mix, batches, stream, told_of_killed_makers
from quantization.recipe import Family

FAMILIES = [Family("3001", ("3001", "3001a"), (), "Brick 2 x 4"), Family("3003", ("3003",), ("6223",), "Brick 2 x 2")]


@pytest.fixture(autouse=True)
def few_belts(monkeypatch):
    monkeypatch.setattr(augment, "make_belts", lambda rng, size_px: make_belts(rng, size_px, 6))


def first(renders, seed, count=3):
    return [
        (pictures.numpy(), families.numpy()) for pictures, families in islice(stream(renders, 32, 5, seed, 0), count)
    ]


def write_pictures(folder, parts, split=None, colours=None):
    """A shard of plain pictures, as a camera's crops are."""
    folder.mkdir()
    with ShardWriter(folder, "tiles", len(parts)) as writer:
        for k, part in enumerate(parts):
            picture = np.full((30, 20, 3), (40, 90, 160) if colours is None else colours[k], np.uint8)
            label = {"part": part, "source": "tile", "kind": "picture", "split": split}
            writer.add(f"{k}", cv2.imencode(".png", picture)[1].tobytes(), "png", label)
    return folder


def opening(said=None, damaged="refuse"):
    return Opening(FAMILIES, damaged, ([] if said is None else said).append)


def test_batches_have_pictures_and_families(renders):
    for pictures, families in first(renders, 1):
        assert pictures.shape == (5, 32, 32, 3)
        assert pictures.dtype == np.uint8
        assert families.shape == (5,)
        assert set(families) <= {0, 1}


def test_the_seed_repeats_them(renders):
    once, again, other = first(renders, 1), first(renders, 1), first(renders, 2)
    assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(once, again, strict=True))
    assert not np.array_equal(once[0][0], other[0][0])


def test_workers_see_together_what_one_sees_alone(renders):
    mix = Mix([open_any(renders)], (1.0,), 3)
    alone = [batch[:2] for batch in islice(batches(mix, 32, 5), 4)]
    parts = [list(islice(batches(mix, 32, 5, rank=rank, workers=2), 4)) for rank in range(2)]
    for k, (pictures, families) in enumerate(alone):
        assert [len(part[k][1]) for part in parts] == [2, 3]
        assert np.array_equal(np.concatenate([part[k][0] for part in parts]), pictures)
        assert np.array_equal(np.concatenate([part[k][1] for part in parts]), families)
    later = next(batches(mix, 32, 5, start=10))
    assert np.array_equal(later[0], alone[2][0])


def test_processes_make_the_same_batches(renders):
    mix = Mix([open_any(renders)], (1.0,), 3)
    inline, elsewhere = (list(islice(batches(mix, 32, 5, loaders=loaders), 3)) for loaders in (0, 2))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(inline, elsewhere, strict=True))


def test_an_epoch_later_the_same_look_is_another_picture(renders):
    mix = Mix([open_any(renders)], (1.0,), 3)
    made = batches(mix, 32, 12)
    (once, shown, _), (again, later, _) = next(made), next(made)
    assert sorted(shown.tolist()) == sorted(later.tolist())
    assert len({picture.numpy().tobytes() for picture in (*once, *again)}) == 24


def test_a_share_of_the_pictures_has_other_colours(renders):
    """Some are grey and as bright as they were, some tinted, and the others as they would be without any of these."""
    source = open_any(renders)
    plain, mixed = (
        next(batches(Mix([source], (1.0,), 3, recoloured_share=share), 32, 60))[0].numpy().astype(float)
        for share in (0, 0.6)
    )
    same = (plain == mixed).all(axis=(1, 2, 3))
    grey = (np.ptp(mixed, axis=3) == 0).all(axis=(1, 2)) & ~same
    tinted = ~same & ~grey
    assert min(same.sum(), grey.sum(), tinted.sum()) >= 9
    brightness = plain[grey] @ (0.299, 0.587, 0.114)
    assert np.abs(mixed[grey][..., 0] - brightness).max() <= 1
    gains = mixed[tinted].sum(axis=(1, 2)) / plain[tinted].sum(axis=(1, 2))
    assert (mixed[tinted] <= plain[tinted]).all()
    assert np.ptp(gains, axis=1).max() > 0.2


def test_a_share_of_the_pictures_is_coarse(renders):
    """Some are as bright as they were with less between neighbours, and the others as they would be without this."""
    source = open_any(renders)
    plain, mixed = (
        next(batches(Mix([source], (1.0,), 3, coarsened_share=share), 32, 60))[0].numpy().astype(float)
        for share in (0, 0.5)
    )
    coarse = (plain != mixed).any(axis=(1, 2, 3))
    assert min(coarse.sum(), (~coarse).sum()) >= 15
    assert np.abs(mixed.mean(axis=(1, 2, 3)) - plain.mean(axis=(1, 2, 3))).max() < 4
    before, after = (np.abs(np.diff(pictures[coarse], axis=2)).mean(axis=(1, 2, 3)) for pictures in (plain, mixed))
    assert (after < before).all()


def test_nothing_to_read_is_said_at_once(tmp_path):
    with pytest.raises(InputError, match="no finished shard"):
        stream(tmp_path, 32, 5, 1, 0)


def test_pictures_are_mixed_in_by_their_share(renders, tmp_path):
    tiles = write_pictures(tmp_path / "tiles", ["3001a", "6223", "3003"])
    mix = Mix([open_any(renders), opening().shards(tiles)], (0.75, 0.25), 3)
    made = list(islice(batches(mix, 32, 50), 20))
    order = mix.order.at(np.arange(1000))
    assert (order[0] == 1).sum() == 250
    families = np.concatenate([batch[1].numpy() for batch in made])
    from_tiles = order[0] == 1
    assert np.array_equal(families[from_tiles], np.array([0, 1, 1])[order[2][from_tiles]])


def test_a_picture_is_taken_anew_and_turned_by_quarters_but_not_moved(tmp_path):
    """One side is dark and the other bright in all, whatever the light; no two are the same."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, 20:] = 200
    with ShardWriter(folder, "tiles", 1) as writer:
        label = {"part": "3001", "source": "capture", "kind": "picture"}
        writer.add("0", cv2.imencode(".png", picture)[1].tobytes(), "png", label)
    pictures = next(batches(Mix([opening().shards(folder)], (1.0,), 3), 32, 30))[0].numpy().astype(float)
    middle, first, last = slice(8, 24), slice(2, 10), slice(22, 30)
    sides = [np.s_[:, middle, last], np.s_[:, first, middle], np.s_[:, middle, first], np.s_[:, last, middle]]
    by_side = np.stack([pictures[side].mean((1, 2, 3)) for side in sides])  # right, above, left, below
    bright = by_side.argmax(axis=0)
    assert set(bright.tolist()) == {0, 1, 2, 3}
    at_bright, opposite = (by_side[place, range(30)] for place in (bright, (bright + 2) % 4))
    assert (at_bright > opposite + 40).all()
    assert len(np.unique(at_bright)) == 30
    assert at_bright.std() > 8


def test_labels_are_understood_by_any_name_of_a_family_and_others_named(tmp_path):
    said = []
    source = opening(said).shards(write_pictures(tmp_path / "tiles", ["3001", "9999", "6223", "3001a", "9999", "77"]))
    assert source.families.tolist() == [0, 1, 0]
    assert said == [f"{tmp_path / 'tiles'}: 3 of 6 samples are of no family of the recipe (9999, 77): left out"]
    with pytest.raises(InputError, match="strange shows no part of the recipe: give other shards, or correct its"):
        opening().shards(write_pictures(tmp_path / "strange", ["9999"]))


def test_what_is_kept_for_testing_is_not_trained_on(tmp_path):
    write_pictures(tmp_path / "tiles", ["3001", "3003"], split="test")
    with ShardWriter(tmp_path / "tiles", "more", 1) as writer:
        picture = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
        writer.add("x", picture, "png", {"part": "3001", "source": "tile", "kind": "picture", "split": "train"})
    assert opening().shards(tmp_path / "tiles").families.tolist() == [0]
    assert len(opening().shards(tmp_path / "tiles", test=True).families) == 3


def test_families_without_a_sample_are_found(tmp_path):
    source = opening().shards(write_pictures(tmp_path / "tiles", ["3003"]))
    assert opening().without_samples([source]) == ["3001"]
    assert listed([str(k) for k in range(8)]) == "0, 1, 2, 3, 4 and 3 more"


@pytest.fixture
def damaged(tmp_path):
    """Four pictures, of which one is none."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    with ShardWriter(folder, "tiles", 4) as writer:
        for k in range(4):
            picture = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
            label = {"part": "3001", "source": "tile", "kind": "picture"}
            writer.add(f"{k}", b"no picture" if k == 2 else picture, "png", label)
    return folder


@pytest.mark.parametrize("loaders", [0, 1])
def test_a_damaged_sample_is_refused_in_one_line(damaged, loaders):
    mix = Mix([opening().shards(damaged)], (1.0,), 1)
    with pytest.raises(InputError, match=r"tiles-00000\.tar cannot be decoded: delete that shard, and run") as error:
        next(batches(mix, 32, 4, loaders=loaders))
    assert "\n" not in str(error.value)


KILL_A_MAKER = """
import multiprocessing, sys
from itertools import islice
from pathlib import Path
from edge.errors import BrickgateError
from quantization.data.opening import open_any
from quantization.data.stream import Mix, batches, told_of_killed_makers
try:
    with told_of_killed_makers():
        made = batches(Mix([open_any(Path(sys.argv[1]))], (1.0,), 1), 32, 4, loaders=1)
        next(made)
        multiprocessing.active_children()[0].kill()
        list(islice(made, 10_000))
except BrickgateError as error:
    print(error)
"""


def test_a_killed_process_that_makes_pictures_is_one_line(renders):
    # In a process of its own: PyTorch raises from a signal handler, which would hit whatever pytest does just then.
    command = [sys.executable, "-c", KILL_A_MAKER, str(renders)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert result.stdout.startswith("a process that makes pictures was killed: run the same command")
    assert result.stdout.count("\n") == 1


def test_a_maker_that_is_still_dying_is_told_of(monkeypatch):
    """Its connections are closed, its sentinel among them, and the system does not say yet how it ended."""

    class Dying:
        exitcode = None

        def __init__(self, end):
            self.sentinel = end

        def join(self):
            self.exitcode = -9

    ours, its = multiprocessing.Pipe(duplex=False)
    its.close()
    monkeypatch.setattr("quantization.data.stream._makers", [Dying(ours)])
    told = "a process that makes pictures was killed: run the same command"
    with pytest.raises(BrickgateError, match=told), told_of_killed_makers():
        raise ConnectionResetError


def test_ctrl_c_which_a_terminal_sends_to_all_is_for_the_training_to_hear(renders):
    """A process that makes pictures goes on: it would end with an error, and be reported as killed."""
    script = KILL_A_MAKER.replace(".kill()", ".pid").replace("multiprocessing.active", "pid = multiprocessing.active")
    script = script.replace("list(islice(made, 10_000))", "os.kill(pid, 2); print(len(list(islice(made, 40))))")
    command = [sys.executable, "-c", "import os" + script, str(renders)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert result.stdout == "40\n"


def test_a_damaged_sample_may_be_skipped_and_is_counted(damaged):
    mix = Mix([opening().shards(damaged)], (1.0,), 1, damaged="skip")
    _, families, damage = next(batches(mix, 32, 4))
    assert sorted(families.tolist()) == [DAMAGED, 0, 0, 0]
    assert len(damage) == 1


def test_a_shard_that_is_cut_off_is_refused_or_said(tmp_path):
    tiles = write_pictures(tmp_path / "tiles", ["3001", "3003", "3001"])
    tar = next(tiles.glob("*.tar"))
    tar.write_bytes(tar.read_bytes()[:2600])
    with pytest.raises(InputError, match=r"tiles-00000\.tar is cut off"):
        opening().shards(tiles)
    said = []
    assert 0 < len(opening(said, "skip").shards(tiles)) < 3
    assert said[0].endswith("samples are there: left out")
