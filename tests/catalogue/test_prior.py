"""How common parts are: the shipped assumption, files of one's own, and what is said of bad ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.manifest import load_bundle
from edge.catalogue import prior
from edge.catalogue.parts import PartCatalogue, load_starter_parts
from edge.catalogue.prior import COMMON, UNIFORM, Prior, in_words, read_prior, shares, unknown_names
from edge.errors import InputError


@dataclass(frozen=True)
class Part:
    number: str
    name: str
    category: str
    moulds: tuple[str, ...] = ()
    length_mm: float = 0.0
    width_mm: float = 0.0
    height_mm: float = 0.0


PARTS = PartCatalogue([
    Part("3001", "Brick 2 x 4", "Brick", ("3001a",)),
    Part("3023", "Plate 1 x 2", "Plate"),
    Part("2780", "Technic Pin", "Technic"),
    Part("3647", "Technic Gear", "Technic"),
])  # fmt: skip


def written(folder: Path, text: str) -> Prior:
    (folder / "ours.csv").write_text(text, encoding="utf-8")
    return read_prior("ours.csv", folder)


def counted() -> dict[str, int]:
    """Pieces of each part that the shipped file names, from the remark that ends its line; 0 where none is given."""
    rows = (Path(prior.__file__).parent / "common-parts.csv").read_text(encoding="utf-8").splitlines()
    named = [row.split("#") for row in rows if row.split("#")[0].strip() and not row.startswith("part,")]
    return {cells.split(",")[0]: int(remark.strip() or 0) for cells, remark in named}


def test_the_shipped_assumption_is_half_what_was_counted_in_sets_and_half_the_starter_list() -> None:
    pieces, weights = counted(), read_prior(COMMON).weights
    universal = [part.number for part in load_bundle("universal").parts]
    starter = {part.number for part in load_starter_parts()}
    assert starter <= set(weights) <= set(universal)
    even = {True: 0.25 / len(starter), False: 0.25 / (len(universal) - len(starter))}
    total = sum(pieces.values())
    expected = {n: (0.5 * pieces[n] / total + even[n in starter]) / even[False] for n in weights}
    assert weights == pytest.approx(expected, rel=0.005)  # three digits are kept


def test_the_shipped_counts_are_those_of_the_source() -> None:
    # 3001 is the sum of moulds 3001 (48,210) and 3001a (10,521); 4073 is counted as 6141.
    assert {n: counted()[n] for n in ("3023", "3001", "4073", "3039")} == {
        "3023": 169_052,
        "3001": 58_731,
        "4073": 138_861,
        "3039": 20_254,
    }


def test_a_part_that_no_line_names_is_as_likely_as_a_rare_one() -> None:
    universal = PartCatalogue(load_bundle("universal").parts)
    likely = shares(read_prior(COMMON), universal)
    rare = [place for place, part in enumerate(universal.parts) if part.number not in read_prior(COMMON).weights]
    assert np.ptp(likely[rare]) == 0
    assert likely[rare].sum() == pytest.approx(0.25 * len(rare) / 3026, rel=0.01)


def test_uniform_is_uniform() -> None:
    assert shares(read_prior(UNIFORM), PARTS) == pytest.approx([0.25] * 4)
    assert in_words(read_prior(UNIFORM), PARTS) == "uniform: all 4 parts are as likely"


def test_a_file_weighs_parts_by_any_of_their_names_and_categories(tmp_path: Path) -> None:
    prior = written(tmp_path, "# our club\npart,weight\nTechnic, 4  # mostly\n3001A,2\n3647,1\n")
    assert shares(prior, PARTS) == pytest.approx(np.array([2, 1, 4, 1]) / 8)
    assert in_words(prior, PARTS) == "ours.csv: 2 of 4 parts are up to 4 times as likely as the rarest"


def test_a_part_goes_before_its_category_whatever_the_order(tmp_path: Path) -> None:
    prior = written(tmp_path, "part,weight\n3647,1\ntechnic,4\n")
    assert shares(prior, PARTS) == pytest.approx(np.array([1, 1, 4, 1]) / 7)
    assert in_words(prior, PARTS) == "ours.csv: 1 of 4 parts are 4 times as likely as the rarest"


def test_rare_parts_can_be_made_rarer(tmp_path: Path) -> None:
    assert shares(written(tmp_path, "part,weight\n3023,0.1\n"), PARTS)[1] == pytest.approx(0.1 / 3.1)


def test_what_the_model_does_not_know_is_told_and_counts_for_nothing(tmp_path: Path) -> None:
    prior = written(tmp_path, "part,weight\n3023,3\n9999,5\nSpaceships,2\n")
    assert unknown_names(prior, PARTS) == ["9999", "Spaceships"]
    assert prior.lines["9999"] == 3
    assert shares(prior, PARTS).sum() == pytest.approx(1)
    assert shares(prior, PARTS)[1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'ours.csv' does not begin with the columns part,weight: write that into its first line"),
        ("3001,30\n", "'ours.csv' does not begin with the columns part,weight: write that into its first line"),
        ("part,weight\n", "'ours.csv' names no part: write one a line, such as 3001,30"),
        ("part,weight\n3001\n", "'ours.csv', line 2: '3001' is no part and weight: write such as 3001,30"),
        (
            "part,weight\n\n3001,often\n",
            "'ours.csv', line 3: '3001,often' is no part and weight: write such as 3001,30",
        ),
        (
            "part,weight\n3001,0\n",
            "'ours.csv', line 2: '3001,0' is no part with a weight from 0.001 to 1000: write such as 3001,30",
        ),
        (
            "part,weight\n3001,nan\n",
            "'ours.csv', line 2: '3001,nan' is no part with a weight from 0.001 to 1000: write such as 3001,30",
        ),
        (
            "part,weight\n3001,2,3\n",
            "'ours.csv', line 2: '3001,2,3' is no part with a weight from 0.001 to 1000: write such as 3001,30",
        ),
        (
            "part,weight\n3001,2\n3001,3\n",
            "'ours.csv', line 3: 3001 stands in line 2 already: leave one of them out",
        ),
    ],
)
def test_bad_files_are_told_by_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as found:
        written(tmp_path, text)
    assert str(found.value) == told


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    told = ": give common, uniform, or a CSV with the columns part and weight"
    with pytest.raises(InputError, match="'none.csv' cannot be read \\(No such file or directory\\)" + told):
        read_prior("none.csv", tmp_path)
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match="'picture.csv' cannot be read \\(is no text file\\)" + told):
        read_prior("picture.csv", tmp_path)
