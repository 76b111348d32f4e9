"""Tar shards: what is written is read, by us and by others; damage is named and counted."""

from __future__ import annotations

import json
import pickle
import resource
import signal
import tarfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from edge.errors import BrickgateError, InputError
from quantization.data.shards import ShardIndex, ShardWriter, open_shards


def label(number: int, **more: object) -> dict[str, object]:
    return {"part": f"300{number % 3}", "source": "tile", "kind": "picture"} | more


def picture(number: int) -> bytes:
    return bytes([number]) * (700 + 13 * number)


def write(folder: Path, samples: int = 10, a_shard: int = 4, **options: object) -> ShardWriter:
    with ShardWriter(folder, "train", a_shard, **options) as writer:
        for k in range(samples):
            writer.add(f"s{k:04d}", picture(k), "jpg", label(k, mm_per_px=0.1 * k, group=f"Träger {k % 2}"))
    return writer


def test_what_was_written_is_read(tmp_path):
    writer = write(tmp_path)
    assert [path.name for path in writer.finished] == [f"train-0000{k}.tar" for k in range(3)]
    shards = open_shards([tmp_path])
    assert len(shards) == 10
    for k in (9, 0, 4, 3):
        data, extension, read = shards.read(k)
        assert (data, extension) == (picture(k), "jpg")
        assert read == label(k, mm_per_px=0.1 * k, group=f"Träger {k % 2}")
    assert shards.labels["part"].tolist() == [f"300{k % 3}" for k in range(10)]
    assert shards.labels["group"][:3].tolist() == ["Träger 0", "Träger 1", "Träger 0"]
    assert (shards.labels["split"][0], shards.labels["colour"][0], shards.labels["transparent"][0]) == ("", -1, False)
    assert np.isnan(shards.labels["azimuth_deg"]).all()
    assert shards.labels["mm_per_px"][3] == np.float32(0.3)


def test_the_same_samples_give_the_same_bytes(tmp_path):
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert [p.read_bytes() for p in first.finished] == [p.read_bytes() for p in second.finished]


def test_a_plain_tar_reader_finds_pairs(tmp_path):
    write(tmp_path, 2)
    with tarfile.open(tmp_path / "train-00000.tar") as tar:
        assert tar.getnames() == ["s0000.jpg", "s0000.json", "s0001.jpg", "s0001.json"]
        assert json.load(tar.extractfile("s0001.json"))["part"] == "3001"


def test_the_webdataset_library_reads_them(tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="the webdataset library is not installed")
    write(tmp_path, 5)
    read = list(webdataset.WebDataset([str(p) for p in sorted(tmp_path.glob("*.tar"))], shardshuffle=False))
    assert [sample["__key__"] for sample in read] == [f"s{k:04d}" for k in range(5)]
    assert read[4]["jpg"] == picture(4)
    assert json.loads(read[4]["json"])["part"] == "3001"


def test_shards_of_another_writer_are_read(tmp_path):
    with tarfile.open(tmp_path / "other.tar", "w") as tar:  # labels first, in folders, with dots in the extension
        for k in range(3):
            for name, data in ((f"a/s{k}.json", json.dumps(label(k)).encode()), (f"a/s{k}.seg.png", picture(k))):
                (tmp_path / "file").write_bytes(data)
                tar.add(tmp_path / "file", name)
    shards = open_shards([tmp_path])
    assert shards.read(2) == (picture(2), "seg.png", label(2))
    assert (tmp_path / "other.index").is_file()


@pytest.mark.parametrize("how", ["deleted", "broken", "of another tar"])
def test_a_lost_index_is_made_again(tmp_path, how):
    write(tmp_path)
    index = tmp_path / "train-00001.index"
    whole = index.read_bytes()
    if how == "deleted":
        index.unlink()
    elif how == "broken":
        index.write_bytes(whole[:100])
    else:
        index.write_bytes((tmp_path / "train-00002.index").read_bytes())
    shards = open_shards([tmp_path])
    assert [shards.read(k)[0] for k in range(10)] == [picture(k) for k in range(10)]
    assert index.read_bytes() == whole


def test_selected_samples_stay_themselves(tmp_path):
    write(tmp_path)
    shards = open_shards([tmp_path])
    odd = shards.select(shards.labels["group"] == "Träger 1")
    assert [odd.read(k)[0][0] for k in range(len(odd))] == [1, 3, 5, 7, 9]


def read_from(shards: ShardIndex, number: int) -> bytes:
    return shards.read(number)[0]


def test_several_processes_read_at_once(tmp_path):
    write(tmp_path)
    shards = open_shards([tmp_path])
    assert len(pickle.dumps(shards)) < 5000
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        read = list(pool.map(read_from, [shards] * 10, range(10)))
    assert read == [picture(k) for k in range(10)]


def test_a_smaller_last_shard_can_be_dropped_and_is_counted(tmp_path):
    writer = write(tmp_path, 10, drop_last=True)
    assert (len(writer.finished), writer.dropped) == (2, 2)
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".tar") == ["train-00000.tar", "train-00001.tar"]


def test_a_failure_leaves_only_finished_shards_and_is_gone_on_with(tmp_path):
    with pytest.raises(ZeroDivisionError), ShardWriter(tmp_path, "train", 2) as writer:
        for k in range(3):
            writer.add(f"s{k:04d}", picture(k), "jpg", label(k))
        raise ZeroDivisionError
    assert {p.name for p in tmp_path.iterdir()} == {"train-00000.tar", "train-00000.index"}
    with ShardWriter(tmp_path, "train", 2, first_shard=1) as writer:
        writer.add("s0002", picture(2), "jpg", label(2))
    assert len(open_shards([tmp_path])) == 3


def test_what_a_killed_run_left_is_cleared_when_its_shard_is_finished(tmp_path):
    left_over = tmp_path / ".train-00000.tar.1.part"
    left_over.write_bytes(b"half")
    (tmp_path / ".train-00009.tar.1.part").write_bytes(b"another's")
    write(tmp_path, 4)
    assert not left_over.exists()
    assert (tmp_path / ".train-00009.tar.1.part").exists()


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    """A limit on file sizes stands for the disk: the fourth shard does not fit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(BrickgateError) as caught, ShardWriter(tmp_path, "train", 2) as writer:
            for k in range(10):
                if k == 6:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, before[1]))
                writer.add(f"s{k:04d}", bytes(9_000), "png", label(k))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    message = str(caught.value)
    assert "train-00003.tar does not fit on the disk" in message
    assert "finished shards are kept: run the same command" in message
    assert "\n" not in message
    assert len(open_shards([tmp_path])) == 6
    assert not list(tmp_path.glob(".*"))


def cut(folder: Path) -> Path:
    write(folder)
    tar = folder / "train-00001.tar"
    tar.write_bytes(tar.read_bytes()[:5_000])
    return tar


@pytest.mark.parametrize("indexed", [True, False])
def test_a_shard_that_is_cut_off_is_refused_or_skipped_and_counted(tmp_path, indexed):
    tar = cut(tmp_path)
    if not indexed:
        tar.with_suffix(".index").unlink()
    with pytest.raises(InputError, match=r"train-00001\.tar is (cut off: 2 of its 4|damaged after) .*: make it anew"):
        open_shards([tmp_path])
    shards = open_shards([tmp_path], damaged="skip")
    assert len(shards) == 8
    assert any("train-00001.tar is" in line for line in shards.damage)
    assert [shards.read(k)[0][0] for k in range(8)] == [0, 1, 2, 3, 4, 5, 8, 9]


def test_a_changed_picture_is_named_when_it_is_read(tmp_path):
    write(tmp_path)
    tar = tmp_path / "train-00000.tar"
    data = bytearray(tar.read_bytes())
    data[600] ^= 1
    tar.write_bytes(data)
    shards = open_shards([tmp_path])
    with pytest.raises(InputError, match=r"the sample at byte 512 of .*train-00000\.tar is damaged"):
        shards.read(0)
    assert shards.read(1)[0] == picture(1)
    tar.unlink()
    with pytest.raises(InputError, match=r"train-00000\.tar cannot be read: No such file"):
        shards.read(1)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"s.jpg": b"x"}, "needs one picture and one .json, and has jpg"),
        ({"s.jpg": b"x", "s.json": b"{"}, "its label is not JSON"),
        ({"s.jpg": b"x", "s.json": b'{"kind": "picture"}'}, "the label names no part"),
        ({"s.jpg": b"x", "s.json": b'{"part": "3001", "kind": "film"}'}, "kind is 'film'"),
    ],
)
def test_a_damaged_member_is_named(tmp_path, members, says):
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        for name, data in members.items():
            (tmp_path / "file").write_bytes(data)
            tar.add(tmp_path / "file", name)
    with pytest.raises(InputError, match=says):
        open_shards([tmp_path])
    shards = open_shards([tmp_path], damaged="skip")
    assert (len(shards), len(shards.damage)) == (0, 1)


@pytest.mark.parametrize(
    ("key", "extra", "says"),
    [
        ("a.b", {}, "not 1 to 90 letters"),
        ("s0000", {}, "used twice"),
        ("s1", {"part": None}, "names no part"),
        ("s1", {"split": "holiday"}, "split is 'holiday', not one of train, test"),
    ],
)
def test_what_readers_could_not_use_is_not_written(tmp_path, key, extra, says):
    with ShardWriter(tmp_path, "train", 4) as writer:
        writer.add("s0000", picture(0), "jpg", label(0))
        with pytest.raises(InputError, match=says):
            writer.add(key, picture(1), "jpg", label(1, **extra))
    assert len(open_shards([tmp_path])) == 1


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"holds no finished shard \(\.tar\)"):
        open_shards([tmp_path])


def test_two_runs_that_write_the_same_shard_both_end_well(tmp_path, monkeypatch):
    """Each takes the other's unfinished tar for what a killed run left, once it has finished the shard itself."""
    write(tmp_path / "alone")
    slow = ShardWriter(tmp_path / "both", "train", 4)
    for k in range(3):
        slow.add(f"s{k:04d}", picture(k), "jpg", label(k, mm_per_px=0.1 * k, group=f"Träger {k % 2}"))
    with monkeypatch.context() as other_process:
        other_process.setattr("os.getpid", lambda: 1)
        write(tmp_path / "both")
    slow.add("s0003", picture(3), "jpg", label(3, mm_per_px=0.1 * 3, group="Träger 1"))
    assert slow.finished == [tmp_path / "both" / "train-00000.tar"]
    made, alone = (sorted((tmp_path / folder).iterdir()) for folder in ("both", "alone"))
    assert [(p.name, p.read_bytes()) for p in made] == [(p.name, p.read_bytes()) for p in alone]
