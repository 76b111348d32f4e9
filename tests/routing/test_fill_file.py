"""Counts outlive a run, and a bin that was emptied counts anew, whether a run is on or not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.catalogue.parts import PartCatalogue
from edge.config.bins import BinsConfig
from edge.errors import InputError
from edge.routing.fill import BinFill
from edge.routing.fill_file import FillFile, keeping, print_fill

NO_PARTS = PartCatalogue([])
NOTHING = np.zeros(0, np.float32)


def fill(said: list[str] | None = None) -> BinFill:
    layout: Any = {"gate": "g1", "left": "a", "pass": {"gate": "g2", "left": "b", "pass": "box"}}
    entry = {"name": ["a", "b"], "full_after": 3, "accept": [{"category": "Plate"}]}
    bins = BinsConfig.model_validate({"default_bin": "box", "layout": layout, "bins": [entry]})
    return BinFill(bins, NO_PARTS, (said if said is not None else []).append)


def send(to: BinFill, *names: str) -> None:
    for name in names:
        to.sent(name, None, NOTHING)


def test_counts_go_on_with_the_next_run(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    first, said = fill(), []
    with keeping(first, journal, every_s=60):
        send(first, "a", "a", "a", "b")
    second = fill(said)
    with keeping(second, journal, every_s=60):
        assert second.counts == {"a": 3, "b": 1, "box": 0}
    assert len(said) == 1
    assert said[0].startswith("bin a is full: 3 parts")


def test_an_emptied_bin_counts_anew_in_the_run_that_is_on(tmp_path: Path) -> None:
    own, file = fill(), FillFile(tmp_path / "j.jsonl")
    file.restore(own)
    send(own, "a", "a", "a", "b")
    file.keep(own)
    FillFile(tmp_path / "j.jsonl").note_emptied(["a"])
    file.keep(own)
    assert own.counts == {"a": 0, "b": 1, "box": 0}
    send(own, "a")
    file.keep(own)
    assert own.counts["a"] == 1, "it was emptied once"
    assert file.read() == {"a": (1, 0.0), "b": (1, 0.0), "box": (0, 0.0)}


def test_an_emptied_bin_counts_anew_in_the_next_run(tmp_path: Path) -> None:
    first = fill()
    with keeping(first, tmp_path / "j.jsonl", every_s=60):
        send(first, "a", "b")
    said: list[str] = []
    print_fill(tmp_path / "j.jsonl", fill(), ["b"], said.append)
    assert said == ["a: 1 parts, about 0 l, 33% full", "b: 0 parts, about 0 l, 0% full", "box: 0 parts, about 0 l"]
    second = fill()
    with keeping(second, tmp_path / "j.jsonl", every_s=60):
        assert second.counts == {"a": 1, "b": 0, "box": 0}


def test_word_that_cannot_be_left_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"emptied cannot be written \(No such file or directory\): name the run's own"
    ):
        FillFile(tmp_path / "gone" / "j.jsonl").note_emptied(["a"])


@pytest.mark.parametrize("damaged", ["", "{", "[1]", '{"a": 3}', '{"a": ["x", 1]}'])
def test_a_damaged_file_costs_the_counts_and_nothing_else(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "j.jsonl.bins").write_text(damaged, encoding="utf-8")
    own = fill()
    FillFile(tmp_path / "j.jsonl").restore(own)
    assert own.counts == {"a": 0, "b": 0, "box": 0}


def test_a_folder_that_is_gone_costs_the_counts_and_nothing_else(tmp_path: Path) -> None:
    own = fill()
    with keeping(own, tmp_path / "gone" / "j.jsonl", every_s=60):
        send(own, "a")
    assert own.counts["a"] == 1


@pytest.mark.parametrize("emptied", [[], ["b"]])
@pytest.mark.parametrize("folder", ["", "gone"])
def test_where_no_run_keeps_its_counts_no_word_is_left(tmp_path: Path, emptied: list[str], folder: str) -> None:
    journal = tmp_path / folder / "j.jsonl"
    said: list[str] = []
    with pytest.raises(InputError) as error:
        print_fill(journal, fill(), emptied, said.append)
    assert str(error.value) == f"{journal}: no run keeps its counts there: name the run's own journal with --journal"
    assert (said, list(tmp_path.iterdir())) == ([], [])


@contextmanager
def as_somebody(folder: Path) -> Iterator[None]:
    """A folder that is closed, to a user who is not root."""
    folder.chmod(0)
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(before)
        folder.chmod(0o755)


def test_counts_of_the_service_are_closed_to_others(tmp_path: Path) -> None:
    with as_somebody(tmp_path), pytest.raises(InputError, match=r"is closed to this user: type it with sudo"):
        print_fill(tmp_path / "j.jsonl", fill(), ["b"], print)


def test_word_of_root_can_be_read_by_the_service_whatever_root_lets_others_read(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        FillFile(tmp_path / "j.jsonl").note_emptied(["a"])
    finally:
        os.umask(before)
    assert (tmp_path / "j.jsonl.emptied").stat().st_mode & 0o777 == 0o644


def test_a_folder_is_no_journal(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        print_fill(tmp_path, fill(), ["b"], print)
    assert not list(tmp_path.iterdir())
