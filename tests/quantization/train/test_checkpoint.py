"""Checkpoints: of this recipe or refused, whole or the one before, and readable on any machine."""

from __future__ import annotations

import csv
import resource
import signal
import sys

import pytest
import torch

from edge.errors import BrickgateError, InputError
from quantization.recipe import Family, class_by_name
from quantization.train import curves
from quantization.train.checkpoint import Progress, Subject, load_trained
from quantization.train.curves import Curves
from quantization.train.loop import Training
from quantization.train.network import MobileNetV2
from quantization.train.resnet import ResNet
from quantization.train.stages import Stage
from quantization.train.start import load_start

STAGES = [Stage(32, 64, 1e-3, 1e-4, batch=16), Stage(32, 48, 1e-4, 1e-5, batch=16)]


def training(folder, stages=STAGES, seed=4, families=("3001", "3003"), width=0.25, task="train"):
    torch.manual_seed(1)
    subject = Subject(families, "mobilenet-v2", width, task)
    return Training(MobileNetV2(len(families), width), stages, folder, seed, subject=subject)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"families": ("3001", "3004")}, "it knows other families: it lacks 3004, it has 3003"),
        ({"families": ("3003", "3001")}, "it knows other families: in another order"),
        ({"families": ("3001",)}, "it knows other families: it has 3003"),
        ({"width": 0.35}, "its width was 0.25 and is 0.35"),
        ({"seed": 5}, "its seed was 4 and is 5"),
        ({"task": "distill"}, "its task was train and is distill"),
        (
            {"stages": [Stage(32, 64, 2e-3, 1e-4, batch=16)]},
            "rate_from of stage 1, which is begun, was 0.001 and is 0.002",
        ),
    ],
)
def test_one_of_another_recipe_is_refused_and_says_why(tmp_path, other, why):
    training(tmp_path).save()
    with pytest.raises(BrickgateError) as error:
        training(tmp_path, **other).resume()
    assert f"checkpoint.pt is of another recipe or damaged ({why}): move it away to start anew" in str(error.value)
    assert "\n" not in str(error.value)


def test_stages_that_are_not_begun_may_change(tmp_path):
    training(tmp_path).save()
    longer = [STAGES[0], Stage(64, 9999, 1e-4, 1e-5), Stage(64, 1, 1e-5, 1e-6)]
    assert training(tmp_path, stages=longer).resume()


def test_one_from_before_recipes_were_kept_goes_on(tmp_path):
    saved = training(tmp_path)
    saved.save()
    state = torch.load(saved.checkpoint)
    del state["recipe"], state["beside"]
    state["progress"] = {"stage": 1, "pictures_in_stage": 16, "pictures": 80, "seconds": 9.0}
    torch.save(state, saved.checkpoint)
    resumed = training(tmp_path)
    assert resumed.resume()
    assert (resumed.progress.stage, resumed.progress.pictures, resumed.progress.place) == (1, 80, 0)
    with pytest.raises(InputError, match=r"checkpoint\.pt does not say which network it is of"):
        load_trained(saved.checkpoint)
    network, families, _ = load_trained(saved.checkpoint, Subject(("3001", "3003"), "mobilenet-v2", 0.25))
    assert (network.classes, families) == (2, ("3001", "3003"))


def test_a_full_disk_leaves_the_one_before(tmp_path):
    saved = training(tmp_path)
    saved.progress = Progress(pictures=7)
    saved.save()
    saved.progress = Progress(pictures=9)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(BrickgateError, match=r"could not be written \(.*\): the one before is kept") as error:
            saved.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt"]
    resumed = training(tmp_path)
    assert resumed.resume()
    assert resumed.progress.pictures == 7


def test_it_says_which_network_it_is_of(tmp_path):
    saved = training(tmp_path)
    saved.average["classifier.1.bias"] = torch.tensor([2.0, -3.0])
    saved.save()
    network, families, _ = load_trained(saved.checkpoint)
    assert (network.kind, network.width, families) == ("mobilenet-v2", 0.25, ("3001", "3003"))
    assert network.dense.bias.tolist() == [2.0, -3.0]
    assert not network.training
    with pytest.raises(InputError, match=r"nothing\.pt is missing: run 'brickgate-model train' first"):
        load_trained(tmp_path / "nothing.pt")


def test_a_network_may_start_from_one(tmp_path):
    saved = training(tmp_path)
    saved.average["classifier.1.bias"] = torch.tensor([2.0, -3.0])
    saved.save()
    same, larger = MobileNetV2(2, 0.25), MobileNetV2(3, 0.25)
    assert load_start(same, saved.checkpoint)
    assert same.dense.bias.tolist() == [2.0, -3.0]
    assert not load_start(larger, saved.checkpoint)
    assert torch.equal(larger.features[3].conv[0][0].weight, saved.average["features.3.conv.0.0.weight"])
    with pytest.raises(InputError, match=r"fits another network than one of width 0\.35"):
        load_start(MobileNetV2(2, 0.35), saved.checkpoint)
    for other, said in (
        (MobileNetV2(2, 1.4), r"fits another network than one of width 1\.4"),
        (ResNet(2, 18, 0.25), r"fits another network than .* \(its kind is resnet18\)"),
    ):
        with pytest.raises(InputError, match=said):
            load_start(other, saved.checkpoint, ("3001", "3003"))
    del saved.average["classifier.1.bias"]
    saved.save()
    with pytest.raises(InputError, match=r"fits another network than one of width 0\.25"):
        load_start(same, saved.checkpoint, ("3001", "3003"))


def test_a_network_starts_with_the_classifier_of_those_of_its_families_that_are_known(tmp_path):
    saved = training(tmp_path)
    saved.average["classifier.1.bias"] = torch.tensor([2.0, -3.0])
    saved.save()
    turned, others, fewer = MobileNetV2(2, 0.25), MobileNetV2(2, 0.25), MobileNetV2(1, 0.25)
    before = others.dense.bias[1].item()
    assert load_start(turned, saved.checkpoint, ("3003", "3001")) == [0, 1]
    assert turned.dense.bias.tolist() == [-3.0, 2.0]
    assert torch.equal(turned.dense.weight, saved.average["classifier.1.weight"].flip(0))
    assert load_start(others, saved.checkpoint, ("3001", "3004")) == [0]
    assert others.dense.bias.tolist() == [2.0, before]
    assert load_start(fewer, saved.checkpoint, ("3003",))
    assert fewer.dense.bias.tolist() == [-3.0]
    renamed = MobileNetV2(3, 0.25)
    names = (("3003b", ("x",), ("3003",)), ("3001", (), ()), ("3009", (), ("3001", "3003")))  # the last comes too late
    families = [Family(*of_one, "Brick") for of_one in names]
    numbers = [family.number for family in families]
    assert load_start(renamed, saved.checkpoint, numbers, class_by_name(families)) == [0, 1]
    assert renamed.dense.bias[:2].tolist() == [-3.0, 2.0]
    torch.save({"average": saved.average}, saved.checkpoint)
    assert not load_start(others, saved.checkpoint, ("3001", "3003")), "nothing tells which families it knows"
    assert others.dense.bias.tolist() == [2.0, before]


def test_the_curve_goes_back_to_where_the_checkpoint_is(tmp_path):
    drawn = Curves(tmp_path, lambda line: None)
    for pictures in (100, 200, 300):
        drawn.add(Progress(pictures=pictures), 32, 1.5, 0.25, 99.0, 1e-3)
    drawn.rewind(200)
    drawn.add(Progress(pictures=250), 32, 1.25, 0.5, 99.0, 1e-3)
    rows = (tmp_path / "curve.csv").read_text().splitlines()
    assert rows[0] == ",".join(curves.COLUMNS)
    assert [row.split(",")[0] for row in rows[1:]] == ["100", "200", "250"]


@pytest.mark.parametrize(("left", "kept"), [("", []), ("pictures,sec", []), ("LINE300,1", ["100"])])
def test_a_curve_that_a_full_disk_cut_short_goes_on(tmp_path, left, kept):
    drawn = Curves(tmp_path, lambda line: None)
    drawn.add(Progress(pictures=100), 32, 1.5, 0.25, 99.0, 1e-3)
    file = tmp_path / "curve.csv"
    file.write_text(left.replace("LINE", file.read_text()))
    drawn.rewind(400)
    drawn.add(Progress(pictures=500), 32, 1.25, 0.5, 99.0, 1e-3)
    rows = list(csv.DictReader(file.open()))
    assert [row["pictures"] for row in rows] == [*kept, "500"]
    assert {row["loss"] for row in rows} <= {"1.5", "1.25"}


def test_tensorboard_is_not_needed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    said = []
    drawn = Curves(tmp_path, said.append)
    drawn.add(Progress(pictures=1), 32, 1.5, 0.25, 99.0, 1e-3)
    assert said == ["tensorboard is not installed: the curve goes to curve.csv only"]
    assert (tmp_path / "curve.csv").is_file()


def test_tensorboard_gets_the_curves(tmp_path):
    events = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    drawn = Curves(tmp_path, lambda line: None)
    drawn.add(Progress(pictures=64), 32, 1.5, 0.25, 99.0, 1e-3)
    (file,) = (tmp_path / "tensorboard").glob("events.out.tfevents.*")
    first, second = (events.Event.FromString(record) for record in records(file.read_bytes()))
    assert first.file_version == "brain.Event:2"
    assert (second.step, {value.tag: value.simple_value for value in second.summary.value}["loss"]) == (64, 1.5)
    assert not any(name.split(".")[0] == "tensorflow" for name in sys.modules)


def records(data):
    """The records of a TFRecord file: each has its length in 8 bytes, 4 of a checksum, itself, 4 of a checksum."""
    while data:
        length = int.from_bytes(data[:8], "little")
        yield data[12 : 12 + length]
        data = data[16 + length :]
