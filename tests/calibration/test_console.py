"""The person at the terminal: asked until the answer is one of those that are meant."""

import io

import pytest
from rich.console import Console

from calibration.console import ConsoleOperator
from calibration.ended import EndedError
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


KINDS = tuple(str(number) for number in range(3001, 3381, 2))


@pytest.mark.parametrize(
    "answers", [(), ("yes", "no"), COLOURS, KINDS, ("0", "1", "2")], ids=["done", "few", "colours", "kinds", "numbers"]
)
@pytest.mark.parametrize("typed", ["end", "END "])
def test_every_question_may_end_the_step(answers, typed):
    person, out = operator(typed)
    with pytest.raises(EndedError, match=r"ended at 'Well\?': nothing was written, the old calibration stays"):
        person.do(Task("Well?", "some", answers=answers))
    assert "end" in out.getvalue().removeprefix("→ Well?"), "it is offered"
    assert "is no answer" not in out.getvalue()


def test_an_end_that_is_an_answer_is_one():
    person, out = operator("end")
    assert person.do(Task("Again?", "choose", answers=("again", "skip", "end"))) == "end"
    assert "(again/skip/end)" in out.getvalue()


def test_a_wrong_answer_of_many_lists_ten():
    person, out = operator("brick", "3003")
    assert person.do(Task("Which part?", "name-kind", answers=KINDS)) == "3003"
    (wrong,) = [line for line in out.getvalue().splitlines() if "is no answer" in line]
    assert wrong.endswith("one of 3001, 3003, 3005, 3007, 3009, 3011, 3013, 3015, 3017, 3019 and 180 others")


@pytest.mark.parametrize("typed", ["200", "-1", "two", ""])
def test_whole_numbers_are_told_as_a_range(typed):
    person, out = operator(typed, "20")
    assert person.do(Task("How many?", "count", answers=tuple(map(str, range(200))))) == "20"
    assert f"'{typed}' is no answer: it is a whole number, 0 to 199" in out.getvalue()


def test_numbers_with_gaps_are_listed():
    person, out = operator("70", "50")
    assert person.do(Task("How many?", "choose-purity", answers=("50", "100", "1000"))) == "50"
    assert "whole number" not in out.getvalue()
