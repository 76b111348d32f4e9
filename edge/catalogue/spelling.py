"""What somebody probably meant to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known word that looks most like `word`, upper and lower case alike; None when none comes near.

    Args:
        likeness: the least share of letters in common, 0 to 1.
    """
    by_lower = {option.lower(): option for option in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence, such as "; did you mean 'Red'?", or nothing."""
    found = nearest(word, known)
    return f"; did you mean '{found}'?" if found else ""
