"""The colour meter on photographs of real parts keeps the accuracy it had."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

SHARED = Path(os.environ.get("BRICKGATE_SHARED", Path(__file__).parents[2] / ".." / "shared"))
PHOTOS = SHARED / "real-photos" / "brianlow-lego-color"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("colour_sheets", Path(__file__).with_name("colour_sheets.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"no photographs at {PHOTOS}: set BRICKGATE_SHARED")
def test_colours_of_real_parts() -> None:
    sheets = load_script()
    findings = sheets.evaluate(PHOTOS)
    whole = sheets.accuracy(findings)
    assert whole.parts > 1000
    assert whole.top1 > 0.60
    assert whole.top3 > 0.86
    sure = [finding for finding in findings if finding.probability > 0.8]
    assert sheets.accuracy(sure).top1 > whole.top1 + 0.05
