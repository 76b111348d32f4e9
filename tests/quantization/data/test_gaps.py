"""A set that is not finished, or that lost shards, is told of by its folder alone."""

from __future__ import annotations

import json

import pytest

from quantization.data.gaps import gap_of_set

RENDERS = {"families": ["3001", "3003"], "per_family": 6}
SUMMARY = {"samples": {"train": {"3001": 6, "3003": 2}, "test": {"3001": 2}}}


@pytest.mark.parametrize(
    ("wanted", "summary", "found", "says"),
    [
        (RENDERS, None, 12, None),
        (RENDERS, None, 5, "holds 5 of the 12 looks that it was asked for: 'brickgate-model render' makes the rest"),
        ({"pictures": []}, SUMMARY, 10, None),
        (
            {"pictures": []},
            SUMMARY,
            8,
            "holds 8 of its 10 samples: 'brickgate-model tile' with the same options makes the rest",
        ),
        (
            {"captures": []},
            None,
            4,
            "holds 4 samples and is not finished: 'brickgate-model capture' with the same options makes the rest",
        ),
        ({"pictures": []}, {"samples": 3}, 4, "holds 4 samples and is not finished: 'brickgate-model tile' with the"),
        ({"other": 1}, None, 4, None),
        (None, None, 4, None),
    ],
)
def test_what_a_set_lacks_is_one_line(tmp_path, wanted, summary, found, says):
    for name, content in (("set.json", wanted), ("summary.json", summary)):
        if content is not None:
            (tmp_path / name).write_text(json.dumps(content))
    told = gap_of_set(tmp_path, found)
    assert told is None if says is None else str(told).startswith(f"{tmp_path} {says}")
