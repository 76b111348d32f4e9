"""The person at the machine, reached through a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import shorten

from rich.console import Console
from rich.markup import escape

from calibration.ended import END, EndedError
from calibration.rig import Task
from calibration.step import RefusedError
from edge.catalogue.spelling import did_you_mean

FEW, MOST_LISTED = 6, 10
"""Answers that are offered with the question, and that a wrong one is answered with."""


@dataclass(slots=True)
class ConsoleOperator:
    """Asks in words and waits for the Enter key; an answer that is none of those asked for is asked again. Every
    question may be answered with `END`, which ends the step where it is no answer of its own.

    Args:
        console: where it is written.
        read: gives the next line that was typed; raises EOFError when there is nobody.
    """

    console: Console
    read: Callable[[], str] = input

    def do(self, task: Task) -> str:
        self.console.print(f"[bold]→ {escape(task.words)}[/]")
        while True:
            typed = self._typed(task)
            if typed.casefold() == END and END not in task.answers:
                where = shorten(task.words, 60, placeholder="…")
                raise EndedError(f"ended at '{where}': nothing was written, the old calibration stays")
            if not task.answers:
                return ""
            if (found := _meant(typed, task.answers)) is not None:
                return found
            self.console.print(f"  '{escape(typed)}' is no answer{escape(_instead(typed, task.answers))}")

    def say(self, line: str) -> None:
        self.console.print(f"  {escape(line)}")

    def _typed(self, task: Task) -> str:
        self.console.print(f"  {_wanted(task.answers)} ", end="")
        try:
            return self.read().strip()
        except EOFError as error:
            raise RefusedError(f"nobody answered '{task.words}': run this in a terminal") from error


def _meant(typed: str, answers: tuple[str, ...]) -> str | None:
    """The one answer that begins like what was typed, whatever its case."""
    alike = [answer for answer in answers if answer.casefold().startswith(typed.casefold())]
    exact = [answer for answer in alike if answer.casefold() == typed.casefold()]
    found = exact or (alike if typed else [])
    return found[0] if len(found) == 1 else None


def _wanted(answers: tuple[str, ...]) -> str:
    """What may be typed, as markup."""
    if not answers:
        return f"[dim]then press Enter, or type {END}[/]"
    if len(answers) > FEW:
        return f"[dim](or {END})[/]"
    return escape(f"({'/'.join(dict.fromkeys((*answers, END)))})")


def _instead(typed: str, answers: tuple[str, ...]) -> str:
    """What to type instead: the end of a sentence."""
    if numbers := _range(answers):
        return f": it is a whole number, {numbers[0]} to {numbers[-1]}"
    if meant := did_you_mean(typed, answers):
        return meant
    listed = ", ".join(answers[:MOST_LISTED])
    more = len(answers) - MOST_LISTED
    return f"; one of {listed}" if more <= 0 else f"; one of {listed} and {more} others"


def _range(answers: tuple[str, ...]) -> range | None:
    """The whole numbers that the answers are one after the other; None: they are something else."""
    if not answers[0].isdecimal():
        return None
    numbers = range(int(answers[0]), int(answers[0]) + len(answers))
    return numbers if len(answers) > 2 and answers == tuple(map(str, numbers)) else None
