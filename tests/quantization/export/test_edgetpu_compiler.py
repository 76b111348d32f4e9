"""Coral's compiler is run where it is, and its log is understood."""

from __future__ import annotations

import pytest
from tiny_model import EDGE_TPU_OPERATOR, write_model

from edge.errors import BrickgateError
from quantization.export.edgetpu import Row, compile_for_edge_tpu, find_compiler, parse_log

LOG = """Edge TPU Compiler version 16.0.384591198
Input: model.tflite
Output: model_edgetpu.tflite

Operator                       Count      Status

CONV_2D                        35         Mapped to Edge TPU
QUANTIZE                       1          Operation version not supported
MEAN                           1          Mapped to Edge TPU
"""


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model.tflite")


def test_the_compiled_file_and_its_log_are_taken(tmp_path, install, model):
    compiled = write_model(tmp_path / "compiled.tflite", custom_operator=EDGE_TPU_OPERATOR)
    (tmp_path / "log").write_text(LOG)
    install(
        "edgetpu_compiler",
        f'test "$1" = --out_dir && cp {compiled} "$2/model_edgetpu.tflite" && cp {tmp_path}/log "$2/model_edgetpu.log"',
    )
    compiler = find_compiler()
    assert compiler is not None
    made = compile_for_edge_tpu(compiler, model, tmp_path / "out")
    assert made.file == tmp_path / "out" / "model_edgetpu.tflite"
    assert made.rows[0] == Row("CONV_2D", 35, "Mapped to Edge TPU")
    assert made.note == ("36 of 37 operators on the Edge TPU; on the CPU: 1 QUANTIZE (Operation version not supported)")


def test_a_log_without_a_table_has_no_rows():
    assert parse_log("Edge TPU Compiler version 16.0.384591198\nModel compiled successfully in 3 ms.\n") == ()


def test_a_failed_compilation_says_the_compilers_last_word(tmp_path, install, model):
    compiler = install("edgetpu_compiler", "echo compiling; echo 'Invalid model: not quantized' >&2; exit 1")
    with pytest.raises(BrickgateError) as error:
        compile_for_edge_tpu(str(compiler), model, tmp_path / "out")
    assert str(error.value) == f"edgetpu_compiler failed on {model} (Invalid model: not quantized)"


def test_a_model_of_which_nothing_was_mapped_is_refused(tmp_path, install, model):
    compiler = install("edgetpu_compiler", 'cp "$3" "$2/model_edgetpu.tflite"')
    with pytest.raises(BrickgateError, match=r"edgetpu_compiler mapped no operator of .*model\.tflite: see"):
        compile_for_edge_tpu(str(compiler), model, tmp_path / "out")


def test_an_older_result_does_not_hide_a_failure(tmp_path, install, model):
    (tmp_path / "out").mkdir()
    write_model(tmp_path / "out" / "model_edgetpu.tflite", custom_operator=EDGE_TPU_OPERATOR)
    compiler = install("edgetpu_compiler", "exit 0")
    with pytest.raises(BrickgateError, match="it said nothing"):
        compile_for_edge_tpu(str(compiler), model, tmp_path / "out")


def test_a_compiler_that_cannot_be_run_is_named(tmp_path, model):
    with pytest.raises(BrickgateError, match=r"/nowhere/edgetpu_compiler cannot be run \(No such file"):
        compile_for_edge_tpu("/nowhere/edgetpu_compiler", model, tmp_path / "out")
