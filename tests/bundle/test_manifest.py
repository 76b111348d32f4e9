"""Loading a bundle: everything in it is checked first, and each fault has its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.bundle.manifest import MANIFEST, find_bundle, load_bundle, sha256
from edge.bundle.size import load_size_evidence
from edge.bundle.unknown import FamiliarityTable
from edge.errors import BundleError


def edit(folder: Path, **changes: object) -> None:
    """Replaces entries of a written manifest, without renewing anything else."""
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_a_whole_bundle_loads(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert [part.number for part in bundle.parts] == ["3001", "3023"]
    assert bundle.parts[0].moulds == ("3001a",)
    assert (bundle.temperature, bundle.fusion_exponent, bundle.unsure_below) == (1.5, 0.6, 0.5)
    assert bundle.model == tiny_bundle / "model.tflite"
    assert bundle.size_evidence == tiny_bundle / "size.npz"
    assert bundle.accuracy == {"synthetic": 0.9}


def test_size_evidence_is_optional(tiny_bundle: Path) -> None:
    edit(tiny_bundle, size_evidence=None)
    assert load_bundle(tiny_bundle).size_evidence is None


def test_an_unknown_name_lists_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no model bundle at .*nowhere: give a bundle's folder or a shipped name"):
        find_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.tflite", "parts.json", "size.npz"])
def test_a_missing_file_is_named(tiny_bundle: Path, name: str) -> None:
    (tiny_bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_bundle(tiny_bundle)


def test_a_cut_file_is_named(tiny_bundle: Path) -> None:
    model = tiny_bundle / "model.tflite"
    model.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"model\.tflite was altered or cut short"):
        load_bundle(tiny_bundle)


def test_an_altered_file_of_the_same_length_is_named(tiny_bundle: Path) -> None:
    model = tiny_bundle / "model.tflite"
    model.write_bytes(b"B" + model.read_bytes()[1:])
    with pytest.raises(BundleError, match=r"model\.tflite was altered"):
        load_bundle(tiny_bundle)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a bundle of format 1"),
        ('{"format": 2}', "is not a bundle of format 1"),
        ("[" * 100_000, "cannot be read"),
        ('{"format": 1}', "lists no files"),
        ('{"format": 1, "files": []}', "lists no files"),
        ('{"format": 1, "files": {"../../etc/hostname": "0"}}', "outside the bundle"),
    ],
)
def test_a_damaged_manifest_is_told(tiny_bundle: Path, text: str, told: str) -> None:
    (tiny_bundle / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=told):
        load_bundle(tiny_bundle)


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json is missing"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"temperature": "warm"}, "warm"),
        ({"temperature": 0}, "temperature"),
        ({"fusion_exponent": -1}, "fusion_exponent"),
        ({"unsure_below": 2}, "unsure_below"),
        ({"model": "other.tflite"}, r"other\.tflite"),
        ({"input": {"height_px": 32}}, "width_px"),
        ({"input": {"height_px": 32, "width_px": 48, "margin": 0}}, "48×32"),
        ({"input": {"height_px": 32, "width_px": 32, "margin": "wide"}}, "wide"),
        ({"input": {"height_px": 32, "width_px": 32, "margin": 0, "mm_per_px": 0}}, "mm_per_px"),
        ({"input": "32"}, "manifest"),
        ({"unknown": {"score": "guess", "threshold": 0}}, r"unknown = 'guess' from \(0\.0,\)"),
        ({"unknown": {"score": "max posterior"}}, "threshold"),
        ({"input": {"height_px": float("inf"), "width_px": 32, "margin": 0}}, "infinity"),
        ({"prior": "often"}, "prior = 'often' \\(allowed: uniform, common\\)"),
    ],
)
def test_a_wrong_entry_is_named(tiny_bundle: Path, changes: dict[str, object], told: str) -> None:
    edit(tiny_bundle, **changes)
    with pytest.raises(BundleError, match=told):
        load_bundle(tiny_bundle)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"number": 3001}, "part 3001 with a number, name, category or mould that is no text"),
        ({"number": " "}, "no text"),
        ({"category": None}, "no text"),
        ({"moulds": ["3001a", 7]}, "no text"),
        ({"length_mm": "31.8"}, r"part 3001 of 31\.8 × 0\.0 × 0\.0 mm"),
        ({"width_mm": float("nan")}, "nan"),
        ({"height_mm": -1.0}, r"-1\.0 mm"),
        ({"length_mm": float("inf")}, "inf"),
        ({"number": "3023"}, "part 3023, which comes twice,"),
    ],
)
def test_a_part_that_is_none_is_named(tiny_bundle: Path, changes: dict[str, object], told: str) -> None:
    file = tiny_bundle / "parts.json"
    first, *others = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps([{**first, **changes}, *others]), encoding="utf-8")
    manifest = json.loads((tiny_bundle / MANIFEST).read_text(encoding="utf-8"))
    edit(tiny_bundle, files={**manifest["files"], "parts.json": sha256(file)})
    with pytest.raises(BundleError, match=told):
        load_bundle(tiny_bundle)


def test_a_missing_entry_is_named(tiny_bundle: Path) -> None:
    manifest = json.loads((tiny_bundle / MANIFEST).read_text(encoding="utf-8"))
    del manifest["accelerators"]
    (tiny_bundle / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match="accelerators"):
        load_bundle(tiny_bundle)


def test_every_error_is_one_line(tiny_bundle: Path) -> None:
    (tiny_bundle / MANIFEST).write_text("{\n\n", encoding="utf-8")
    with pytest.raises(BundleError) as caught:
        load_bundle(tiny_bundle)
    assert "\n" not in str(caught.value)


def test_each_accelerator_has_its_file(tiny_bundle: Path) -> None:
    served = load_bundle(tiny_bundle)
    assert served.model_for("cpu") == tiny_bundle / "model.tflite"
    with pytest.raises(
        BundleError, match=r"bundle tiny serves cpu, not edgetpu: set accelerator\.driver to what it serves"
    ):
        served.model_for("edgetpu")
    edit(tiny_bundle, accelerators=["cpu", "hailo8l"], models={"cpu": "model.tflite", "hailo8l": "parts.json"})
    assert load_bundle(tiny_bundle).model_for("hailo8l") == tiny_bundle / "parts.json"
    edit(tiny_bundle, models={"cpu": "model.tflite", "hailo8l": "unlisted.hef"})
    with pytest.raises(BundleError, match=r"files\[unlisted\.hef\]"):
        load_bundle(tiny_bundle)


def test_a_bundle_says_how_common_its_parts_are(tiny_bundle: Path) -> None:
    assert load_bundle(tiny_bundle).prior == "uniform"
    edit(tiny_bundle, prior="common")
    assert load_bundle(tiny_bundle).prior == "common"
    assert (load_bundle("universal").prior, load_bundle("starter").prior) == ("common", "common")


@pytest.mark.parametrize("name", ["starter", "universal"])
def test_a_shipped_bundle_knows_what_its_parts_leave_free_of_their_rectangles(name: str) -> None:
    """An arch of 1×8 on its side, and a brick of 2×4, studs up."""
    bundle = load_bundle(name)
    assert bundle.size_evidence is not None
    size = load_size_evidence(bundle.size_evidence, len(bundle.parts))
    numbers = [part.number for part in bundle.parts]
    assert size.best_pose(65.2, 20.4)[1][numbers.index("3308")] > 0.3
    assert size.best_pose(33.0, 17.0)[1][numbers.index("3001")] < 0.1


TABLE = {
    "score": "max posterior",
    "threshold": 0.12,
    "looks": [1, 3],
    "shares": [0.01, 0.05],
    "least": [[0.1, 0.4], [0.2, 0.6]],
    "size_weight": 0.5,
    "least_with_size": [[0.0, 0.1], [0.2, 0.3]],
}


def test_a_bundle_says_from_when_on_a_part_is_unknown(tiny_bundle: Path) -> None:
    assert load_bundle(tiny_bundle).familiarity is None
    edit(tiny_bundle, unknown=TABLE)
    found = load_bundle(tiny_bundle).familiarity
    assert found is not None
    assert found.losing(0.05).is_unknown(0.55, looks=3)
    assert not found.losing(0.01).is_unknown(0.55, looks=3)
    assert (found.size_weight, found.least_with_size) == (0.5, ((0.0, 0.1), (0.2, 0.3)))


def test_a_bundle_with_one_threshold_has_it_for_any_share_and_number_of_looks(tiny_bundle: Path) -> None:
    edit(tiny_bundle, unknown={"score": "max posterior", "threshold": 0.12})
    found = load_bundle(tiny_bundle).familiarity
    assert found == FamiliarityTable("max posterior", (1,), (0.05,), ((0.12,),))
    assert [found.losing(share).least for share in (0.005, 0.05, 0.1)] == [(0.12,)] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"shares": [0.05, 0.01]},
        {"looks": [3, 1]},
        {"looks": [1]},
        {"least": [[0.1, 0.4]]},
        {"least_with_size": [[0.1], [0.2]]},
        {"least_with_size": [[0.1, 0.2]]},
        {"size_weight": float("nan")},
        {"score": "guess"},
    ],
)
def test_thresholds_that_do_not_fit_together_are_refused(tiny_bundle: Path, wrong: dict[str, object]) -> None:
    edit(tiny_bundle, unknown=TABLE | wrong)
    with pytest.raises(BundleError, match=r"manifest\.json: entry unknown.* is missing or wrong"):
        load_bundle(tiny_bundle)
