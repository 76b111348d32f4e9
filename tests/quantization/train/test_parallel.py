"""Two processes train as one does, and lose nothing when one of them is killed."""

from __future__ import annotations

import csv
import importlib.util
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.errors import BrickgateError, InputError
from quantization.data import augment
from quantization.data.opening import open_any
from quantization.data.stream import Mix
from quantization.train import running
from quantization.train.loop import Training
from quantization.train.network import MobileNetV2
from quantization.train.parallel import ALONE, Crew, joined

MEMBER = Path(__file__).with_name("crew_member.py")


@pytest.fixture
def member(monkeypatch):
    """The program's functions, in this process."""
    spec = importlib.util.spec_from_file_location("crew_member", MEMBER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for owner, name in ((augment, "make_belts"), *((running, n) for n in ("SAVE_EVERY_S", "CHECK_EVERY", "LOG_EVERY"))):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back afterwards
    module.quickly()
    return module


def crew_of_two(work, renders, *options):
    """Exit codes and what was said on standard error, of both processes."""
    work.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, str(MEMBER), str(work), str(renders), *options],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank), "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in started]
    return [process.returncode for process in started], said


def curve(work):
    with (work / "curve.csv").open(newline="") as stream:
        return [(int(row["pictures"]), float(row["loss"])) for row in csv.DictReader(stream)]


def test_two_processes_train_as_one_does_and_go_on_after_a_kill(member, renders, tmp_path):
    """Batches of 15: one process has 7 pictures of each, the other 8."""
    alone, crew = tmp_path / "alone", tmp_path / "crew"
    alone.mkdir()
    member.train(alone, renders, ALONE)

    codes, said = crew_of_two(crew, renders, "--die-at", "3")
    assert codes == [1, -9], said
    lines = [line for line in said[0].splitlines() if line.startswith("error:")]
    assert lines == ["error: another worker was lost: run the same command to go on from the checkpoint"]
    assert [pictures for pictures, _ in curve(crew)] == [15, 30, 45]

    codes, said = crew_of_two(crew, renders)
    assert codes == [0, 0], said
    expected, found = curve(alone), curve(crew)
    assert [pictures for pictures, _ in found] == [pictures for pictures, _ in expected] == list(range(15, 106, 15))
    losses = np.array([(mine, theirs) for (_, mine), (_, theirs) in zip(expected, found, strict=True)])
    assert np.abs(losses[:5, 0] - losses[:5, 1]).max() < 2e-3
    assert np.abs(losses[5:, 0] - losses[5:, 1]).max() < 0.3  # norms see half a batch each
    first, second = (torch.load(crew / f"network-{rank}.pt") for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first if "num_batches" not in name)


def test_started_by_hand_a_process_is_alone():
    with joined() as crew:
        assert (crew.rank, crew.size, crew.leads) == (0, 1, True)
        assert crew.shared(lambda: 5) == crew.leader_first(lambda: 5) == 5
        assert crew.sum(torch.ones(2)).tolist() == [1, 1]
        module = torch.nn.Linear(1, 1)
        assert crew.parallel(module) is module


def test_a_batch_that_is_too_small_for_the_processes_is_refused(member, renders, tmp_path):
    training = Training(MobileNetV2(2, 0.25), member.STAGES, tmp_path, seed=4)
    training.crew = Crew(rank=1, size=8)
    stage_run = running.StageRun(training, member.STAGES[0], None, print, math.inf)
    with pytest.raises(InputError, match="a batch of 15 is too small for 8 processes: start fewer, or raise batch"):
        stage_run.through(Mix([open_any(renders)], (1.0,), 4), 0)


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(BrickgateError, match="3 processes share 1 GPUs: give torchrun --nproc_per_node 1"), joined():
        pass
