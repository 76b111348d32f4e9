"""The steps of the factory: each says what must come before it, and nothing half-made replaces what is there."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import write_model

from edge.bundle.manifest import load_bundle, sha256
from edge.bundle.size import load_size_evidence
from edge.bundle.unknown import FamiliarityTable
from edge.errors import BrickgateError, InputError
from quantization import factory
from quantization.bar import Bar
from quantization.evaluate import looks as synthetic
from quantization.factory import Workshop, bundle_step, evaluate_step, quantize_step, training_data
from quantization.factory.report_step import write_report
from quantization.recipe import load_recipe

INPUT_PX = 64
ACCURACY = {"synthetic_one_look_top1": 0.93217, "int8_float_agreement": 0.98}
EVALUATION = {
    "temperature": 1.23456,
    "fusion_exponent": 0.4,
    "unsure_below": 0.7,
    "unknown": {
        "score": "max posterior",
        "threshold": 0.3,
        "rejected": 0.4,
        "false_rejection": 0.05,
        "looks": [1, 3],
        "shares": [0.01, 0.05],
        "least": [[0.1, 0.15], [0.2, 0.25]],
        "size_weight": 0.5,
        "least_with_size": [[1.1, 1.2], [1.3, 1.4]],
    },
    "quantization": {"input": {"scale": 0.1, "zero_point": 0}, "output": {"scale": 0.1, "zero_point": 0}},
    "accuracy": ACCURACY,
}
TABLE = np.ones((4, 12, 2), np.float32), np.full((4, 12), 1 / 12, np.float32), np.full((4, 12), 0.9, np.float32)
"""Sides and chances of resting poses."""


@pytest.fixture
def shop(tmp_path):
    return Workshop.open(load_recipe("tiny"), tmp_path / "work", lambda line: None)


def write_exports(shop):
    """What the export step leaves of a model that only the CPU is served with."""
    shop.exports.mkdir()
    model = shop.exports / "model.tflite"
    shutil.copyfile(shop.converted / "model.tflite", model)
    on_cpu = {
        "accelerator": "cpu",
        "file": model.name,
        "parity": {"pictures": 4, "agreement": 1.0, "error": 0.0},
        "note": "run on the CPU",
    }
    (shop.exports / "exports.json").write_text(json.dumps({"model_sha256": sha256(model), "exports": [on_cpu]}))


@pytest.fixture
def evaluated(shop, monkeypatch):
    """A shop whose model has been converted and evaluated, and whose parts need no LDraw."""
    shop.converted.mkdir()
    write_model(shop.converted / "model.tflite", side_px=INPUT_PX)
    write_exports(shop)
    of = {"model_sha256": sha256(shop.converted / "model.tflite")}
    shop.evaluation.write_text(json.dumps(EVALUATION | of))
    shop.scores.mkdir()
    (shop.scores / "parts.json").write_text(json.dumps([{"number": family.number} for family in shop.families]))
    monkeypatch.setattr(bundle_step, "upright_size_mm", lambda mould, meshes: (31.8, 15.8, 11.4))
    monkeypatch.setattr(bundle_step, "size_table", lambda families, meshes: TABLE)
    return shop


def test_steps_say_what_must_come_before_them(shop, write_renders):
    with pytest.raises(InputError, match=r"renders holds no finished shard .*: run 'brickgate-model render' first"):
        factory.train(shop, None, 0)
    with pytest.raises(InputError, match=r"checkpoint\.pt is missing: run 'brickgate-model train' first"):
        factory.quantize(shop)
    with pytest.raises(InputError, match=r"model\.tflite is missing: run 'brickgate-model quantize' first"):
        factory.evaluate(shop, [])
    with pytest.raises(InputError, match=r"evaluation\.json is missing: run 'brickgate-model evaluate' first"):
        factory.bundle(shop, shop.folder / "bundle")


def test_renders_of_other_families_are_not_trained_on(shop, write_renders):
    write_renders(shop.renders, ("3001", "3003"))
    says = (
        r"renders shows other families than the recipe \(it lacks 3024, 3647, 4740, it has 3003\): empty it and render"
    )
    with pytest.raises(InputError, match=says):
        factory.train(shop, None, 0)


def test_test_renders_of_other_families_are_not_judged_by(shop, write_renders):
    """They would be taken for the recipe's own by their place in the list."""
    numbers = tuple(family.number for family in shop.families)
    write_renders(shop.test_renders, (*numbers[:-1], "9999"))
    says = rf"renders-test shows other families than the recipe \(it lacks {numbers[-1]}, it has 9999\): empty it"
    with pytest.raises(InputError, match=says):
        quantize_step.unseen_looks(shop, 8, 1)


def test_renders_of_other_moulds_are_neither_trained_on_nor_judged_by(shop, write_renders):
    """Their families are called the same, but the bundle would tell the sizes of other parts."""
    numbers = tuple(family.number for family in shop.families)
    moulds = [list(family.moulds) for family in shop.families]
    for folder in (shop.renders, shop.test_renders):
        write_renders(folder, numbers)
        (folder / "set.json").write_text(json.dumps({"families": numbers, "moulds": moulds}))
    training_data.training_mix(shop)
    quantize_step.test_layers(shop)
    changed = replace(shop.families[1], moulds=("3024b", "3024"))
    other = replace(shop, families=[shop.families[0], changed, *shop.families[2:]])
    says = rf"shows {changed.number} by {moulds[1][0]}, and the recipe lists 3024b, 3024: empty it and render anew"
    with pytest.raises(InputError, match=f"renders {says}"):
        training_data.training_mix(other)
    with pytest.raises(InputError, match=f"renders-test {says}"):
        quantize_step.test_layers(other)


def test_a_render_with_a_flipped_byte_is_named_with_what_to_do(shop, write_renders):
    """Its shard is there whole, so that 'render' alone would not make it anew."""
    write_renders(shop.test_renders, tuple(family.number for family in shop.families))
    tar = shop.test_renders / "layers-00000.tar"
    content = bytearray(tar.read_bytes())
    content[600] ^= 1
    tar.write_bytes(content)
    says = r"byte 512 of .*layers-00000\.tar is damaged: delete that shard, and run the command again that made it, or"
    with pytest.raises(InputError, match=says):
        quantize_step.unseen_looks(shop, 24, 1)


def test_looks_that_are_missing_of_a_set_are_said(shop, write_renders):
    said = []
    saying = replace(shop, report=said.append)
    numbers = tuple(family.number for family in shop.families)
    for folder in (shop.renders, shop.test_renders):
        write_renders(folder, numbers)
        (folder / "set.json").write_text(json.dumps({"families": numbers, "per_family": 3}))
    training_data.training_mix(saying)
    quantize_step.test_layers(saying)
    assert said == []
    for folder in (shop.renders, shop.test_renders):
        (folder / "layers-00001.tar").unlink()
    training_data.training_mix(saying)
    quantize_step.test_layers(saying)
    ending = "holds 6 of the 12 looks that it was asked for: 'brickgate-model render' makes the rest"
    assert said == [f"{shop.renders} {ending}", f"{shop.test_renders} {ending}"]


def test_a_bundle_holds_all_that_the_machine_needs(evaluated, tmp_path):
    (evaluated.folder / "weights.txt").write_text("imagenet.npz")
    bundle = load_bundle(factory.bundle(evaluated, tmp_path / "made"))
    assert bundle.familiarity == FamiliarityTable(
        "max posterior", (1, 3), (0.01, 0.05), ((0.1, 0.15), (0.2, 0.25)), 0.5, ((1.1, 1.2), (1.3, 1.4))
    )
    assert bundle.size_evidence is not None
    size = load_size_evidence(bundle.size_evidence, 4)
    assert size.filled is not None
    assert size.filled == pytest.approx(TABLE[2], abs=0.005)
    assert bundle.prior == "uniform"
    assert (bundle.name, bundle.temperature, bundle.fusion_exponent) == ("tiny", 1.2346, 0.4)
    assert (bundle.input.width_px, bundle.input.margin, bundle.input.mm_per_px) == (64, 0.06, None)
    first = bundle.parts[0]
    assert (first.number, first.name, first.category) == ("3001", "Brick 2 x 4", "Brick")
    assert (first.length_mm, first.width_mm, first.height_mm) == (31.8, 15.8, 11.4)
    assert bundle.accuracy == {"synthetic_one_look_top1": 0.9322, "int8_float_agreement": 0.98}
    attribution = (bundle.folder / "ATTRIBUTION.txt").read_text()
    assert "CC BY 4.0" in attribution
    assert "Starting weights: imagenet.npz" in attribution
    manifest = json.loads((bundle.folder / "manifest.json").read_text())
    assert manifest["unknown"]["threshold"] == 0.2  # one look at 5 %, for machines that know of no other
    assert manifest["made_from"]["recipe"]["seed"] == 3
    assert set(manifest["files"]) == {"model.tflite", "parts.json", "size.npz", "ATTRIBUTION.txt"}


def test_a_bundle_tells_of_a_training_that_is_not_finished(evaluated, tmp_path):
    def unfinished(bundle):
        return json.loads((bundle / "manifest.json").read_text())["made_from"]["unfinished_training"]

    assert unfinished(factory.bundle(evaluated, tmp_path / "made")) is None
    (evaluated.converted / "quantization.json").write_text(json.dumps({"unfinished": "16 of 48 pictures"}))
    said = []
    saying = replace(evaluated, report=said.append)
    assert unfinished(factory.bundle(saying, tmp_path / "made")) == "16 of 48 pictures"
    assert "model.tflite was made of a training at 16 of 48 pictures: train on, and quantize again" in said[0]


def test_an_older_bundle_stays_until_the_new_one_is_whole(evaluated, tmp_path, monkeypatch):
    made = factory.bundle(evaluated, tmp_path / "made")
    before = (made / "manifest.json").read_bytes()

    def fail(families, meshes):
        raise BrickgateError("no such part")

    with monkeypatch.context() as patch:
        patch.setattr(bundle_step, "size_table", fail)
        with pytest.raises(BrickgateError, match="no such part"):
            factory.bundle(evaluated, tmp_path / "made")
    assert (made / "manifest.json").read_bytes() == before
    load_bundle(made)
    factory.bundle(evaluated, tmp_path / "made")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "work"]


def test_a_folder_of_other_things_is_not_replaced_by_a_bundle(evaluated, tmp_path):
    with pytest.raises(InputError, match=r"work is no bundle, and would be replaced by one: name another folder"):
        factory.bundle(evaluated, evaluated.folder)
    assert evaluated.evaluation.is_file()
    (tmp_path / "empty").mkdir()
    load_bundle(factory.bundle(evaluated, tmp_path / "empty"))


def test_an_evaluation_of_another_model_makes_no_bundle(evaluated, tmp_path):
    write_model(evaluated.converted / "model.tflite", side_px=INPUT_PX, scale=0.25)
    shutil.rmtree(evaluated.exports)
    write_exports(evaluated)
    with pytest.raises(InputError, match=r"evaluation\.json is of another model .*: run 'brickgate-model evaluate'"):
        factory.bundle(evaluated, tmp_path / "made")


def test_a_model_of_other_parts_makes_no_bundle(evaluated, tmp_path):
    reordered = replace(evaluated, families=evaluated.families[::-1])
    says = r"parts\.json is of a model of other parts than recipe tiny \({}\): give the recipe that"
    with pytest.raises(InputError, match=says.format("in another order")):
        factory.bundle(reordered, tmp_path / "made")
    renamed = [replace(evaluated.families[0], number="3001b"), *evaluated.families[1:]]
    with pytest.raises(InputError, match=says.format("it lacks 3001b, it has 3001")):
        factory.bundle(replace(evaluated, families=renamed), tmp_path / "made")
    (evaluated.scores / "parts.json").unlink()
    with pytest.raises(InputError, match=r"parts\.json is missing or damaged: run 'brickgate-model evaluate' again"):
        factory.bundle(evaluated, tmp_path / "made")
    assert not (tmp_path / "made").exists()


class Int8:
    """Says what it is told to: `sign` −1 is the opposite of what the float network says."""

    quantization = EVALUATION["quantization"]

    def __init__(self, sign: int) -> None:
        self.sign = sign

    def logits(self, pictures):
        return self.sign * float_logits(torch.from_numpy(pictures)).numpy()


def float_logits(pictures):
    """(N, 4): right about the family, which the pictures' first pixel tells, three times out of four."""
    family = pictures[:, 0, 0, 0].long()
    wrong = torch.arange(len(family)) % 4 == 0
    return 4 * torch.nn.functional.one_hot((family + wrong.long()) % 4, 4).float()


def looks(parts, looks_a_part):
    families = np.repeat(np.arange(parts) % 4, looks_a_part)
    return synthetic.UnseenLooks(families, looks_a_part, lambda i: np.full((8, 8, 3), families[i], np.uint8))


def clean_looks():
    """Four parts that `looks` has as well, of which the model takes three for others."""
    return synthetic.UnseenLooks(np.arange(4), 1, lambda i: np.full((8, 8, 3), 2 * (i // 2), np.uint8))


@pytest.fixture
def measured(shop, write_renders, monkeypatch):
    numbers = tuple(family.number for family in shop.families)
    write_renders(shop.test_renders, numbers)
    write_renders(shop.folder / "renders-unknown", ("3960", "4274"))
    shop.converted.mkdir()
    write_model(shop.converted / "model.tflite", side_px=INPUT_PX)
    monkeypatch.setattr(evaluate_step, "quantized_from", lambda shop: float_logits)
    monkeypatch.setattr(evaluate_step, "to_input", lambda pictures: pictures)
    monkeypatch.setattr(evaluate_step, "render_shards", lambda *arguments, **more: None)
    monkeypatch.setattr(
        evaluate_step,
        "make_test_looks",
        lambda layers, size, parts, each, seed, margin=None: looks(parts, each) if margin is None else clean_looks(),
    )
    monkeypatch.setattr(
        evaluate_step, "make_track_looks", lambda *arguments: replace(looks(12, 5), sizes_mm=np.full((60, 2), 16.0))
    )
    monkeypatch.setattr(evaluate_step, "size_table", lambda families, meshes: TABLE)
    monkeypatch.setattr(bundle_step, "upright_size_mm", lambda mould, meshes: (31.8, 15.8, 11.4))

    def evaluate(sign, photos=()):
        monkeypatch.setattr(evaluate_step, "TfliteModel", lambda file: Int8(sign))
        return factory.evaluate(shop, list(photos))

    return evaluate


def test_what_was_measured_and_fitted_is_kept(shop, measured):
    result = measured(+1)
    assert json.loads(shop.evaluation.read_text()) == result
    accuracy = result["accuracy"]
    assert accuracy["synthetic_one_look_top1"] == accuracy["synthetic_one_look_top1_float"] == pytest.approx(0.75)
    assert accuracy["int8_float_agreement"] == 1.0
    assert accuracy["synthetic_three_looks_top1"] > 0.9
    assert accuracy["clean_one_look_top1"] == 0.25
    assert accuracy["expected_calibration_error"] < accuracy["expected_calibration_error_before"]
    assert result["temperature"] > 1.0
    assert 0 <= result["fusion_exponent"] <= 1
    assert result["unknown"]["rejected"] == accuracy["unknown_rejected"]
    assert result["unknown"]["looks"] == [1, 2, 3, 5]
    at_5_percent = result["unknown"]["belt"]["rejected_with_size"][result["unknown"]["shares"].index(0.05)]
    assert [accuracy[f"unknown_belt_{name}_with_size_rejected"] for name in ("1_look", "3_looks")] == at_5_percent[:3:2]
    assert len(result["looks"]["independent"]["majority"]) == shop.recipe.render.test_looks_per_family == 4
    assert result["categories"]["Plate"] == {"parts": 1, "top1": pytest.approx(0.75), "category": pytest.approx(0.75)}


def test_each_picture_that_is_looked_at_moves_the_bar(shop, measured, monkeypatch):
    bars = []

    class Counting(Bar):
        def __init__(self, label, total, done, shown):
            super().__init__(label, total, done, shown)
            self.total, self.moved = total, 0
            bars.append(self)

        def advance(self):
            self.moved += 1
            super().advance()

    monkeypatch.setattr(evaluate_step, "Bar", Counting)
    measured(+1)
    assert [bar.moved for bar in bars] == [bars[0].total]


def test_an_int8_model_that_disagrees_with_the_float_one_is_refused(shop, measured):
    measured(+1)
    with pytest.raises(BrickgateError, match=r"int8 and float agree on [\d.]+% of the pictures only: raise rep"):
        measured(-1)
    with pytest.raises(InputError, match="run 'brickgate-model evaluate' first"):
        factory.bundle(shop, Path("never"))


def test_a_damaged_photograph_leaves_the_evaluation_alone(shop, measured, tmp_path):
    result = measured(+1)
    (tmp_path / "labels.csv").write_text("file,part_family,view,group\na.png,3001,front,1\n")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.png is no picture"):
        measured(+1, [tmp_path])
    assert json.loads(shop.evaluation.read_text()) == result


def test_the_report_is_of_the_model_at_hand(shop, measured, tmp_path):
    page = tmp_path / "report.html"
    with pytest.raises(InputError, match=r"evaluation\.json is missing: run 'brickgate-model evaluate' first"):
        write_report(shop, page, "beginner-4", None, speed=False)
    measured(+1)
    write_report(shop, page, "beginner-4", None, speed=False)
    assert "75.0 %" in page.read_text()
    (shop.converted / "quantization.json").write_text(json.dumps({"unfinished": "16 of 48 pictures"}))
    write_report(shop, page, "beginner-4", None, speed=False)
    assert "Brickgate tiny, of a training at 16 of 48 pictures" in page.read_text()
    assert list(tmp_path.glob(".*")) == []
    write_model(shop.converted / "model.tflite", side_px=INPUT_PX, scale=0.25)
    with pytest.raises(InputError, match=r"scores\.npz is of another model than the one converted last"):
        write_report(shop, page, "beginner-4", None, speed=False)
    shop.evaluation.write_text("{")
    with pytest.raises(InputError, match=r"evaluation\.json is no JSON .*: run 'brickgate-model evaluate' again"):
        write_report(shop, page, "beginner-4", None, speed=False)
    (shop.converted / "model.tflite").unlink()
    with pytest.raises(InputError, match=r"model\.tflite is missing: run 'brickgate-model quantize' first"):
        write_report(shop, page, "beginner-4", None, speed=False)


def test_a_report_makes_its_folder_and_tells_of_look_alikes_that_the_model_does_not_know(shop, measured, tmp_path):
    measured(+1)
    said: list[str] = []
    pairs = tmp_path / "mine.csv"
    one, other = (family.number for family in shop.families[:2])
    pairs.write_text(f"part,other,kind,distance_mm,share\n{one},{other},same,0.1,0.99\n{one},99999,same,0.1,0.99\n")
    page = tmp_path / "pages" / "new" / "report.html"
    write_report(replace(shop, report=said.append), page, "beginner-4", pairs, speed=False)
    assert page.is_file()
    assert said[0] == f"{pairs}: 1 of 2 pairs name a part that is not in this model: they count for nothing"
    with pytest.raises(InputError, match=r"/pages is a folder: give --out a file, such as .*/pages/report\.html$"):
        write_report(shop, tmp_path / "pages", "beginner-4", None, speed=False)
    with pytest.raises(InputError, match=r"mine\.csv cannot be made \(.*\): name another place with --out$"):
        write_report(shop, pairs / "report.html", "beginner-4", None, speed=False)


def test_a_model_for_pictures_of_another_size_is_named_by_each_step(evaluated, tmp_path):
    """A network that takes pictures of any size would not say so itself: the bundle would be of a model that fails."""
    larger = Workshop.open(evaluated.recipe.model_copy(update={"input_px": 96}), evaluated.folder, evaluated.report)
    says = r"model\.tflite was made for pictures of 64 px, and input_px of recipe tiny is 96: run 'brickgate-model qua"
    before = evaluated.evaluation.read_bytes()
    for step in (
        lambda: factory.evaluate(larger, []),
        lambda: factory.bundle(larger, tmp_path / "made"),
        lambda: write_report(larger, tmp_path / "report.html", "beginner-4", None, speed=True),
    ):
        with pytest.raises(InputError, match=says):
            step()
    assert evaluated.evaluation.read_bytes() == before
    assert not (tmp_path / "made").exists()
    (evaluated.converted / "model.tflite").write_bytes(b"TFL3, or not")
    with pytest.raises(InputError, match=r"model\.tflite is damaged: run 'brickgate-model quantize' again"):
        factory.bundle(evaluated, tmp_path / "made")


def test_an_evaluation_that_is_stopped_leaves_the_one_before(shop, measured, monkeypatch):
    result = measured(+1)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate_step, "fit_temperature", stop)
    with pytest.raises(KeyboardInterrupt):
        measured(+1)
    assert json.loads(shop.evaluation.read_text()) == result


def test_a_damaged_evaluation_is_not_bundled(evaluated, tmp_path):
    evaluated.evaluation.write_text("{")
    with pytest.raises(InputError, match=r"evaluation\.json is no JSON .*: run 'brickgate-model evaluate' again"):
        factory.bundle(evaluated, tmp_path / "made")
