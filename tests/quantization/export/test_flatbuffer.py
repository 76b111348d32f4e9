"""What is in a TFLite file is read by its schema, and compared with what the Edge TPU maps."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import EDGE_TPU_OPERATOR, write_model

from edge.bundle.manifest import MODELS
from edge.errors import InputError
from quantization.export.flatbuffer import Contents, obstacles, read_contents

CORAL = Path(__file__).parents[4] / "shared" / "coral"
FITTING = Contents((("CONV_2D", 3), ("FULLY_CONNECTED", 4)), frozenset({"INT8", "INT32"}), (), ())


def coral(name):
    file = CORAL / name
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    return file


def test_the_shipped_model_fits_the_edge_tpu():
    contents = read_contents(MODELS / "starter" / "model.tflite")
    assert {name for name, _ in contents.operators} == {
        *("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"),
    }
    assert contents.types == {"INT8", "INT32"}
    assert obstacles(contents) == []


def test_a_compiled_model_is_known_as_such():
    compiled = read_contents(coral("mobilenet_v1_0.25_128_quant_edgetpu.tflite"))
    assert compiled.compiled
    assert obstacles(compiled) == ["it is compiled already"]


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v1_0.25_128_quant.tflite", "mobilenet_v2_1.0_224_quant.tflite", "tf2_mobilenet_v2_1.0_224_ptq.tflite"],
)
def test_what_coral_compiles_itself_fits(name):
    contents = read_contents(coral(name))
    assert not contents.compiled
    assert obstacles(contents) == []


def test_a_tiny_model_is_read(tmp_path):
    plain = read_contents(write_model(tmp_path / "mean.tflite"))
    assert [name for name, _ in plain.operators] == ["MEAN"]
    assert not plain.compiled
    assert read_contents(write_model(tmp_path / "tpu.tflite", custom_operator=EDGE_TPU_OPERATOR)).compiled


def test_an_open_shape_hinders(tmp_path):
    contents = read_contents(write_model(tmp_path / "open.tflite", open_shape=True))
    assert any("has no fixed shape" in why for why in obstacles(contents))


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (Contents((("HARD_SWISH", 1),), FITTING.types, (), ()), "HARD_SWISH is no operator of the Edge TPU"),
        (Contents((("FULLY_CONNECTED", 12),), FITTING.types, (), ()), "FULLY_CONNECTED has version 12"),
        (Contents(FITTING.operators, frozenset({"INT8", "FLOAT32"}), (), ()), "it holds tensors of type FLOAT32"),
        (
            Contents(FITTING.operators, FITTING.types, (), ("wide",)),
            "the tensor wide has more than three sides above 1",
        ),
    ],
)
def test_each_hindrance_is_named(contents, why):
    assert obstacles(FITTING) == []
    assert obstacles(contents) == [why]


def test_what_is_no_model_is_said(tmp_path):
    with pytest.raises(InputError, match=r"none\.tflite cannot be read \(No such file"):
        read_contents(tmp_path / "none.tflite")
    text = tmp_path / "text.tflite"
    text.write_text("not a model")
    with pytest.raises(InputError, match=r"text\.tflite is no TFLite model"):
        read_contents(text)
    whole = write_model(tmp_path / "mean.tflite").read_bytes()
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(b"\xff\xff\xff\x7f" + whole[4:40])
    with pytest.raises(InputError, match=r"cut\.tflite is damaged: export it again"):
        read_contents(cut)
