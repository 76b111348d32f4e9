"""`brickgate-model tile`, `capture` and `evaluate --by group` from pictures to figures, and every kind of bad input."""

from __future__ import annotations

import csv
import json
import resource
import signal
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from edge.errors import InputError
from quantization.commands import tile as tile_command
from quantization.data.shard_writer import ShardWriter
from quantization.data.shards import open_shards
from quantization.evaluate import shard_scores
from quantization.tiles.labels import colour_of

BOXES = [(left, top, left + 60, top + 40) for top in (30, 130, 230) for left in (30, 150, 270)]


SQUARES = [(left, top, left + 110, top + 110) for top in range(9, 512, 128) for left in range(9, 512, 128)]


@pytest.fixture
def trays(tmp_path, tray):
    """Ten pictures of two parts in five sessions, and their labels.csv."""
    folder = tmp_path / "trays"
    folder.mkdir()
    rows = [("file", "part", "colour", "mm_per_px", "session")]
    for k in range(10):
        name = f"{k}.png"
        cv2.imwrite(str(folder / name), tray(400, 320, BOXES[: k + 1] if k < 9 else BOXES))
        rows.append((name, "3001" if k % 2 else "3068b", "4" if k % 2 else "", "0.2" if k < 5 else "", f"day {k // 2}"))
    write_rows(folder, rows)
    return folder


def write_rows(folder, rows):
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def read_rows(folder):
    with (folder / "labels.csv").open(newline="") as stream:
        return list(csv.reader(stream))


def tile(folder, *more):
    return ("tile", folder, "--labels", folder / "labels.csv", "--parts", "--out", folder.parent / "set", *more)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_trays_become_shards_with_labels(brickgate_model, trays, tmp_path):
    said = brickgate_model(*tile(trays, "--group", "session", "--samples-a-shard", 8, "--mm-per-px", 0.5))
    assert said.code == 0
    assert said.out == f"54 samples of 2 parts in {tmp_path}/set: 51 to train on, 3 to test on\n"
    assert "1/10 0.png: 1 parts of 3068 for" in said.err
    shards = open_shards([tmp_path / "set"])
    assert len(shards) == 54
    sizes = {p.name: len(open_shards([p])) for p in (tmp_path / "set").glob("*.tar")}
    assert all(size == 8 for name, size in sizes.items() if name not in ("train-00006.tar", "test-00000.tar"))
    labels = shards.labels
    assert set(labels["source"]) == {"tile"}
    assert set(labels["kind"]) == {"picture"}
    for day in set(labels["group"]):
        assert len(set(labels["split"][labels["group"] == day])) == 1
    picture, extension, label = shards.read(0)
    assert extension == "jpg"
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape == (78, 78, 3)
    assert label == {
        "part": "3068", "colour": None, "mm_per_px": 0.2, "group": "day 0", "split": label["split"], "source": "tile",
        "kind": "picture", "picture": "0.png", "picture_box_px": [30, 30, 90, 70],
    }  # fmt: skip
    by_file = {shards.label(k)["picture"]: shards.label(k) for k in range(54)}
    assert [by_file[f"{k}.png"]["mm_per_px"] for k in (4, 5)] == [0.2, 0.5]
    assert by_file["1.png"]["colour"] == 4


def test_the_bar_goes_once_from_end_to_end_over_all_pictures(brickgate_model, trays, monkeypatch):
    shares = []

    @contextmanager
    def noted():
        yield lambda line: None, shares.append

    monkeypatch.setattr(tile_command, "_progress", noted)
    assert brickgate_model(*tile(trays)).code == 0
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.95 < shares[-1] < 1


def test_the_same_request_is_the_same_set_and_another_is_refused(brickgate_model, trays, tmp_path):
    assert brickgate_model(*tile(trays)).code == 0
    before = contents(tmp_path / "set")
    again = brickgate_model(*tile(trays))
    assert (again.code, again.err) == (0, f"{tmp_path}/set holds this set already\n")
    other = brickgate_model(*tile(trays, "--seed", 1))
    assert other.code == 1
    assert other.err.endswith(
        f"error: {tmp_path}/set holds another set: name another folder with --out, or empty this one\n"
    )
    assert contents(tmp_path / "set") == before


def test_a_shard_that_was_taken_away_or_cut_off_is_made_anew(brickgate_model, trays, tmp_path):
    options = ("--samples-a-shard", 7)
    assert brickgate_model(*tile(trays, *options)).code == 0
    whole = contents(tmp_path / "set")
    first, *_, last = sorted((tmp_path / "set").glob("train-*.tar"))
    first.unlink()
    last.write_bytes(last.read_bytes()[:2000])
    assert brickgate_model(*tile(trays, *options)).code == 0
    assert contents(tmp_path / "set") == whole


def test_a_picture_that_was_taken_anew_is_another_request(brickgate_model, trays, tmp_path):
    plain = trays / "0.bmp"
    cv2.imwrite(str(plain), cv2.imread(str(next(trays.glob("*.png")))))
    arguments = ("tile", plain, "--label", 3001, "--tile-px", 32, "--out", tmp_path / "set")
    assert brickgate_model(*arguments).code == 0
    image = cv2.imread(str(plain))
    cv2.imwrite(str(plain), image[:, ::-1])
    assert brickgate_model(*arguments).err.startswith(f"error: {tmp_path}/set holds another set: ")
    cv2.imwrite(str(plain), image)
    assert brickgate_model(*arguments).err == f"{tmp_path}/set holds this set already\n"


def test_a_killed_run_goes_on_and_ends_the_same(brickgate_model, trays, tmp_path, monkeypatch):
    options = ("--samples-a-shard", 7)
    assert brickgate_model(*tile(trays, *options)).code == 0
    whole = contents(tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "whole")
    add, count = ShardWriter.add, [0]

    def stopping(writer, *sample):
        count[0] += 1
        if count[0] == 25:
            signal.raise_signal(signal.SIGTERM)
        add(writer, *sample)

    monkeypatch.setattr(ShardWriter, "add", stopping)
    killed = brickgate_model(*tile(trays, *options))
    assert killed.code == 143
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "set").glob("*.tar")}
    assert kept
    assert brickgate_model(*tile(trays, *options)).code == 0
    assert contents(tmp_path / "set") == whole
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in (tmp_path / "set").glob("*.tar")}.items()


def test_a_full_disk_is_one_line_and_is_gone_on_from(brickgate_model, trays, tmp_path):
    options = ("--samples-a-shard", 9)
    assert brickgate_model(*tile(trays, *options)).code == 0
    whole = contents(tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "whole")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, before[1]))
        said = brickgate_model(*tile(trays, *options))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert said.code == 1
    assert "does not fit on the disk" in said.err.splitlines()[-1]
    assert brickgate_model(*tile(trays, *options)).code == 0
    assert contents(tmp_path / "set") == whole


def test_what_is_wrong_is_named_left_out_and_counted(brickgate_model, trays, tmp_path, tray):
    rows = read_rows(trays)
    rows[1][1], rows[2][1], rows[3][1], rows[4][3], rows[5][2] = "zebra", "", "30011", "wide", "red"
    del rows[6]
    rows.append(["gone.png", "3001", "", "", "day 9"])
    write_rows(trays, rows)
    for name in ("6.png", "8.png"):
        (trays / name).write_bytes((trays / name).read_bytes()[:5000])
    said = brickgate_model(*tile(trays))
    assert said.code == 0
    lines = said.err.splitlines()
    start = f"{trays}/labels.csv"
    assert (
        f"{start}:2: 0.png: part 'zebra' is not in the catalogue:"
        " give a number that the recipe's list of parts has: left out" in lines
    )
    assert f"{start}:3: 1.png: no part is named: left out" in lines
    assert f"{start}:4: 2.png: part '30011' is not in the catalogue: did you mean 3001?: left out" in lines
    assert (
        f"{start}:5: 3.png: mm_per_px is 'wide': give millimetres per pixel, such as 0.2, or leave it empty: left out"
        in lines
    )
    assert f"{start}:6: 4.png: colour is 'red': give LDraw's code, such as 4 for red: left out" in lines
    assert f"{trays}/5.png has no row in {start}: left out" in lines
    assert f"{start}:11: gone.png is not there: left out" in lines
    assert any(line.startswith(f"{trays}/8.png cannot be decoded") and line.endswith(": left out") for line in lines)
    assert "17 samples of 1 parts" in said.out
    assert "part 3068 has no sample: its class is empty" in lines
    assert "10 lines above name what is missing" in said.out
    assert len(json.loads((tmp_path / "set" / "summary.json").read_text())["left_out"]) == 10


def test_what_a_phone_or_camera_writes_in_its_own_way_is_named_and_not_passed_over(brickgate_model, trays, tmp_path):
    (trays / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (trays / "2.nef").write_bytes((trays / "2.png").read_bytes())
    rows = read_rows(trays)
    rows[1][0] = "IMG_1.HEIC"
    write_rows(trays, rows)
    said = brickgate_model(*tile(trays))
    lines = said.err.splitlines()
    assert f"{trays}/IMG_1.HEIC cannot be decoded: .HEIC is not read, save it as a JPEG: left out" in lines
    assert f"{trays}/2.nef has no row in {trays}/labels.csv: left out" in lines
    assert "1 pictures left out" in said.out


def test_a_picture_of_nothing_is_not_said_to_be_smaller_than_a_tile(brickgate_model, tmp_path):
    file = tmp_path / "white.png"
    cv2.imwrite(str(file), np.full((400, 600, 3), 240, np.uint8))
    said = brickgate_model("tile", file, "--label", 3001, "--parts", "--out", tmp_path / "set")
    assert f"{file} gave nothing: nothing in it stands out from the background" in said.err.splitlines()


@pytest.mark.parametrize("text", ["red", "-1", "²", "99999999999"])
def test_a_colour_is_a_code_that_shards_can_keep(text):
    with pytest.raises(InputError, match="give LDraw's code, such as 4 for red"):
        colour_of(text)
    assert (colour_of(""), colour_of("4")) == (None, 4)


def test_a_picture_that_is_smaller_than_a_tile_is_told_from_one_of_background(brickgate_model, trays, tmp_path):
    file = trays / "9.png"
    said = brickgate_model("tile", file, "--label", 3001, "--tile-px", 900, "--out", tmp_path / "set")
    assert f"{file} gave nothing: is it smaller than a tile?" in said.err.splitlines()


def test_a_tiff_that_is_cut_short_gives_what_is_left(brickgate_model, tmp_path, tray, write_tiff):
    file = write_tiff(tmp_path / "a.tif", tray(512, 512, SQUARES), tile=(128, 128), compression="zlib")
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(file) as opened:
        end = opened.pages[0].dataoffsets[12]
    file.write_bytes(file.read_bytes()[:end])
    said = brickgate_model("tile", file, "--label", 3001, "--tile-px", 128, "--out", tmp_path / "set")
    assert said.code == 0
    assert "12 samples of 1 parts" in said.out
    assert "left out: 4 damaged" in said.out
    assert f"{file}, block at 0, 384 px, is missing: the file is cut short, copy it again (and 3 more): left out" in (
        said.err.splitlines()
    )


def test_the_other_sheets_of_a_scan_are_not_lost_without_a_word(brickgate_model, tmp_path, tray, write_tiff):
    file = write_tiff(tmp_path / "a.tif", np.stack([tray(512, 512, SQUARES)] * 3), compression="zlib")
    said = brickgate_model("tile", file, "--label", 3001, "--tile-px", 128, "--out", tmp_path / "set")
    assert "16 samples of 1 parts" in said.out
    assert f"{file} holds several pictures, and 2 are left out: save each as a file of its own" in said.err.splitlines()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--label", 3001, "--labels", "labels.csv"), "give either --labels with a CSV, or --label"),
        ((), "give either --labels with a CSV, or --label"),
        (("--label", "nine"), "--label is 'nine', which is not in the catalogue: give a number that"),
        (("--label", 3001, "--group", "session"), "--group is 'session': without --labels give file or folder"),
        (("--label", 3001, "--parts", "--tile-px", 64), "give either --parts or --tile-px, not both"),
        (("--label", 3001, "--mm-per-px", -1), "--mm-per-px is -1.0: give millimetres per pixel"),
        (("--label", 3001, "--background", "white"), "--background is 'white': give a colour as RRGGBB"),
        (("--labels", "labels.csv", "--group", "hall"), "'hall': it needs file, part, hall, and has file, part,"),
        (("--labels", "none.csv"), "none.csv cannot be read as labels"),
        (("--label", 3001, "--tile-px", 900), "set would hold no sample"),
    ],
)
def test_a_mistake_is_one_line(brickgate_model, trays, tmp_path, arguments, says, monkeypatch):
    monkeypatch.chdir(trays)
    said = brickgate_model("tile", trays, "--out", tmp_path / "set", *arguments)
    assert said.code == 1
    assert says in said.err.splitlines()[-1]
    assert "Traceback" not in said.err
    corrected = brickgate_model(*tile(trays))
    assert corrected.code == 0, "a run that made nothing claims no folder"


def test_a_path_that_is_not_there_and_a_folder_without_pictures(brickgate_model, tmp_path):
    for path, says in ((tmp_path / "none", "is not there: check the path"), (tmp_path, "holds no picture: give JPEG")):
        said = brickgate_model("tile", path, "--label", 3001, "--out", tmp_path / "set")
        assert (said.code, said.err.startswith(f"error: {path} {says}")) == (1, True)


@pytest.fixture
def captures(tmp_path, tray):
    """What `brickgate run --capture` leaves: four parts of three looks, one of them unsure."""
    folder = tmp_path / "seen" / "run-0001"
    folder.mkdir(parents=True)
    rows = [("file", "part", "guess", "colour_code", "group", "mm_per_px", "box_px")]
    for track in range(4):
        for look in range(3):
            name = f"{track:06d}-top-{look}.jpg"
            cv2.imwrite(str(folder / name), tray(120, 100, [(20, 30, 80, 70)]))
            rows.append((name, "3001" if track < 3 else "", "3001", "4", f"{track:06d}", "0.25", "20 30 80 70"))
    write_rows(folder, rows)
    return folder


def test_captures_come_in_by_the_same_door(brickgate_model, captures, tmp_path):
    rows = read_rows(captures)
    rows[4][1], rows[4][6] = "3068b", ""
    rows[7][6] = "20 30 500 70"
    rows[8][6] = "1 2 3"
    write_rows(captures, rows)
    (captures / rows[9][0]).write_bytes(b"no picture")
    said = brickgate_model("capture", tmp_path / "seen", "--out", tmp_path / "set", "--test-share", 0.34)
    assert said.code == 0
    assert "6 samples of 2 parts" in said.out
    assert "left out: 2 damaged, 3 looks of no named part" in said.out
    assert (
        f"{captures}/labels.csv:9: box_px is '1 2 3': give left, top, right and bottom, such as 12 9 80 66: left out"
        in (said.err.splitlines())
    )
    shards = open_shards([tmp_path / "set"])
    assert set(shards.labels["source"]) == {"capture"}
    found = {shards.label(k)["picture"]: (shards.label(k), shards.picture(k)) for k in range(6)}
    label, picture = found["000000-top-0.jpg"]
    assert label == {
        "part": "3001", "colour": 4, "mm_per_px": 0.25, "group": "seen/run-0001/000000", "split": label["split"],
        "source": "capture", "kind": "picture", "picture": "000000-top-0.jpg",
    }  # fmt: skip
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape == (78, 78, 3)
    corrected, whole = found["000001-top-0.jpg"]
    assert corrected["part"] == "3068"
    assert cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_COLOR).shape == (100, 120, 3)
    for group in set(shards.labels["group"]):
        assert len(set(shards.labels["split"][shards.labels["group"] == group])) == 1


def test_captures_with_another_box_are_another_request(brickgate_model, captures, tmp_path):
    arguments = ("capture", captures, "--out", tmp_path / "set")
    assert brickgate_model(*arguments).code == 0
    assert "holds this set already" in brickgate_model(*arguments).err
    rows = read_rows(captures)
    rows[1][6] = "20 30 70 70"
    write_rows(captures, rows)
    assert brickgate_model(*arguments).err.startswith(f"error: {tmp_path}/set holds another set: ")


def test_captures_without_labels_are_one_line(brickgate_model, captures, tmp_path):
    said = brickgate_model("capture", tmp_path, "--out", tmp_path / "set")
    assert said.err == f"error: {tmp_path} holds no labels.csv: give what 'brickgate run --capture' wrote\n"
    rows = read_rows(captures)
    write_rows(captures, [rows[0], *[[row[0], "", *row[2:]] for row in rows[1:]]])
    said = brickgate_model("capture", captures, "--out", tmp_path / "set")
    assert said.err == "error: no look of 12 has a usable label: fill in the column 'part'\n"


class RedIs3001:
    """Stands in for the bundle's network: class of 3001 by how red the picture is, else of 3003."""

    def __init__(self, file):
        self._classes = json.loads((file.parent / "parts.json").read_text())

    def logits(self, pictures):
        numbers = [part["number"] for part in self._classes]
        logits = np.zeros((len(pictures), len(numbers)), np.float32)
        red = (pictures[..., 0].astype(int) - pictures[..., 2] > 60).mean(axis=(1, 2))
        logits[:, numbers.index("3001")] = 40 * red
        logits[:, numbers.index("3003")] = 8
        return logits


def test_trays_are_scored_as_a_whole(brickgate_model, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_scores, "TfliteModel", RedIs3001)
    with ShardWriter(tmp_path / "set", "test", 100) as writer:
        for number, (group, part, red) in enumerate(
            [("a", "3001", 1.0), ("a", "3001", 0.1), ("a", "3001", 0.9), ("b", "3001", 0.0), ("b", "3001", 0.1),
             ("b", "3001", 1.0), ("c", "3003", 0.0), ("c", "zebra", 0.0)],
        ):  # fmt: skip
            image = np.full((60, 60, 3), 120, np.uint8)
            image[: round(60 * red)] = (20, 20, 220)
            label = {"part": part, "group": group, "split": "test", "source": "tile", "kind": "picture"}
            writer.add(f"s{number}", cv2.imencode(".jpg", image)[1].tobytes(), "jpg", label)
        writer.add("s98", b"no picture", "jpg", label | {"part": "3001", "group": "a"})
        writer.add("s99", b"of training", "jpg", label | {"split": "train"})
    of_the_default = brickgate_model("evaluate", "--shards", tmp_path / "set", "--by", "group")
    assert "parts that universal does not know (zebra)" in of_the_default.out
    said = brickgate_model("evaluate", "--shards", tmp_path / "set", "--by", "group", "--bundle", "starter")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "1 samples show parts that starter does not know (zebra): left out"
    assert lines[1].endswith("test-00000.tar cannot be decoded: left out")
    assert lines[2:] == [
        "single tiles: 57.1% of 7",
        "trays by mean score: 66.7% of 3",
        "trays by majority vote: 66.7%",
        "trays by product of scores: 100.0%",
        "  b: 3001 taken for 3003 (1 of 3 tiles right)",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--shards", "."), "--shards and --by go together"),
        (("--by", "group"), "--shards and --by go together"),
        (("--shards", ".", "--by", "group"), ". holds no finished shard"),
    ],
)
def test_an_evaluation_that_cannot_be_made_is_one_line(brickgate_model, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    said = brickgate_model("evaluate", *arguments)
    assert (said.code, says in said.err, said.err.count("\n")) == (1, True, 1)
