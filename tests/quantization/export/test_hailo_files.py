"""What Hailo's compiler needs is written, and the compiler is run where it is."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import BrickgateError
from quantization.export.hailo import commands, compile_for_hailo, find_compiler, prepare_for_hailo

PICTURES = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)


@pytest.fixture
def folder(tmp_path):
    onnx_file = tmp_path / "model.onnx"
    onnx_file.write_bytes(b"a network")
    prepare_for_hailo(PICTURES, onnx_file, tmp_path / "hailo")
    return tmp_path / "hailo"


def test_the_calibration_array_holds_pixels_and_the_script_normalises_them(folder):
    stored = np.load(folder / "calibration.npy")
    assert (stored.dtype, stored.shape) == (np.uint8, (2, 4, 4, 3))
    assert np.array_equal(stored, PICTURES)
    script = (folder / "model.alls").read_text()
    assert script == "normalization1 = normalization([127.5, 127.5, 127.5], [127.5, 127.5, 127.5])\n"


def test_the_readme_has_every_command_for_every_chip(folder):
    readme = (folder / "README.md").read_text()
    for chip in ("hailo8", "hailo8l"):
        for command in commands("hailo", chip, folder.parent / "model.onnx"):
            assert f"    {' '.join(command)}\n" in readme


def test_the_commands_are_run_in_order_and_leave_a_hef(folder, install):
    install(
        "hailo",
        'echo "$@" >> calls; case "$1" in parser) touch "$5";; optimize) touch "$8";;'
        ' compiler) mkdir "$6" && echo hef > "$6/net.hef";; esac',
    )
    compiler = find_compiler()
    assert compiler is not None
    made = compile_for_hailo(compiler, "hailo8l", folder.parent / "model.onnx", folder)
    assert made == folder / "hailo8l" / "net.hef"
    calls = [line.split()[0] for line in (folder / "calls").read_text().splitlines()]
    assert calls == ["parser", "optimize", "compiler"]
    assert "--hw-arch hailo8l" in (folder / "calls").read_text()


def test_a_failed_step_is_named_with_its_log(folder, install):
    compiler = install("hailo", 'test "$1" = parser || { echo no memory; exit 4; }')
    with pytest.raises(BrickgateError) as error:
        compile_for_hailo(str(compiler), "hailo8", folder.parent / "model.onnx", folder)
    assert str(error.value) == f"'hailo optimize' failed for hailo8: see {folder / 'hailo8.log'}"
    assert "no memory" in (folder / "hailo8.log").read_text()


def test_a_compilation_without_a_result_is_a_failure(folder, install):
    compiler = install("hailo", "exit 0")
    with pytest.raises(BrickgateError, match="'hailo compiler' left no HEF file for hailo8"):
        compile_for_hailo(str(compiler), "hailo8", folder.parent / "model.onnx", folder)
    with pytest.raises(BrickgateError, match=r"/nowhere/hailo cannot be run \(No such file"):
        compile_for_hailo("/nowhere/hailo", "hailo8", folder.parent / "model.onnx", folder)
