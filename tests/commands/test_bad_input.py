"""Whatever a command is given: one line that says what, where and what to do, and an exit code that tells."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
from drawn_belt import DrawnPart, draw_belt
from tiny_model import write_model

from edge.bundle.manifest import write_manifest
from edge.journal.journal import Journal


@pytest.fixture
def bundle(made_bundle, tmp_path):
    return Path(shutil.copytree(made_bundle, tmp_path / "bundle"))


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "part.png"
    cv2.imwrite(str(file), draw_belt([DrawnPart(20.0, "red")], 100.0))
    return file


def hash_again(bundle, **changes):
    """Makes an altered bundle whole again, so that the next check is the one that speaks."""
    manifest = {**json.loads((bundle / "manifest.json").read_text()), **changes}
    files = list(manifest.pop("files"))
    del manifest["format"]
    write_manifest(bundle, manifest, files)


def cut(file, share=0.5):
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])


def tamper(bundle):
    data = bytearray((bundle / "model.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "model.tflite").write_bytes(bytes(data))


def edit(bundle, old, new):
    file = bundle / "manifest.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def other_model(bundle, **options):
    write_model(bundle / "model.tflite", **options)
    hash_again(bundle)


ALTERED = "{}/model.tflite was altered or cut short (its SHA-256 differs from the manifest): fetch the bundle again"
BUNDLES = {
    "tampered": (tamper, ALTERED),
    "truncated": (lambda b: cut(b / "model.tflite"), ALTERED),
    "no model": (
        lambda b: (b / "model.tflite").unlink(),
        "{}/model.tflite is missing: make or fetch the bundle again",
    ),
    "no manifest": (
        lambda b: (b / "manifest.json").unlink(),
        "{}/manifest.json is missing: this folder is no model bundle",
    ),
    "another format": (
        lambda b: edit(b, '"format": 1', '"format": 9'),
        "{}/manifest.json is not a bundle of format 1: update Brickgate or the bundle",
    ),
    "a file outside": (
        lambda b: edit(b, '"model.tflite":', '"../model.tflite":'),
        "{0}/manifest.json lists ../model.tflite, outside the bundle: do not trust this bundle",
    ),
    "an entry missing": (
        lambda b: edit(b, '"temperature"', '"warmth"'),
        "{}/manifest.json: entry 'temperature' is missing or wrong: make or fetch the bundle again",
    ),
    "not square": (
        lambda b: edit(b, '"height_px": 32', '"height_px": 64'),
        "the model wants 32×64 px: square inputs of 16 to 1024 px are served; export the model with a square input",
    ),
    "another input": (
        lambda b: hash_again(b, input={"height_px": 64, "width_px": 64, "margin": 0.1}),
        "{}/model.tflite: the model's input is 1×32×32×3, the bundle tiny promises 1×64×64×3: make or fetch the bundle"
        " again",
    ),
    "an open shape": (
        lambda b: other_model(b, side_px=32, open_shape=True),
        "{}/model.tflite: the input has the open shape (-1, 32, 32, 3): export the model with a fixed shape",
    ),
    "two inputs": (
        lambda b: other_model(b, side_px=32, inputs=2),
        "{}/model.tflite has 2 input tensors: models with one picture as input can be run",
    ),
    "no TFLite file": (
        lambda b: ((b / "model.tflite").write_bytes(b"TFL?" * 99), hash_again(b)),
        "{}/model.tflite is no TFLite model: give a .tflite file, or fetch the bundle again",
    ),
    "another number of parts": (
        lambda b: ((b / "parts.json").write_text('[{"number":"3001","name":"x","category":"Brick"}]'), hash_again(b)),
        "{}/model.tflite: the model scores 3 classes, the bundle tiny names 1 parts: make or fetch the bundle again",
    ),
}


@pytest.mark.parametrize("case", BUNDLES)
def test_a_bundle_that_cannot_be_used(brickgate, bundle, picture, case):
    spoil, message = BUNDLES[case]
    spoil(bundle)
    result = brickgate("classify", "--bundle", bundle, picture)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"error: {message.format(bundle)}\n"


def test_a_manifest_that_is_no_json_is_named(brickgate, bundle, picture):
    cut(bundle / "manifest.json")
    result = brickgate("classify", "--bundle", bundle, picture)
    assert result.code == 1
    assert result.err.startswith(f"error: {bundle}/manifest.json cannot be read (")
    assert result.err.endswith("): make or fetch the bundle again\n")


@pytest.mark.parametrize("command", ["classify", "bench", "simulate", "replay", "run"])
def test_a_bundle_that_is_not_there(brickgate, picture, machine, command):
    arguments = {
        "classify": (picture,),
        "replay": (picture, "--config", machine),
        "run": ("--config", machine),
    }
    result = brickgate(command, *arguments.get(command, ()), "--bundle", "nowhere")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: no model bundle at nowhere: give a bundle's folder or a shipped name (")


def test_a_picture_that_is_none_is_told_and_the_others_are_answered(brickgate, made_bundle, picture, tmp_path):
    bad, missing = tmp_path / "bad.png", tmp_path / "missing.png"
    bad.write_bytes(b"no picture")
    result = brickgate("classify", "--bundle", made_bundle, "--json", bad, picture, missing)
    assert result.code == 1
    assert result.err == (
        f"{bad} is no picture that can be read: give a JPEG, PNG, BMP, WebP or TIFF\n"
        f"{missing} cannot be read (No such file or directory): check the path\n"
    )
    answers = [json.loads(line) for line in result.out.splitlines()]
    assert [answer["files"] for answer in answers] == [[str(bad)], [str(picture)], [str(missing)]]
    assert answers[1]["top"][0]["part"] == "3001"
    assert answers[0]["error"].startswith(f"{bad} is no picture")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("classify",), "error: nothing to classify: name pictures, or a list with --manifest"),
        (
            ("classify", "x.png", "--mm-per-px", "-1"),
            "error: --mm-per-px is -1.0: give millimetres per pixel, such as 0.2",
        ),
        (
            ("classify", "x.png", "--model", "x.tflite"),
            "error: --model and --labels belong together: name the TFLite file and its label file",
        ),
        (("export", "--journal", "x", "--format", "xml"), "error: --format is 'xml': csv or jsonl can be written"),
        (
            ("export", "--journal", "none.jsonl"),
            "error: journal none.jsonl: there is no such file: give the journal's path",
        ),
    ],
)
def test_words_that_make_no_sense(brickgate, arguments, message):
    result = brickgate(*arguments)
    assert (result.code, result.out, result.err) == (1, "", f"{message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "--parts", "0"), "Invalid value for '--parts'"),
        (("simulate", "--parts", "many"), "Invalid value for '--parts'"),
        (("simulate", "--colour", "red"), "No such option: --colour"),
        (("replay", "frames"), "Missing option '--config'"),
        (("check-config",), "Missing argument 'F…'"),
        (("sort",), "No such command 'sort'"),
    ],
)
def test_words_that_the_command_line_does_not_know(brickgate, arguments, message):
    result = brickgate(*arguments)
    assert result.code == 2
    assert message in result.err


@pytest.mark.parametrize("command", ["simulate", "replay", "run"])
def test_an_example_that_is_not_there_names_the_nearest(brickgate, tmp_path, command):
    recording = (tmp_path,) if command == "replay" else ()
    result = brickgate(command, *recording, "--config", "west-81")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "no example machine 'west-81'; did you mean 'west-18'? (beginner-4, chute-9, jets-6, openblok-belt, pushers-4,"
        " west-18)\n"
    )


def test_a_part_that_the_model_does_not_know_never_starts_the_machine(brickgate, machine):
    bins = machine.parent / "bins.yaml"
    bins.write_text(bins.read_text().replace("[3023]", "[3032]"))
    result = brickgate("run", "--config", machine)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"{bins}:9: bins[1].accept[0].parts[0]: the model knows no part '3032'; did you mean '3023'?\n"
    )
    assert not (machine.parent / "journal.jsonl").exists()


def test_labels_that_do_not_fit_the_model_are_counted(brickgate, tmp_path, picture):
    model, labels = write_model(tmp_path / "m.tflite"), tmp_path / "labels.txt"
    labels.write_text("red\ngreen\n")
    result = brickgate("classify", "--model", model, "--labels", labels, picture)
    assert (result.code, result.out) == (1, "")
    assert result.err == "error: the model scores 3 classes, the label file names 2: give the model's own labels\n"


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_a_journal_that_cannot_be_written_never_starts_the_machine(brickgate, request, tmp_path, command):
    config = request.getfixturevalue("machine" if command == "run" else "simulated")
    result = brickgate(command, "--config", config, "--journal", tmp_path)
    assert (result.code, result.out) == (1, "")
    reason = "cannot be opened (Is a directory): give a file in a folder that can be written to"
    assert result.err.splitlines()[-1] == f"error: journal {tmp_path}: {reason}"


def test_a_journal_in_use_is_not_written_to_twice(brickgate, machine):
    file = machine.parent / "journal.jsonl"
    with Journal.open(file):
        result = brickgate("run", "--config", machine)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"error: journal {file}: another brickgate writes to it: stop that one or give another file\n"


def test_a_file_that_is_no_journal_is_not_exported_as_an_empty_one(brickgate, picture):
    result = brickgate("export", "--journal", picture)
    assert result.code == 1
    assert (
        result.err == f"error: journal {picture}: holds no record that can be read: give a journal of run or simulate\n"
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "the disk has no room left: make room and run the same command again"),
        (
            OSError(28, "No space left on device", "from.csv", None, "to.csv"),
            "the disk has no room left for to.csv: make room and run the same command again",
        ),
        (
            OSError("786432 requested and 10208 written"),
            "the disk has no room left: make room and run the same command again",
        ),
        (OSError(5, "Input/output error", "x.csv"), "[Errno 5] Input/output error: 'x.csv'"),
        (OSError("odd"), "odd"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_disk_that_takes_no_more_is_one_line(error, told, brickgate, monkeypatch, machine):
    def full(*_arguments):
        raise error

    monkeypatch.setattr("edge.journal.export.export_journal", full)
    result = brickgate("export", "--journal", "x")
    assert (result.code, result.err) == (1, f"error: {told}\n")


def test_a_configuration_with_an_error_exits_2_and_one_without_0(brickgate, machine):
    bins = machine.parent / "bins.yaml"
    assert brickgate("check-config", machine, bins).code == 0
    machine.write_text(machine.read_text().replace("belt_mm_per_s: 300", "belt_mm_per_s: fast"))
    result = brickgate("check-config", machine, bins)
    assert result.code == 2
    assert result.out.startswith(f"{machine}:10: belt.belt_mm_per_s: 'fast' is no number")


def test_check_config_says_how_common_parts_are_taken_to_be(brickgate, machine):
    line = "how common parts are taken to be: common: {} times as likely as the rarest\n"
    universal = brickgate("check-config", machine, "--bundle", "universal").out
    assert line.format("488 of 3128 parts are up to 275") in universal
    shipped = brickgate("check-config", machine, "--bundle", "starter").out
    assert line.format("95 of 102 parts are up to 9.26") in shipped
    assert "warning: the model knows no part" not in shipped  # the shipped file names what any model may know
    (machine.parent / "ours.csv").write_text("part,weight\n3001,9\n30O1,4\n")
    machine.write_text(machine.read_text() + "\nfusion: {prior: ours.csv}\n")
    result = brickgate("check-config", machine, "--bundle", "starter")
    assert "ours.csv:3: warning: the model knows no part or category '30O1'" in result.out
    assert "ours.csv: 1 of 102 parts are 9 times as likely as the rarest\n" in result.out
    assert (result.code, result.out.splitlines()[-1]) == (0, f"{machine}: 0 errors, 1 warning")


@pytest.mark.parametrize(
    ("wanted", "model", "warned"),
    [("0.05", "made", True), ("true", "made", True), ("false", "made", False), ("0.05", "starter", False)],
)
def test_check_config_says_when_the_model_cannot_tell_unknown_parts(brickgate, machine, bundle, wanted, model, warned):
    line = len(machine.read_text().splitlines()) + 2
    machine.write_text(machine.read_text() + f"\nfusion: {{reject_unknown: {wanted}}}\n")
    result = brickgate("check-config", machine, "--bundle", model if model == "starter" else bundle)
    told = (
        f"{machine}:{line}: warning: fusion.reject_unknown: the model cannot tell parts that it does not know: make its"
        " bundle again with this brickgate-model\n"
    )
    assert (result.code, told in result.out) == (0, warned)


def test_check_config_wants_one_machine(brickgate, machine):
    result = brickgate("check-config", machine, machine)
    assert (result.code, result.err) == (
        2,
        "give one machine.yaml and, if wanted, one bins.yaml (found 2 and 0)\n",
    )


def test_check_config_takes_all_yaml_files_of_a_calibrated_machine(brickgate, machine, tmp_path):
    (tmp_path / "calibration.yaml").write_text("version: 1\n")
    files = sorted(tmp_path.glob("*.yaml"))
    assert [file.name for file in files] == ["bins.yaml", "calibration.yaml", "machine.yaml"]
    result = brickgate("check-config", *files)
    assert (result.code, result.err) == (0, "")
    (tmp_path / "calibration.yaml").write_text("version: 7\n")
    result = brickgate("check-config", *files)
    assert (result.code, result.err) == (2, "")
    assert result.out.startswith(f"{tmp_path}/calibration.yaml:1: version: 7 is none of 1\n")


def test_check_config_says_that_another_machines_calibration_is_not_asked(brickgate, machine, tmp_path):
    other = tmp_path / "other/calibration.yaml"
    result = brickgate("check-config", machine, other)
    assert (result.code, result.err) == (
        2,
        f"{other}: a calibration holds for the machine.yaml beside it; that of {machine} is"
        f" {tmp_path}/calibration.yaml\n",
    )


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("camera: 2020-99-99\n", "camera: '2020-99-99' is no mapping"),
        ("[" * 5000, "is nested too deep"),
        ("camera: {px_per_mm: " + "1" * 5000 + "}\n", "camera.px_per_mm: '" + "1" * 40 + "' is no number"),
        ("camera: {px_per_mm: !!int x}\n", "camera.px_per_mm: 'x' is no number that can be read"),
    ],
)
def test_whatever_stands_in_a_yaml_file_is_a_finding(brickgate, tmp_path, text, finding):
    file = tmp_path / "machine.yaml"
    file.write_text(text)
    result = brickgate("check-config", file)
    assert (result.code, result.err) == (2, "")
    assert f"{file}" in result.out
    assert finding in result.out


def test_a_machine_without_a_recording_is_only_a_hint_when_it_is_checked(brickgate, tmp_path):
    nothing = tmp_path / "nothing"
    assert "has no path" in brickgate("check-config", "edge/config/examples/openblok-belt/machine.yaml").out
    assert "has no path" not in brickgate("replay", nothing, "--config", "openblok-belt").err
