"""The person at the machine, reached through a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from calibration.rig import Task
from calibration.step import RefusedError
from edge.catalogue.spelling import did_you_mean


@dataclass(slots=True)
class ConsoleOperator:
    """Asks in words and waits for the Enter key; an answer that is none of those asked for is asked again.

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
            if not task.answers:
                return ""
            if (found := _meant(typed, task.answers)) is not None:
                return found
            wrong = did_you_mean(typed, task.answers) or f"; one of {', '.join(task.answers)}"
            self.console.print(f"  '{escape(typed)}' is no answer{escape(wrong)}")

    def say(self, line: str) -> None:
        self.console.print(f"  {escape(line)}")

    def _typed(self, task: Task) -> str:
        few = 0 < len(task.answers) <= 6
        wanted = f"({'/'.join(task.answers)}) " if few else "" if task.answers else "[dim]then press Enter[/] "
        self.console.print(f"  {wanted if not few else escape(wanted)}", end="")
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
