"""The export step: what can be made is made and compared, what cannot is said, and only that may enter a bundle."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch
from tiny_model import EDGE_TPU_OPERATOR, write_model

from edge.errors import BrickgateError, InputError
from quantization.factory import Workshop, export_step
from quantization.factory.export_step import export, exported
from quantization.factory.quantize_step import Unseen
from quantization.recipe import load_recipe
from quantization.train.network import MobileNetV2

SIDE_PX = 64
LOG = "Operator   Count   Status\n\nMEAN   1   Mapped to Edge TPU\n"


class Mean(torch.nn.Module):
    """Answers with the mean of each channel, as the tiny TFLite model does."""

    def forward(self, x):
        return x.mean((2, 3))


@pytest.fixture
def said():
    return []


@pytest.fixture
def shop(tmp_path, said, monkeypatch):
    """A shop with a converted model, and no compiler on the PATH."""
    made = Workshop.open(load_recipe("tiny"), tmp_path / "work", said.append)
    made.converted.mkdir()
    write_model(made.converted / "model.tflite", side_px=SIDE_PX, scale=1 / 127.5, zero_point=0)
    pictures = np.zeros((6, SIDE_PX, SIDE_PX, 3), np.uint8)
    for k, picture in enumerate(pictures):
        picture[..., k % 3] = 200
    monkeypatch.setattr(export_step, "unseen_looks", lambda *_: Unseen(pictures, np.arange(6) % 3))
    monkeypatch.setattr(export_step, "stream", lambda *_: iter([(torch.from_numpy(pictures), None)]))
    monkeypatch.setattr(export_step, "quantized_from", lambda shop: Mean())
    network = MobileNetV2(3, 0.25).eval()
    monkeypatch.setattr(export_step, "folded", lambda _: export_step_folded(network))
    monkeypatch.setattr(export_step, "OnnxModel", OnnxThatAgrees)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return made


def export_step_folded(network):
    from quantization.quantize.fold import folded

    return folded(network)


class OnnxThatAgrees:
    """Stands in for onnxruntime: the network of these tests is no real one."""

    agrees = True

    def __init__(self, file):
        assert file.name == "model.onnx"

    def logits(self, pictures):
        means = pictures.reshape(len(pictures), -1, 3).mean(1).astype(np.float32)
        return means if self.agrees else -means


def test_without_compilers_the_cpu_is_served_and_the_rest_prepared(shop, said):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'brickgate[onnx]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'brickgate[onnx]'")
    made = {one.file: one for one in export(shop)}
    assert {name: one.accelerator for name, one in made.items()} == {"model.tflite": "cpu", "model.onnx": None}
    assert made["model.tflite"].parity.agreement == 1.0
    text = "\n".join(said)
    assert "Edge TPU: every operator, type and shape is one that it maps; edgetpu_compiler is not installed" in text
    assert "Hailo: its compiler is not installed here; " in text
    hailo = shop.exports / "hailo"
    assert sorted(file.name for file in hailo.iterdir()) == ["README.md", "calibration.npy", "model.alls"]
    assert [one.file for one in exported(shop)] == ["model.tflite", "model.onnx"]


def test_without_onnx_the_cpu_is_still_served(shop, said, monkeypatch):
    monkeypatch.setattr(export_step.importlib.util, "find_spec", lambda name: None)
    assert [one.file for one in export(shop)] == ["model.tflite"]
    assert any("ONNX and Hailo: onnx is not installed" in line for line in said)


def test_where_compilers_are_installed_their_files_are_served(shop, install, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'brickgate[onnx]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'brickgate[onnx]'")
    compiled = write_model(tmp_path / "compiled.tflite", custom_operator=EDGE_TPU_OPERATOR)
    (tmp_path / "log").write_text(LOG)
    install("edgetpu_compiler", f'cp {compiled} "$2/model_edgetpu.tflite"; cp {tmp_path}/log "$2/model_edgetpu.log"')
    install("hailo", 'test "$1" = compiler || exit 0; mkdir "$6"; echo "$4" > "$6/network.hef"')
    served = {one.accelerator: one for one in export(shop)}
    assert set(served) == {"cpu", "edgetpu", "hailo8", "hailo8l", None}
    assert served["edgetpu"].note.startswith("1 of 1 operators on the Edge TPU; the file it was compiled from was")
    assert (shop.exports / served["hailo8l"].file).read_text() == "hailo8l\n"


def test_a_hailo_is_not_served_with_what_nobody_compared(shop, install, said, monkeypatch):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'brickgate[onnx]'")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        export_step.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    install("hailo", 'test "$1" = compiler || exit 0; mkdir "$6"; echo "$4" > "$6/network.hef"')
    assert {one.file: one.parity is None for one in export(shop)} == {"model.tflite": False, "model.onnx": True}
    assert any(line.startswith("Hailo: without onnxruntime nothing tells") for line in said)


def test_a_file_that_answers_otherwise_is_refused(shop, monkeypatch):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'brickgate[onnx]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'brickgate[onnx]'")
    export(shop)
    monkeypatch.setattr(OnnxThatAgrees, "agrees", False)
    with pytest.raises(
        BrickgateError, match=r"model\.onnx gives the float network's answer for 0\.0% of 6 pictures only"
    ):
        export(shop)
    with pytest.raises(InputError, match=r"exports\.json is missing: run 'brickgate-model export' first"):
        exported(shop)


def test_an_int8_model_that_answers_otherwise_is_refused(shop, monkeypatch):
    monkeypatch.setattr(export_step, "quantized_from", lambda shop: lambda x: -Mean()(x))
    with pytest.raises(BrickgateError, match=r"model\.tflite gives the float network's answer for"):
        export(shop)


def test_exports_of_another_model_are_refused(shop, monkeypatch):
    monkeypatch.setattr(export_step.importlib.util, "find_spec", lambda name: None)
    export(shop)
    write_model(shop.converted / "model.tflite", side_px=SIDE_PX, scale=0.01)
    with pytest.raises(
        InputError, match="is of another model than the converted one: run 'brickgate-model export' again"
    ):
        exported(shop)


def test_missing_and_damaged_exports_are_named(shop, monkeypatch):
    monkeypatch.setattr(export_step.importlib.util, "find_spec", lambda name: None)
    export(shop)
    (shop.exports / "model.tflite").unlink()
    with pytest.raises(InputError, match=r"exports.model\.tflite is missing: run 'brickgate-model export' again"):
        exported(shop)
    record = shop.exports / "exports.json"
    record.write_text(json.dumps({"exports": [{}]}))
    with pytest.raises(InputError, match=r"exports\.json is damaged: run 'brickgate-model export' again"):
        exported(shop)


def test_a_model_for_pictures_of_another_size_leaves_what_was_exported(shop):
    export(shop)
    record = (shop.exports / "exports.json").read_bytes()
    larger = Workshop.open(shop.recipe.model_copy(update={"input_px": 96}), shop.folder, shop.report)
    with pytest.raises(InputError, match=r"was made for pictures of 64 px, and input_px of recipe tiny is 96"):
        export(larger)
    assert (shop.exports / "exports.json").read_bytes() == record
