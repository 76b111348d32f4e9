"""`accelerator.driver: auto` chooses; a machine of one's own says what it has."""

from __future__ import annotations

import shutil
from pathlib import Path

import edge.config
from edge.config.report import check, errors

SHIPPED = Path(edge.config.__file__).parents[1] / "system/etc"


def test_the_shipped_machine_may_choose() -> None:
    assert "driver: auto" in (SHIPPED / "machine.yaml").read_text()
    assert errors(check(SHIPPED / "machine.yaml", SHIPPED / "bins.yaml")) == []


def test_a_copy_of_it_must_say_what_is_there(tmp_path: Path) -> None:
    for name in ("machine.yaml", "bins.yaml"):
        shutil.copy(SHIPPED / name, tmp_path)
    (found,) = errors(check(tmp_path / "machine.yaml", tmp_path / "bins.yaml"))
    assert str(found).startswith(f"{tmp_path}/machine.yaml:16: accelerator.driver: 'auto' is for the shipped example")
    text = (tmp_path / "machine.yaml").read_text()
    (tmp_path / "machine.yaml").write_text(text.replace("driver: auto", "driver: cpu"))
    assert errors(check(tmp_path / "machine.yaml", tmp_path / "bins.yaml")) == []
