"""`brickgate bins`: how full they are, and that one was emptied."""

import json


def test_an_emptied_bin_is_noted_for_the_run_and_shown(brickgate, tmp_path):
    journal = tmp_path / "j.jsonl"
    (tmp_path / "j.jsonl.bins").write_text(json.dumps({"bricks-a": [90, 0.5], "plates": [12, 0.01]}), encoding="utf-8")
    shown = brickgate("bins", "--config", "pushers-4", "--journal", journal)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[:3] == [
        "plates: 12 parts, about 0.01 l",
        "bricks-a: 90 parts, about 0.5 l, 25% full",
        "bricks-b: 0 parts, about 0 l, 0% full",
    ]
    emptied = brickgate("bins", "--config", "pushers-4", "--journal", journal, "--emptied", "bricks-a")
    assert "bricks-a: 0 parts, about 0 l, 0% full" in emptied.out
    assert (tmp_path / "j.jsonl.emptied").read_text(encoding="utf-8") == "bricks-a\n"


def test_a_bin_that_is_not_there_is_named_with_the_nearest(brickgate, tmp_path):
    result = brickgate("bins", "--config", "pushers-4", "--journal", tmp_path / "j", "--emptied", "brick-a")
    assert (result.code, result.out) == (1, "")
    assert result.err == "error: --emptied brick-a: no such bin; did you mean 'bricks-a'?\n"
    assert list(tmp_path.iterdir()) == []
