"""`brickgate classify`: single pictures, groups, sizes, colours, and bad pictures among good ones."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from edge.bundle.manifest import Bundle, BundlePart
from edge.bundle.preprocess import InputSpec
from edge.catalogue.colours import load_colours
from edge.classify import (
    CROP_MARGINS,
    WHOLE_MARGINS,
    PartRecogniser,
    PlainRecogniser,
    classify_pictures,
    open_recogniser,
    print_json,
    print_table,
)
from edge.clock import VirtualClock
from edge.errors import BundleError, InputError
from edge.hardware.interfaces import TensorSpec
from edge.inference.picture import read_manifest, single_pictures
from edge.inference.plain import PlainClassifier

SIDE_PX = 32
COLOURS = load_colours()
RED, GREEN, BLUE = (0, 0, 180), (43, 133, 0), (168, 90, 30)


class ChannelNetwork:
    """Three classes: how red, green and blue the window is."""

    name = "channels"
    input_spec = TensorSpec((1, SIDE_PX, SIDE_PX, 3), np.dtype(np.int8), 1 / 127.5, 0)
    output_spec = TensorSpec((1, 3), np.dtype(np.int8), 0.1, 0)

    def __init__(self) -> None:
        self.in_grey: list[bool] = []

    def load(self, model: Path) -> None:
        raise NotImplementedError(str(model))

    def invoke(self, tensor):
        self.in_grey.append(bool((tensor == tensor[..., :1]).all()))
        means = tensor.astype(np.float64).mean(axis=(0, 1, 2)) / 127.5
        return np.rint(means[np.newaxis] * 200).clip(-128, 127).astype(np.int8)

    def close(self) -> None: ...


def bundle_in(folder: Path, *, with_size: bool = False) -> Bundle:
    size = folder / "size.npz"
    if with_size:
        sides = np.array([[[80, 40]], [[32, 16]], [[16, 8]]], np.float32)
        np.savez(size, sides_mm=sides, weights=np.ones((3, 1), np.float32))
    names = ("Red brick", "Green brick", "Blue brick")
    return Bundle(
        folder=folder,
        name="tiny",
        model=folder / "model.tflite",
        input=InputSpec(SIDE_PX, SIDE_PX, 0.0),
        parts=tuple(BundlePart(str(3001 + k), name, "Brick") for k, name in enumerate(names)),
        temperature=1.0,
        fusion_exponent=0.7,
        unsure_below=0.8,
        size_evidence=size if with_size else None,
        accelerators=("cpu",),
    )


def save(file: Path, bgr: tuple[int, int, int], size_px: tuple[int, int] = (160, 80)) -> Path:
    """A part on a light belt."""
    image = np.full((360, 480, 3), 225, np.uint8)
    wide, high = size_px
    image[180 - high // 2 : 180 + high // 2, 240 - wide // 2 : 240 + wide // 2] = bgr
    cv2.imwrite(str(file), image)
    return file


@pytest.fixture
def recogniser(tmp_path: Path) -> PartRecogniser:
    return PartRecogniser(ChannelNetwork(), bundle_in(tmp_path), COLOURS)


def test_each_picture_is_answered_in_order(tmp_path: Path, recogniser: PartRecogniser) -> None:
    files = [save(tmp_path / f"{k}.png", bgr) for k, bgr in enumerate((RED, GREEN, BLUE))]
    answers = list(classify_pictures(single_pictures(files), recogniser, clock=VirtualClock()))
    assert [answer.top[0].key for answer in answers] == ["3001", "3002", "3003"]
    assert [answer.colour[0].name for answer in answers] == ["Red", "Green", "Blue"]
    assert [answer.files for answer in answers] == [(str(file),) for file in files]
    assert all(answer.looks == 1 and not answer.unsure for answer in answers)


def test_answers_come_one_by_one(tmp_path: Path, recogniser: PartRecogniser) -> None:
    def groups():
        yield from single_pictures([save(tmp_path / "a.png", RED)])
        raise RuntimeError("asked for more than one group")

    answers = classify_pictures(groups(), recogniser)
    assert next(answers).top[0].key == "3001"


def test_a_tight_crop_is_answered(tmp_path: Path, recogniser: PartRecogniser) -> None:
    file = tmp_path / "tight.png"
    cv2.imwrite(str(file), np.full((70, 90, 3), GREEN, np.uint8))
    (answer,) = classify_pictures(single_pictures([file]), recogniser)
    assert answer.top[0].key == "3002"


def test_pictures_of_one_group_are_fused(tmp_path: Path, recogniser: PartRecogniser) -> None:
    for name, bgr in (("a", RED), ("b", RED), ("c", BLUE), ("d", GREEN)):
        save(tmp_path / f"{name}.png", bgr)
    manifest = tmp_path / "m.csv"
    manifest.write_text("file,group\na.png,one\nd.png,\nb.png,one\nc.png,one\n", encoding="utf-8")
    one, other = classify_pictures(read_manifest(manifest), recogniser)
    assert one.looks == 3
    assert one.files == ("a.png", "b.png", "c.png")
    assert one.top[0].key == "3001"
    assert (other.looks, other.top[0].key) == (1, "3002")


def test_a_known_scale_makes_size_evidence(tmp_path: Path) -> None:
    recogniser = PartRecogniser(ChannelNetwork(), bundle_in(tmp_path, with_size=True), COLOURS)
    grey = save(tmp_path / "grey.png", (90, 90, 90))
    (unscaled,) = classify_pictures(single_pictures([grey]), recogniser)
    (small,) = classify_pictures(single_pictures([grey], mm_per_px=0.1), recogniser)
    (middle,) = classify_pictures(single_pictures([grey], mm_per_px=0.2), recogniser)
    assert unscaled.unsure
    assert small.top[0].key == "3003"
    assert middle.top[0].key == "3002"


def test_several_crops_of_a_picture_in_colour_and_in_grey_are_one_look(tmp_path: Path) -> None:
    network = ChannelNetwork()
    recogniser = PartRecogniser(network, bundle_in(tmp_path), COLOURS)
    (answer,) = classify_pictures(single_pictures([save(tmp_path / "a.png", RED)]), recogniser)
    assert network.in_grey == [False] * len(CROP_MARGINS) + [True] * len(CROP_MARGINS)
    assert (answer.looks, answer.top[0].key) == (1, "3001")


def test_a_picture_that_the_part_fills_is_tried_whole_too(tmp_path: Path) -> None:
    network = ChannelNetwork()
    recogniser = PartRecogniser(network, bundle_in(tmp_path), COLOURS)
    crop = tmp_path / "crop.png"
    cv2.imwrite(str(crop), np.full((40, 50, 3), RED, np.uint8))
    (answer,) = classify_pictures(single_pictures([crop]), recogniser)
    framings = len(CROP_MARGINS) + len(WHOLE_MARGINS)
    assert network.in_grey == [False] * framings + [True] * framings
    assert answer.looks == 1


def test_bad_pictures_are_told_and_the_others_answered(tmp_path: Path, recogniser: PartRecogniser) -> None:
    (tmp_path / "text.jpg").write_text("no picture", encoding="utf-8")
    files = [
        save(tmp_path / "a.png", RED),
        tmp_path / "text.jpg",
        tmp_path / "gone.png",
        save(tmp_path / "b.png", BLUE),
    ]
    out, problems = io.StringIO(), io.StringIO()
    code = print_json(classify_pictures(single_pictures(files), recogniser), out, problems)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert code == 1
    assert [Path(line["files"][0]).name for line in lines] == ["a.png", "text.jpg", "gone.png", "b.png"]
    assert "is no picture" in lines[1]["error"]
    assert "top" not in lines[1]
    assert lines[3]["top"][0]["part"] == "3003"
    assert len(problems.getvalue().splitlines()) == 2


def test_a_group_goes_on_without_its_bad_picture(tmp_path: Path, recogniser: PartRecogniser) -> None:
    save(tmp_path / "a.png", RED)
    manifest = tmp_path / "m.csv"
    manifest.write_text("file,group\na.png,one\ngone.png,one\n", encoding="utf-8")
    out, problems = io.StringIO(), io.StringIO()
    assert print_json(classify_pictures(read_manifest(manifest), recogniser), out, problems) == 1
    line = json.loads(out.getvalue())
    assert (line["looks"], len(line["files"]), line["top"][0]["part"]) == (1, 1, "3001")
    assert "gone.png" in problems.getvalue()


def test_json_has_exactly_the_promised_keys(tmp_path: Path, recogniser: PartRecogniser) -> None:
    out = io.StringIO()
    groups = single_pictures([save(tmp_path / "a.png", RED)])
    assert print_json(classify_pictures(groups, recogniser, top=2), out, io.StringIO()) == 0
    line = json.loads(out.getvalue())
    assert list(line) == ["files", "looks", "top", "colour", "unsure", "ms"]
    assert len(line["top"]) == 2
    assert list(line["top"][0]) == ["part", "name", "score"]
    assert list(line["colour"][0]) == ["name", "ldraw_code", "score"]
    assert line["colour"][0]["ldraw_code"] == 4


def test_the_table_has_a_row_a_picture(tmp_path: Path, recogniser: PartRecogniser) -> None:
    files = [save(tmp_path / "a.png", RED), tmp_path / "gone.png"]
    out, problems = io.StringIO(), io.StringIO()
    console = Console(file=out, width=200)
    assert print_table(classify_pictures(single_pictures(files), recogniser), console, problems) == 1
    assert "3001 Red brick" in out.getvalue()
    assert "gone.png" not in out.getvalue()
    assert "gone.png cannot be read" in problems.getvalue()


def test_a_plain_model_names_labels(tmp_path: Path) -> None:
    recogniser = PlainRecogniser(PlainClassifier(ChannelNetwork(), ("red", "green", "blue")))
    (answer,) = classify_pictures(single_pictures([save(tmp_path / "a.png", RED, (480, 360))]), recogniser)
    assert answer.top[0].name == answer.top[0].key == "red"
    assert answer.to_json()["colour"] == []


def test_a_model_and_its_labels_belong_together(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="--model and --labels belong together"),
        open_recogniser("starter", model=tmp_path / "m.tflite"),
    ):
        pass


def test_a_missing_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no model bundle at"), open_recogniser(str(tmp_path / "nowhere")):
        pass
