"""The person at the terminal: asked until the answer is one of those that are meant."""

import io

import pytest
from rich.console import Console

from calibration.console import ConsoleOperator
from calibration.rig import Task
from calibration.step import RefusedError

COLOURS = ("Red", "Blue", "Bright Green", "Black", "White", "Yellow", "Tan")


def operator(*lines):
    typed = iter(lines)
    out = io.StringIO()

    def read():
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    return ConsoleOperator(Console(file=out, width=200), read), out


def test_what_has_no_answers_waits_for_enter():
    person, out = operator("")
    assert person.do(Task("Lay the sheet on the belt.", "lay-sheet")) == ""
    assert "Lay the sheet on the belt." in out.getvalue()


@pytest.mark.parametrize(("typed", "meant"), [("red", "Red"), ("bri", "Bright Green"), ("BLACK", "Black")])
def test_an_answer_may_be_cut_short_as_long_as_it_is_one(typed, meant):
    person, _ = operator(typed)
    assert person.do(Task("Which colour?", "name", answers=COLOURS)) == meant


def test_another_answer_is_asked_again():
    person, out = operator("", "Bl", "purple", "Whte", "white")
    assert person.do(Task("Which colour?", "name", answers=COLOURS)) == "White"
    assert out.getvalue().count("is no answer") == 4
    assert "White" in out.getvalue()


def test_an_answer_that_begins_another_is_itself():
    person, _ = operator("g1")
    assert person.do(Task("Which gate?", "name", answers=("g1", "g10"))) == "g1"


def test_nobody_at_the_terminal_is_a_refusal():
    person, _ = operator()
    with pytest.raises(RefusedError, match=r"nobody answered 'Clear the belt\.'"):
        person.do(Task("Clear the belt.", "clear"))
