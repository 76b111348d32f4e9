"""The Hailo's own ways; what it has in common with other accelerators is in tests/conformance."""

from __future__ import annotations

import sys
from dataclasses import replace

import fake_hailo
import numpy as np
import pytest
from tiny_model import SIDE_PX, write_model

from edge.bundle.dequantize import dequantize
from edge.bundle.manifest import load_bundle
from edge.bundle.preprocess import normalise, quantization_table
from edge.clock import VirtualClock
from edge.config.schema import AcceleratorConfig
from edge.errors import BundleError, HardwareError
from edge.hardware.factory import guard, make_accelerator, model_for, served_as
from edge.hardware.hailo import HailoAccelerator, find_chip
from edge.hardware.pixels import PixelAccelerator
from edge.hardware.tflite import CpuAccelerator

SHAPE = (1, SIDE_PX, SIDE_PX, 3)


@pytest.fixture
def hailo(monkeypatch):
    return fake_hailo.install(monkeypatch)


@pytest.fixture
def bundle(tmp_path):
    """The starter, served to a CPU and both Hailos by other files."""
    models = {
        "cpu": write_model(tmp_path / "means.tflite", scale=1 / 127.5, zero_point=0),
        "hailo8": fake_hailo.write_hef(tmp_path / "h8.hef", "HAILO8"),
        "hailo8l": fake_hailo.write_hef(tmp_path / "h8l.hef"),
    }
    return replace(load_bundle("starter"), accelerators=tuple(models), models=models)


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, SHAPE).astype(np.uint8)


def test_pixels_reach_the_chip_as_they_are(hailo, tmp_path):
    accelerator = HailoAccelerator()
    accelerator.load(fake_hailo.write_hef(tmp_path / "m.hef"))
    spec = accelerator.input_spec
    table = quantization_table(spec.scale, spec.zero_point, "uint8")
    assert table.tolist() == list(range(256))
    assert np.allclose(dequantize(table, spec.scale, spec.zero_point), normalise(np.arange(256, dtype=np.uint8)))


@pytest.mark.parametrize(("chip", "file"), [("HAILO8", "h8.hef"), ("HAILO8L", "h8l.hef")])
@pytest.mark.parametrize("driver", ["hailo", "auto"])
def test_the_file_of_the_very_chip_is_taken(hailo, bundle, chip, file, driver):
    hailo.chip = chip
    config, said = AcceleratorConfig(driver=driver), []
    accelerator = make_accelerator(config, said.append)
    assert model_for(config, bundle).name == file
    accelerator.load(model_for(config, bundle))
    assert accelerator.name == "hailo"
    assert said == (["accelerator: hailo; the model is compiled for it"] if driver == "auto" else [])
    accelerator.close()
    assert hailo.opened == []


def test_auto_without_a_chip_or_without_a_file_for_it_takes_the_cpu(hailo, bundle):
    hailo.there = False
    assert served_as(AcceleratorConfig(driver="auto"), bundle) == "cpu"
    hailo.there, hailo.chip = True, "HAILO15H"
    assert served_as(AcceleratorConfig(driver="auto"), bundle) == "cpu"


def test_a_bundle_without_a_file_for_it_is_named(hailo, bundle):
    with pytest.raises(BundleError, match="serves cpu, not hailo8l"):
        model_for(AcceleratorConfig(driver="hailo"), replace(bundle, accelerators=("cpu",)))


@pytest.mark.parametrize("breaks", ["there", "answers"])
def test_one_that_dies_is_replaced_by_the_cpu_with_the_same_tensors(hailo, bundle, breaks):
    config, said = AcceleratorConfig(driver="hailo"), []
    guarded = guard(make_accelerator(config), config, bundle, VirtualClock(), said.append)
    guarded.load(model_for(config, bundle))
    specs, before = (guarded.input_spec, guarded.output_spec), guarded.invoke(pixels(1))
    setattr(hailo, breaks, False)
    after = guarded.invoke(pixels(1))
    assert (guarded.input_spec, guarded.output_spec) == specs
    assert guarded.name == "cpu (litert)"
    # The tiny models differ in that one gives pixels and the other what the network sees of them.
    assert np.abs((before / 127.5 - 1) - after).max() < 0.02
    assert "the inference failed" in said[0]
    assert "goes on, more slowly" in said[0]
    assert hailo.opened == []


def test_one_that_is_missing_from_the_start_is_replaced_too(hailo, bundle):
    hailo.there = False
    config, said = AcceleratorConfig(driver="hailo"), []
    guarded = guard(make_accelerator(config), config, bundle, VirtualClock(), said.append)
    guarded.load(model_for(config, bundle))
    assert guarded.name == "cpu (litert)"
    assert "it cannot be opened" in said[0]


def test_a_missing_library_says_what_to_type(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "hailo_platform", None)
    with pytest.raises(HardwareError, match="sudo apt install hailo-all"):
        HailoAccelerator().load(fake_hailo.write_hef(tmp_path / "m.hef"))
    with pytest.raises(HardwareError, match="sudo apt install hailo-all"):
        find_chip()


def test_no_chip_another_chip_and_a_busy_chip_are_said(hailo, tmp_path):
    hailo.there = False
    with pytest.raises(HardwareError, match="none answers"):
        find_chip()
    hailo.there, hailo.chip = True, "HAILO10H"
    with pytest.raises(HardwareError, match="the chip is a HAILO10H"):
        find_chip()
    hailo.open("another program")
    with pytest.raises(HardwareError, match="is another program using it"):
        HailoAccelerator().load(fake_hailo.write_hef(tmp_path / "m.hef"))


def test_a_model_for_another_chip_is_refused_and_the_chip_let_go(hailo, tmp_path):
    with pytest.raises(BundleError, match="compiled for another chip"):
        HailoAccelerator().load(fake_hailo.write_hef(tmp_path / "m.hef", "HAILO8"))
    assert hailo.opened == []


def test_models_of_other_shapes_are_refused_and_the_chip_let_go(hailo, tmp_path, monkeypatch):
    file = fake_hailo.write_hef(tmp_path / "m.hef")
    monkeypatch.setattr(fake_hailo.InferModel, "input", lambda model: fake_hailo.Stream((96, 96)))
    with pytest.raises(BundleError, match="one RGB picture is needed"):
        HailoAccelerator().load(file)
    assert hailo.opened == []


def test_what_stands_in_refuses_what_the_chip_refuses(tmp_path):
    stand_in = PixelAccelerator(CpuAccelerator())
    stand_in.load(write_model(tmp_path / "means.tflite"))
    with pytest.raises(ValueError, match="the model takes uint8"):
        stand_in.invoke(pixels(1).astype(np.int8))
