"""Counts outlive a run, and a bin that was emptied counts anew, whether a run is on or not."""

import os
import threading
from collections.abc import Callable, Iterator
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


def test_word_of_emptied_bins_waits_on_the_disk_until_the_counts_go_by_it(tmp_path: Path) -> None:
    own, file = fill(), FillFile(tmp_path / "j.jsonl")
    file.restore(own)
    send(own, "a", "a", "b")
    file.keep(own)
    (tmp_path / "j.jsonl.bins.new").mkdir()  # Nothing can be written, as on a disk that is full.
    FillFile(tmp_path / "j.jsonl").note_emptied(["a"])
    file.keep(own)
    send(own, "a")
    file.keep(own)
    assert own.counts["a"] == 1, "it was emptied once"
    assert FillFile(tmp_path / "j.jsonl").read()["a"] == (0, 0.0)
    (tmp_path / "j.jsonl.bins.new").rmdir()
    after_a_crash = fill()
    FillFile(tmp_path / "j.jsonl").restore(after_a_crash)
    assert after_a_crash.counts == {"a": 0, "b": 1, "box": 0}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["j.jsonl.bins"]


def test_a_name_with_what_looks_like_a_line_end_can_be_emptied(tmp_path: Path) -> None:
    name = "small\u2028plates\x85"
    layout: Any = {"gate": "g1", "left": name, "pass": "box"}
    bins = {"default_bin": "box", "layout": layout, "bins": [{"name": name, "accept": [{"category": "Plate"}]}]}
    own, file = BinFill(BinsConfig.model_validate(bins), NO_PARTS, print), FillFile(tmp_path / "j.jsonl")
    file.restore(own)
    send(own, name)
    file.keep(own)
    FillFile(tmp_path / "j.jsonl").note_emptied([name])
    assert file.read()[name] == (0, 0.0)
    file.keep(own)
    assert own.counts[name] == 0


class ReadMeanwhile(dict[str, int]):
    """Counts that another thread asks to be emptied, just after one was read."""

    emptier: threading.Thread | None = None
    empty: Callable[[], None]

    def __getitem__(self, name: str) -> int:
        count = super().__getitem__(name)
        if self.emptier is None:
            self.emptier = threading.Thread(target=self.empty)
            self.emptier.start()
            self.emptier.join(0.1)  # It waits for the count to be written, as it must, or is through at once.
        return count


def test_a_bin_that_is_emptied_while_a_part_is_counted_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    own = fill()
    send(own, "a", "a", "a")
    counts = ReadMeanwhile(own.counts)
    counts.empty = lambda: own.emptied("a")
    monkeypatch.setattr(own, "_counts", counts)
    send(own, "a")
    assert counts.emptier is not None
    counts.emptier.join()
    assert own.counts["a"] == 0


def test_word_that_cannot_be_left_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"emptied cannot be written \(No such file or directory\): name the run's own"
    ):
        FillFile(tmp_path / "gone" / "j.jsonl").note_emptied(["a"])


@pytest.mark.parametrize(
    "damaged", ["", "{", "[1]", "[" * 99999, '{"a": 3}', '{"a": ["x", 1]}', '{"a": [3, NaN]}', '{"a": [-3, 0]}']
)
def test_a_damaged_file_costs_the_counts_and_nothing_else(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "j.jsonl.bins").write_text(damaged, encoding="utf-8")
    own = fill()
    FillFile(tmp_path / "j.jsonl").restore(own)
    assert own.contents() == {"a": (0, 0.0), "b": (0, 0.0), "box": (0, 0.0)}


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
