"""The figures of a report, on scores whose figures are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.catalogue.lookalikes import LookAlike, groups
from edge.errors import ConfigError
from quantization.evaluate import figures, unknown
from quantization.evaluate.bins import UNWANTED, accuracy_by_bin, read_layout
from quantization.evaluate.sized import log_scores_with_size

ALONE = (0, 1, 2, 3)


def sure_of(answers, classes=4):
    """(N, classes) posteriors of 0.97 for each answer."""
    posterior = np.full((len(answers), classes), 0.03 / (classes - 1), np.float32)
    posterior[np.arange(len(answers)), answers] = 0.97
    return posterior


def test_look_alikes_count_as_one():
    numbers = ("3001", "3003", "3068", "3673")
    alike = groups(numbers, [LookAlike("3003", "3068", "variant", 0.1, 0.99), LookAlike("3673", "9999", "same", 0, 1)])
    answers, families = np.array([0, 2, 1, 3, 0]), np.array([0, 1, 2, 3, 3])
    assert figures.top1_up_to(answers, families, alike) == 0.8
    assert figures.top1_up_to(answers, families, ALONE) == 0.4


def test_a_category_is_the_sum_of_its_parts():
    posterior = np.array([[0.3, 0.3, 0.4, 0.0], [0.1, 0.1, 0.7, 0.1]], np.float32)
    share, rows = figures.accuracy_by_category(posterior, np.array([0, 0]), ["Brick", "Brick", "Tile", "Technic"])
    assert share == 0.5
    assert [(row.name, row.parts, row.looks, row.top1, row.category) for row in rows] == [("Brick", 2, 2, 0.0, 0.5)]


def test_the_worst_parts_come_first_with_what_they_were_taken_for():
    families = np.repeat([0, 1, 2, 3], 4)
    answers = np.array([0, 0, 0, 0, 1, 2, 2, 3, 2, 2, 2, 1, 0, 1, 2, 0])
    worst = figures.worst_parts(answers, families)
    assert [(part.family, part.right) for part in worst] == [(3, 0.0), (1, 0.25), (2, 0.75)]
    assert worst[0].taken_for == ((0, 0.5), (1, 0.25), (2, 0.25))
    assert worst[1].taken_for == ((2, 0.5), (3, 0.25))
    assert figures.worst_parts(families, families) == []


def test_int8_is_set_against_float(model_scores):
    found = figures.accuracy_figures(model_scores, ALONE)
    wrong_by_float = (model_scores.unseen_float != model_scores.unseen.families).mean()
    assert found["synthetic_one_look_top1_float"] == pytest.approx(1 - wrong_by_float)
    assert found["int8_drop"] == pytest.approx(
        found["synthetic_one_look_top1_float"] - found["synthetic_one_look_top1"]
    )
    assert found["int8_drop"] > 0
    assert 0.8 < found["int8_float_agreement"] < 1
    assert found["synthetic_one_look_top1"] < found["synthetic_one_look_top5"] == 1.0
    brick_or_brick = figures.accuracy_figures(model_scores, (0, 0, 2, 3))["synthetic_one_look_up_to_look_alikes"]
    assert brick_or_brick > found["synthetic_one_look_up_to_look_alikes"] + 0.08


def test_a_good_cameras_looks_have_figures_of_their_own(model_scores):
    found = figures.accuracy_figures(model_scores, ALONE)
    assert found["clean_one_look_top1"] == 0.875  # one brick of eight looks is taken for another brick
    assert found["clean_one_look_category"] == found["clean_one_look_top5"] == 1.0


def test_a_look_that_cannot_tell_is_told_by_its_size(model_scores):
    belt = model_scores.belt
    blind = replace(model_scores, belt=replace(belt, logits=np.zeros_like(belt.logits)))
    found = figures.accuracy_figures(blind, ALONE)
    assert found["belt_one_look_top1"] == 0.25
    assert found["belt_one_look_with_size_top1"] == 0.75  # A brick and a tile of 2 x 2 lie alike.
    posterior = np.exp(log_scores_with_size(blind.log_scores(blind.belt.logits), belt.sizes_mm, blind.size))
    assert posterior.sum(1) == pytest.approx(1, abs=1e-5)
    assert posterior[8:24, 1] == pytest.approx(posterior[8:24, 2])


def test_looks_without_a_size_are_not_judged_by_it(model_scores):
    with pytest.raises(ValueError, match="0 of 320 looks have a size"):
        log_scores_with_size(model_scores.unseen.logits, model_scores.unseen.sizes_mm, model_scores.size)


def test_photographs_are_counted_by_view_and_by_piece(model_scores):
    rows = {row.name: row for row in figures.photo_rows(model_scores, model_scores.photos["some-photos"], ALONE)}
    assert {name: row.count for name, row in rows.items()} == {
        "one look": 5, "one look, without bottom": 3, "one look, back": 2, "one look, bottom": 2, "one look, top": 1,
        "all looks, tempered-product": 3, "all looks, mean": 3, "all looks, majority": 3,
    }  # fmt: skip
    assert rows["all looks, tempered-product"].top1 == 1.0
    flat = figures.photo_figures("some-photos", list(rows.values()))
    assert flat["some_photos_one_look_without_bottom_top1"] == rows["one look, without bottom"].top1
    assert flat["some_photos_all_looks_tempered_product_alike"] == 1.0


BINS = """\
default_bin: box
layout: {gate: first, left: red-bricks, right: bricks-a, pass: {gate: second, left: bricks-b, right: tiles, pass: box}}
bins:
  - {name: red-bricks, accept: [{category: Brick, colour: Red}]}
  - {name: bricks-a, accept: [{category: Brick}]}
  - {name: bricks-b, accept: [{category: Brick}]}
  - {name: tiles, accept: [{category: Tile}]}
"""


def test_parts_that_share_a_bin_need_no_telling_apart(model_scores, tmp_path):
    (tmp_path / "bins.yaml").write_text(BINS)
    table = read_layout(str(tmp_path / "bins.yaml"), model_scores.parts)
    families = np.array([0, 1, 2, 3])
    share, bins = accuracy_by_bin(sure_of([1, 0, 2, 2]), families, table)
    assert share == pytest.approx(0.75)
    assert [bin_.name for bin_ in bins] == ["red-bricks", "bricks-a + bricks-b", "tiles", UNWANTED]
    assert [bin_.right for bin_ in bins] == pytest.approx([1, 1, 1, 0])
    colours = table.group_of.shape[1]
    assert [bin_.share for bin_ in bins] == pytest.approx([0.5 / colours, 0.5 - 0.5 / colours, 0.25, 0.25])


def test_the_bin_with_the_most_evidence_wins_over_the_likeliest_part(model_scores, tmp_path):
    (tmp_path / "bins.yaml").write_text(BINS)
    table = read_layout(str(tmp_path / "bins.yaml"), model_scores.parts)
    posterior = np.array([[0.3, 0.3, 0.4, 0.0]], np.float32)
    assert accuracy_by_bin(posterior, np.array([0]), table)[0] == pytest.approx(1.0)


def test_the_shipped_layout_has_eighteen_bins(model_scores):
    assert len(read_layout("west-18", model_scores.parts).bins) == 18
    with pytest.raises(ConfigError, match=r"^no bin layout nowhere\.yaml: give a bins\.yaml or one of .*west-18"):
        read_layout("nowhere.yaml", model_scores.parts)


def test_unknown_parts_are_noticed_where_their_logits_are_low(model_scores):
    known = model_scores.unseen.logits
    fitted = unknown.fit(known, model_scores)
    assert fitted["false_rejection"] == pytest.approx(0.05, abs=0.005)
    assert fitted["rejected"] == fitted["rejected_by_score"][fitted["score"]] > 0.2
    assert set(fitted["rejected_by_score"]) == set(unknown.SCORES)


@pytest.mark.parametrize("name", unknown.SCORES)
def test_every_score_is_larger_for_what_is_known(name):
    score = unknown.SCORES[name]
    sure, unsure = np.array([[8, 0, 0, 0]], np.float32), np.array([[1, 1, 1, 0.5]], np.float32)
    assert score(sure, 1.0) > score(unsure, 1.0)


def test_energy_and_entropy_of_a_known_case():
    logits = np.log(np.array([[0.5, 0.25, 0.25]], np.float32))
    assert unknown.SCORES["energy"](logits, 1.0) == pytest.approx(0.0, abs=1e-6)
    assert unknown.SCORES["energy"](logits, 2.0) == pytest.approx(2 * np.log(0.5**0.5 + 2 * 0.25**0.5), abs=1e-5)
    assert unknown.SCORES["generalised entropy"](logits, 1.0) == pytest.approx(-(0.25**0.1 + 2 * 0.1875**0.1))
    assert unknown.SCORES["max posterior"](logits, 1.0) == pytest.approx(0.5)


def test_the_rejection_curve_runs_from_none_to_all():
    curve = unknown.rejection_curve(np.linspace(1, 2, 101, dtype=np.float32), np.linspace(0, 2, 201, dtype=np.float32))
    assert curve[0] == pytest.approx(100 / 201)
    assert curve[-1] == pytest.approx(200 / 201)
    assert (np.diff(curve) >= 0).all()


def test_more_looks_reject_more(model_scores):
    by_looks = unknown.rejection_by_looks("max logit", model_scores)
    assert len(by_looks) == model_scores.unknown.looks_a_part
    assert by_looks[-1] > by_looks[0]
