"""Distillation: the losses by their formulas, and a student that learns from its teacher alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from quantization.data.stream import DAMAGED
from quantization.distill.gap import gap, right
from quantization.distill.lesson import Lesson, feature_distance, softened_divergence
from quantization.recipe import DistillRecipe
from quantization.train.layers import resized
from quantization.train.loop import Training
from quantization.train.network import MobileNetV2
from quantization.train.objective import label_loss
from quantization.train.resnet import ResNet
from quantization.train.stages import Stage


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(2)
    torch.set_num_threads(1)


def lesson(**recipe):
    return Lesson(MobileNetV2(4, 0.25), ResNet(4, 18, 0.25), DistillRecipe(**recipe))


def test_the_divergence_is_that_of_the_softened_scores():
    logits, taught, t = torch.randn(3, 5), torch.randn(3, 5), 3.0

    def softened(values):
        powers = np.exp(values.numpy().astype(float) / t)
        return powers / powers.sum(1, keepdims=True)

    p, q = softened(taught), softened(logits)
    assert float(softened_divergence(logits, taught, t)) == pytest.approx(t**2 * (p * np.log(p / q)).sum(), rel=1e-4)
    assert float(softened_divergence(taught, taught, t)) == pytest.approx(0, abs=1e-5)


def test_the_temperature_keeps_the_size_of_gradients():
    taught = torch.randn(4, 6)

    def gradient(temperature):
        logits = torch.zeros(4, 6, requires_grad=True)
        softened_divergence(logits, taught, temperature).backward()
        return float(logits.grad.norm())

    assert gradient(20.0) == pytest.approx(gradient(10.0), rel=0.1)


def test_features_are_compared_relative_to_the_teachers_size():
    shown, adapted = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    distance = float(feature_distance(adapted, shown))
    expected = 0.5 * ((adapted - shown) ** 2).numpy().mean((1, 2, 3)).sum() / (shown**2).numpy().mean()
    assert distance == pytest.approx(expected, rel=1e-5)
    assert float(feature_distance(10 * adapted, 10 * shown)) == pytest.approx(distance, rel=1e-4)


def test_shares_weigh_teacher_and_label():
    taught_only, labels_only = lesson(logits_share=1.0).eval(), lesson(logits_share=0.0).eval()
    pictures, families = torch.randn(5, 3, 32, 32), torch.tensor([0, 1, 2, 3, 0])
    loss, logits = labels_only(pictures, families)
    assert torch.allclose(loss, label_loss(logits, families))
    loss, logits = taught_only(pictures, families)
    with torch.no_grad():
        taught = taught_only.teacher(pictures)
    assert torch.allclose(loss, softened_divergence(logits, taught, 4.0), rtol=1e-4)


def test_a_damaged_sample_teaches_nothing():
    mixed = lesson(feature_weight=0.5).eval()
    pictures = torch.randn(4, 3, 32, 32)
    with_one, _ = mixed(pictures, torch.tensor([0, 1, DAMAGED, 2]))
    without, _ = mixed(pictures[[0, 1, 3]], torch.tensor([0, 1, 2]))
    assert torch.allclose(with_one, without, rtol=1e-4)


def test_a_batch_of_damaged_samples_alone_teaches_nothing_and_breaks_nothing():
    lesson = Lesson(MobileNetV2(3, 0.25), MobileNetV2(3, 0.25), DistillRecipe(feature_weight=1.0))
    loss, _ = lesson(torch.zeros(2, 3, 32, 32), torch.tensor([DAMAGED, DAMAGED]))
    assert loss.item() == 0
    loss.backward()
    assert all(bool(p.grad.isfinite().all()) for p in lesson.parameters() if p.grad is not None)


def test_the_teacher_is_neither_trained_nor_saved():
    taught = lesson(feature_weight=1.0)
    names = set(dict(taught.named_parameters()))
    assert {name.split(".")[0] for name in names} == {"network", "adapter"}
    assert taught.adapter.weight.shape == (128, 1280, 1, 1)
    taught.train()
    assert not taught.teacher.training
    loss, _ = taught(torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert all(parameter.grad is None for parameter in taught.teacher.parameters())
    assert taught.adapter.weight.grad.abs().max() > 0


def test_the_student_sees_the_teachers_larger_pictures_made_smaller():
    taught = Lesson(
        MobileNetV2(4, 0.25), ResNet(4, 18, 0.25), DistillRecipe(feature_weight=0.5), larger=128 / 96
    ).eval()
    assert (taught.pictures_px(96), taught.pictures_px(64)) == (128, 85)
    seen_px = []
    for network in (taught.teacher, taught.network):
        network.features.register_forward_pre_hook(lambda _, seen: seen_px.append(seen[0].shape[2]))
    loss, _ = taught(torch.rand(2, 3, 128, 128), torch.tensor([0, 1]))
    assert seen_px == [128, 96]
    assert torch.isfinite(loss)


def test_pictures_that_are_made_smaller_keep_their_brightness():
    pictures = torch.rand(1, 3, 64, 64)
    smaller = resized(pictures, 16)
    assert smaller.shape == (1, 3, 16, 16)
    assert float(smaller.mean()) == pytest.approx(float(pictures.mean()), abs=0.01)
    assert float(smaller.std()) < 0.5 * float(pictures.std())
    assert resized(pictures, 64) is pictures


def test_a_student_learns_from_answers_alone(tmp_path):
    """The labels are noise and weigh nothing: what is learned is the teacher's."""
    taught = lesson(logits_share=1.0, feature_weight=0.1)
    pictures = torch.randint(0, 255, (16, 32, 32, 3), dtype=torch.uint8)
    training = Training(taught.network, [], tmp_path, 1, objective=taught)
    stage = Stage(32, 10_000, 3e-3, 1e-3, batch=16)
    labels = torch.zeros(16, dtype=torch.int64)
    training.network.train()
    losses = [float(training.step(taught, pictures, labels, stage)[0]) for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_what_the_lesson_needs_beside_the_student_is_resumed(tmp_path):
    first = lesson(feature_weight=1.0)
    Training(first.network, [], tmp_path, 1, objective=first).save()
    second = lesson(feature_weight=1.0)
    assert not torch.equal(second.adapter.weight, first.adapter.weight)
    assert Training(second.network, [], tmp_path, 1, objective=second).resume()
    assert torch.equal(second.adapter.weight, first.adapter.weight)


def test_the_gap_is_what_the_student_lacks():
    class Knows(torch.nn.Module):
        """Right about the first `known` of ten looks, which the pictures' first pixel numbers."""

        def __init__(self, known):
            super().__init__()
            self.known, self.anywhere = known, torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            number = (x[:, 0, 0, 0] * 127.5 + 127.5).round().long()
            answer = torch.where(number < self.known, number % 7, (number + 1) % 7)
            return torch.nn.functional.one_hot(answer, 7).float()

    pictures = torch.zeros(10, 4, 4, 3, dtype=torch.uint8)
    pictures[:, 0, 0, 0] = torch.arange(10)
    looks = [(pictures[k : k + 5], torch.arange(k, k + 5) % 7, []) for k in (0, 5)]
    figures = gap(Knows(9), Knows(6), looks)
    assert figures["teacher"]["top1"] == 0.9
    assert figures["student"]["top1"] == 0.6
    assert (figures["looks"], figures["gap_top1"], figures["agreement"]) == (10, 0.3, 0.7)
    blind = gap(Knows(9), Knows(9), looks, student_px=2)  # its first pixel is a mean of several
    assert blind["teacher"]["top1"] == 0.9
    assert blind["student"]["top1"] < 0.9
    assert right(np.array([[3.0, 2.0, 1.0]]), np.array([1]), 2) == 1.0
