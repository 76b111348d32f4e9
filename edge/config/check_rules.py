"""Whether the rules of bins.yaml can match any part that the model bundle knows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np

from edge.catalogue.colours import load_colours
from edge.catalogue.parts import PartCatalogue
from edge.config.bins import BinsConfig
from edge.config.check_bins import names, rule_paths
from edge.config.document import Document
from edge.config.findings import Finding, KeyPath, Severity, dotted
from edge.config.matching import accepted_colours, accepted_parts, rule_key


def check_rules(
    config: BinsConfig, catalogue: PartCatalogue, document: Document, known: list[Finding]
) -> list[Finding]:
    """The findings about parts and rules; `document` is bins.yaml.

    Args:
        known: what was found in it already; a rule with an unknown word in it is not said to match nothing too.
    """
    unknown = [*known, *_parts(config, catalogue, document)]
    wrong_rules = {path for path in rule_paths(config) if any(f.key.startswith(f"{dotted(path)}.") for f in unknown)}
    return [
        *unknown[len(known) :],
        *_lists(config, catalogue),
        *_look_alikes(config, catalogue, document, wrong_rules),
        *_never(config, catalogue, document, wrong_rules),
        *_sizes(config, catalogue, document),
    ]


def _parts(config: BinsConfig, catalogue: PartCatalogue, document: Document) -> Iterator[Finding]:
    for rule in rule_paths(config):
        for number, path in names(document, (*rule, "parts")):
            if catalogue.index(number) is None:
                yield document.finding(path, _unknown_part(number, catalogue), value=number)


def _lists(config: BinsConfig, catalogue: PartCatalogue) -> Iterator[Finding]:
    """A list often is a whole set's inventory, more than the model knows: no reason not to start."""
    for bin_ in config.bins:
        for rule in bin_.accept:
            if rule.part_list is None:
                continue
            for number, line in zip(rule.part_list.numbers, rule.part_list.lines, strict=True):
                if catalogue.index(number) is None:
                    message = _unknown_part(number, catalogue)
                    yield Finding(Severity.WARNING, str(rule.part_list.file), line, "", number, message)


def _look_alikes(
    config: BinsConfig, catalogue: PartCatalogue, document: Document, wrong_rules: set[KeyPath]
) -> Iterator[Finding]:
    for place, bin_ in enumerate(config.bins):
        for number, rule in enumerate(bin_.accept):
            path: KeyPath = ("bins", place, "accept", number)
            if not rule.look_alikes or path in wrong_rules:
                continue
            alone = rule.model_copy(update={"look_alikes": None})
            if (accepted_parts(rule, catalogue) == accepted_parts(alone, catalogue)).all():
                message = "adds nothing: the model knows no other part that looks like these"
                yield document.finding((*path, "look_alikes"), message, Severity.WARNING, True)


def _sizes(config: BinsConfig, catalogue: PartCatalogue, document: Document) -> Iterator[Finding]:
    known = any(part.length_mm and part.width_mm and part.height_mm for part in catalogue.parts)
    for place, bin_ in enumerate(config.bins):
        if bin_.holds_l is not None and not known:
            yield document.finding(
                ("bins", place, "holds_l"),
                "the model knows no part's size, so nobody can tell when the bin is full; use full_after",
                value=f"{bin_.holds_l:g}",
            )


def _unknown_part(number: str, catalogue: PartCatalogue) -> str:
    meant = catalogue.suggest(number)
    return f"the model knows no part '{number}'" + (f"; did you mean '{meant}'?" if meant else "")


def _never(
    config: BinsConfig, catalogue: PartCatalogue, document: Document, wrong_rules: set[KeyPath]
) -> Iterator[Finding]:
    """Rules that nothing fits, and rules whose every part goes to bins further up by other rules."""
    colours = load_colours()
    owner = np.full((len(catalogue), len(colours)), -1)
    first_bin: dict[Hashable, int] = {}
    for place, bin_ in enumerate(config.bins):
        for number, rule in enumerate(bin_.accept):
            path: KeyPath = ("bins", place, "accept", number)
            mask = np.outer(accepted_parts(rule, catalogue), accepted_colours(rule, colours))
            free = mask & (owner < 0)
            shares = first_bin.setdefault(rule_key(rule, catalogue, colours), place) != place
            if path in wrong_rules:
                pass
            elif not mask.any():
                message = "never matches: the model knows no part that fits all of it"
                yield document.finding(path, message, Severity.WARNING)
            elif not shares and not free.any():
                takers = ", ".join(f"'{' + '.join(config.bins[taker].names)}'" for taker in np.unique(owner[mask]))
                message = f"never matches: {takers} takes all of it first; move this rule up"
                yield document.finding(path, message, Severity.WARNING)
            owner[free] = place
