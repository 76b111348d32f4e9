"""The project as it is laid out: import rules, commands, and data files that an installed copy must have."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
SCRIPTS: dict[str, str] = PROJECT["project"]["scripts"]


def _contracts() -> list[dict[str, Any]]:
    contracts: list[dict[str, Any]] = PROJECT["tool"]["importlinter"]["contracts"]
    return contracts


@pytest.mark.parametrize(
    ("source", "forbidden"),
    [
        ("edge", "quantization"),
        ("edge", "calibration"),
        ("quantization", "calibration"),
        ("calibration", "quantization"),
    ],
)
def test_packages_that_must_not_meet_are_kept_apart(source: str, forbidden: str) -> None:
    assert any(
        source in contract.get("source_modules", []) and forbidden in contract.get("forbidden_modules", [])
        for contract in _contracts()
        if contract["type"] == "forbidden"
    )


def test_every_part_of_edge_has_a_layer() -> None:
    (layers,) = [contract["layers"] for contract in _contracts() if contract["type"] == "layers"]
    placed = {name.strip(" ()") for layer in layers for name in layer.split("|")}
    modules = {path.stem for path in (REPOSITORY / "edge").glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in (REPOSITORY / "edge").glob("*/__init__.py")}
    assert modules | packages <= placed


@pytest.mark.parametrize("package", ["edge", "quantization"])
def test_every_data_file_is_installed(package: str) -> None:
    folder = REPOSITORY / package
    patterns: list[str] = PROJECT["tool"]["setuptools"]["package-data"][package]
    included = {path for pattern in patterns for path in folder.glob(pattern)}
    data = {
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and "__pycache__" not in path.parts
    }
    assert data
    assert sorted(str(path.relative_to(REPOSITORY)) for path in data - included) == []


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_every_command_explains_itself(script: str) -> None:
    result = subprocess.run(
        [Path(sys.executable).parent / script, "--help"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout


@pytest.mark.parametrize("name", ["install.sh", ".ci/run"])
def test_scripts_can_be_run(name: str) -> None:
    assert os.access(REPOSITORY / name, os.X_OK)


def test_the_ci_runs_the_very_command_that_people_run() -> None:
    assert "./install.sh --test" in (REPOSITORY / ".ci" / "run").read_text()
