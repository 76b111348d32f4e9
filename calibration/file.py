"""Writes calibration.yaml, one section at a time, so that a power cut leaves either the old file or the new one."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from edge.config.calibrated import load_calibration
from edge.config.calibration import Calibration, Measured
from edge.errors import ConfigError, InputError

HEAD = "# Written by brickgate-calibrate: measure again instead of editing. It is laid over machine.yaml.\n"


def save_section(file: Path, step: str, section: Measured) -> Calibration:
    """Puts one section into the file, keeping the others, and gives the whole.

    Raises:
        ConfigError: the file that is there cannot be read: it is left as it is.
        InputError: it cannot be written.
    """
    try:
        before = load_calibration(file)
    except ConfigError as error:
        raise ConfigError(f"{error}; move it away to calibrate anew") from error
    after = before.model_copy(update={step: section})
    _replace(file, HEAD + _to_yaml(after))
    return after


def _to_yaml(calibration: Calibration) -> str:
    value = calibration.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


def _replace(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}): the old calibration stays") from error
