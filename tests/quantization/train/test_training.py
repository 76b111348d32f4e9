"""Training: it learns, it goes on after a kill, and it refuses what belongs to another recipe."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from edge.errors import BrickgateError
from quantization.data import augment
from quantization.data.belts import make_belts
from quantization.data.opening import open_any
from quantization.data.stream import Mix, stream
from quantization.train import running
from quantization.train.checkpoint import Progress, Subject
from quantization.train.loop import BEFORE_INT8, Training
from quantization.train.network import MobileNetV2
from quantization.train.stages import Stage, precision, rate_at

STAGES = [Stage(32, 64, 1e-3, 1e-4, batch=16), Stage(32, 48, 1e-4, 1e-5, batch=16, int8=True)]


class KilledError(Exception):
    """Stands for the power cut."""


@pytest.fixture(autouse=True)
def few_belts(monkeypatch):
    monkeypatch.setattr(augment, "make_belts", lambda rng, size_px: make_belts(rng, size_px, 6))
    torch.set_num_threads(1)


def training(folder, classes=2, width=0.25, stages=STAGES, seed=4, families=None, task="train"):
    torch.manual_seed(1)
    subject = Subject(families or tuple(f"300{k}" for k in range(classes)), "mobilenet-v2", width, task)
    return Training(MobileNetV2(classes, width), stages, folder, seed, subject=subject)


def mixed(renders):
    return Mix([open_any(renders)], (1.0,), 4)


def stepped(training, pictures, families, stage):
    """The mean loss of one step."""
    return float(training.step(training.objective, pictures, families, stage)[0]) / len(families)


def test_a_training_runs_through_its_stages(renders, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "LOG_EVERY", 2)
    said = []
    done = training(tmp_path)
    before = done.network.features[5].conv[0][0].weight.detach().clone()
    done.run(mixed(renders), 0, said.append)
    assert (done.progress.stage, done.progress.pictures) == (2, 112)
    assert not torch.equal(done.network.features[5].conv[0][0].weight, before)
    assert said[0].startswith("stage 1/2 32 px  32/64  loss ")
    assert said[-1].startswith("stage 2/2 32 px  48/48  loss ")
    rows = list(csv.DictReader((tmp_path / "curve.csv").open()))
    assert [int(row["pictures"]) for row in rows] == [32, 64, 96, 112]


def test_a_killed_training_goes_on_where_it_was_saved(renders, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(running, "CHECK_EVERY", 1)
    killed = training(tmp_path)
    step, steps = killed.step, iter(range(5))

    def until_the_power_cut(*batch):
        if next(steps, None) is None:
            raise KilledError
        return step(*batch)

    monkeypatch.setattr(killed, "step", until_the_power_cut)
    with pytest.raises(KilledError):
        killed.run(mixed(renders), 0, lambda line: None)
    assert killed.progress.stage == 1

    resumed = training(tmp_path)
    assert resumed.resume()
    assert (resumed.progress.stage, resumed.progress.pictures_in_stage, resumed.progress.pictures) == (1, 16, 80)
    for name, value in killed.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name
    for name, value in killed.average.items():
        assert torch.equal(resumed.average[name], value), name
    resumed.run(mixed(renders), 0, lambda line: None)
    assert (resumed.progress.stage, resumed.progress.pictures) == (2, 112)


def test_a_kill_while_saving_leaves_the_older_checkpoint(tmp_path, monkeypatch):
    saved = training(tmp_path)
    saved.progress = Progress(stage=1, pictures=7)
    saved.save()
    saved.progress = Progress(stage=1, pictures=9)

    def cut_short(state, file):
        file.write(b"half")
        raise KilledError

    monkeypatch.setattr(torch, "save", cut_short)
    with pytest.raises(KilledError):
        saved.save()
    resumed = training(tmp_path)
    assert resumed.resume()
    assert resumed.progress.pictures == 7


def test_other_shares_begin_another_order(renders, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "CHECK_EVERY", 1)

    def goes_on(shares):
        going = training(tmp_path)
        going.resume()
        going.run(Mix([open_any(renders), open_any(renders)], shares, 4), 0, lambda line: None, minutes=0)
        return going.progress.key, going.progress.place

    assert [goes_on(shares) for shares in ((0.5, 0.5), (0.5, 0.5), (0.6, 0.4))] == [(0, 16), (0, 32), (1, 16)]


def test_a_kill_between_stages_does_not_lose_what_int8_is_compared_with(renders, tmp_path, monkeypatch):
    killed, save = training(tmp_path), Training.save
    saved = []

    def until_the_power_cut(made, path=None):
        if saved:
            raise KilledError
        saved.append(path)
        save(made, path)

    monkeypatch.setattr(Training, "save", until_the_power_cut)
    with pytest.raises(KilledError):
        killed.run(mixed(renders), 0, lambda line: None)
    monkeypatch.setattr(Training, "save", save)
    again = training(tmp_path)
    again.resume()
    again.run(mixed(renders), 0, lambda line: None)
    before = torch.load(tmp_path / BEFORE_INT8, weights_only=True)
    assert before["progress"]["pictures"] == STAGES[0].pictures


def test_without_a_checkpoint_there_is_nothing_to_go_on_with(tmp_path):
    assert not training(tmp_path).resume()


@pytest.mark.parametrize("other", [{"classes": 3}, {"width": 0.35}])
def test_a_checkpoint_of_another_network_is_refused(tmp_path, other):
    training(tmp_path).save()
    with pytest.raises(
        BrickgateError, match=r"checkpoint\.pt is of another recipe or damaged \(.*\): move it away"
    ) as error:
        training(tmp_path, **other).resume()
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", None])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    saved = training(tmp_path)
    saved.save()
    data = saved.checkpoint.read_bytes()
    saved.checkpoint.write_bytes(data[: len(data) // 2] if content is None else content)
    with pytest.raises(BrickgateError, match="is of another recipe or damaged"):
        training(tmp_path).resume()


def test_the_rate_goes_along_half_a_cosine():
    stage = Stage(32, 1000, 1e-2, 1e-4)
    rates = [rate_at(stage, k) for k in range(0, 1001, 100)]
    assert rates[0] == pytest.approx(1e-2)
    assert rates[5] == pytest.approx((1e-2 + 1e-4) / 2)
    assert rates[-1] == rate_at(stage, 2000) == pytest.approx(1e-4)
    assert rates == sorted(rates, reverse=True)


def test_the_rate_rises_in_the_warm_up():
    stage, cold = Stage(32, 1000, 1e-2, 1e-4, batch=10, warm_up=100), Stage(32, 1000, 1e-2, 1e-4, batch=10)
    rises = [rate_at(stage, k) / rate_at(cold, k) for k in range(0, 200, 10)]
    assert rises[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert rises[10:] == [1.0] * 10


@pytest.mark.parametrize(
    ("device", "int8", "wanted"),
    [("cuda", False, torch.bfloat16), ("cuda", True, torch.float32), ("cpu", False, torch.float32)],
)
def test_a_gpu_computes_in_half_precision_unless_the_stage_rounds(device, int8, wanted, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert precision(Stage(128, 64, 1e-3, 1e-4, int8=int8), torch.device(device)) == wanted


def test_the_average_is_what_is_converted(tmp_path):
    done = training(tmp_path)
    done.average = {name: torch.full_like(value, 0.25) for name, value in done.average.items()}
    averaged = done.averaged()
    assert not averaged.training
    assert float(averaged.features[0][0].weight.detach().mean()) == 0.25


def test_a_stage_may_freeze_the_norms(renders, tmp_path):
    done = training(tmp_path, stages=[Stage(32, 32, 1e-3, 1e-4, batch=16, norms_frozen=True)])
    before = done.network.features[5].conv[0][1].running_mean.clone()
    done.run(mixed(renders), 0, lambda line: None)
    assert torch.equal(done.network.features[5].conv[0][1].running_mean, before)


def test_a_stage_may_freeze_the_first_blocks_and_the_next_one_lets_them_learn(renders, tmp_path):
    """Without weight decay or statistics moving them either; the others learn."""
    stages = [Stage(32, 32, 1e-3, 1e-4, batch=16, blocks_frozen=4), Stage(32, 32, 1e-3, 1e-4, batch=16)]
    done = training(tmp_path, stages=stages)
    begun = {name: value.clone() for name, value in done.network.state_dict().items()}
    done.stages = stages[:1]
    done.run(mixed(renders), 0, lambda line: None)
    for name, value in done.network.state_dict().items():
        if name.startswith(tuple(f"features.{block}." for block in range(4))):
            assert torch.equal(value, begun[name]), name
    assert not torch.equal(done.network.features[4].conv[0][0].weight, begun["features.4.conv.0.0.weight"])
    assert not torch.equal(done.network.dense.weight, begun["classifier.1.weight"])
    done.stages = stages
    done.run(mixed(renders), 0, lambda line: None)
    assert not torch.equal(done.network.features[1].conv[0][0].weight, begun["features.1.conv.0.0.weight"])


def test_it_learns_what_it_is_shown(renders, tmp_path):
    done = training(tmp_path)
    pictures, families = next(stream(renders, 32, 16, 1, 0))
    stage = Stage(32, 10_000, 3e-3, 1e-3, batch=16)
    losses = [stepped(done, pictures, families, stage) for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_with_frozen_norms_it_learns_on(renders, tmp_path):
    done = training(tmp_path)
    pictures, families = next(stream(renders, 32, 16, 1, 0))
    stage = Stage(32, 10_000, 3e-3, 1e-3, batch=16)
    for _ in range(30):
        stepped(done, pictures, families, stage)
    done.network.freeze_norms(True)
    first, *_, last = [stepped(done, torch.flip(pictures, (2,)), families, stage) for _ in range(20)]
    assert last < 0.8 * first
