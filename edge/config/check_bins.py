"""What the schema of bins.yaml cannot see: bins, layout and names that do not go together."""

from __future__ import annotations

from collections.abc import Iterator

from edge.catalogue.categories import CATEGORIES
from edge.catalogue.colours import closest_colour, find_colour, load_colours, suggest_colour
from edge.catalogue.spelling import did_you_mean
from edge.config.bins import BinsConfig, LayoutNode
from edge.config.document import Document
from edge.config.findings import Finding, KeyPath, Severity


def check_bins(config: BinsConfig, document: Document, more_categories: frozenset[str] = frozenset()) -> list[Finding]:
    """The findings about bins.yaml alone.

    Args:
        more_categories: those of a model bundle, beside the catalogue's own.
    """
    return [
        *_bin_names(config, document),
        *_leaves(config, document),
        *_default_bin_has_no_end(config, document),
        *_leftovers(config, document),
        *_gates_once(config.layout, ("layout",), document),
        *_colours(config, document),
        *_categories(config, document, sorted({*CATEGORIES, *more_categories})),
    ]


def names(document: Document, path: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    """The words at a key that holds one word or a list of them."""
    value = document.get(path)
    if isinstance(value, tuple):
        yield from ((str(word), (*path, place)) for place, word in enumerate(value))
    elif value is not None:
        yield str(value), path


def rule_paths(config: BinsConfig) -> Iterator[KeyPath]:
    """Where each rule stands."""
    for place, bin_ in enumerate(config.bins):
        for number in range(len(bin_.accept)):
            yield "bins", place, "accept", number


def _bin_names(config: BinsConfig, document: Document) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for name, place, path in _named(config, document):
        if name in first:
            yield document.finding(path, f"'{name}' is bins[{first[name]}] already; give it another name", value=name)
        first.setdefault(name, place)


def _leaves(config: BinsConfig, document: Document) -> Iterator[Finding]:
    ways = config.ways()
    known = [config.default_bin, *config.names, *filter(None, [config.leftover_bin])]
    if config.default_bin not in ways:
        hint = did_you_mean(config.default_bin, ways) or "; doubts and refusals must end somewhere"
        yield document.finding(
            ("default_bin",),
            f"the layout leads nowhere to '{config.default_bin}'{hint}",
            value=config.default_bin,
        )
    for node, path in config.layout.nodes(("layout",)):
        for position, exit_ in node.exits.items():
            if isinstance(exit_, str) and exit_ not in known:
                yield document.finding(
                    (*path, position),
                    f"'{exit_}' is neither default_bin nor the name of a bin{did_you_mean(exit_, known)}",
                    value=exit_,
                )
    for name, _, path in _named(config, document):
        if name not in ways:
            yield document.finding(
                path,
                f"'{name}' cannot be reached: no position of a gate leads there; add it to the layout",
                value=name,
            )


def _named(config: BinsConfig, document: Document) -> Iterator[tuple[str, int, KeyPath]]:
    """Every bin's name, the place of its section, and where it stands."""
    for place in range(len(config.bins)):
        for name, path in names(document, ("bins", place, "name")):
            yield name, place, path


def _default_bin_has_no_end(config: BinsConfig, document: Document) -> Iterator[Finding]:
    """It takes whatever the others cannot, so it cannot be full."""
    for place, bin_ in enumerate(config.bins):
        for key in ("full_after", "holds_l"):
            if config.default_bin in bin_.names and getattr(bin_, key) is not None:
                yield document.finding(
                    ("bins", place, key),
                    f"the default bin '{config.default_bin}' takes what no other can and is never full; take {key} out",
                    Severity.WARNING,
                    getattr(bin_, key),
                )


def _leftovers(config: BinsConfig, document: Document) -> Iterator[Finding]:
    """A belt that recirculates needs a way out for what no bin asks for, or cannot be recognised."""
    leftover, here = config.leftover_bin, ("leftover_bin",)
    if leftover is None:
        if config.recirculates:
            yield document.finding(
                ("recirculates",),
                "parts that no bin asks for, and what cannot be recognised, go round for ever; name a leftover_bin of"
                " the layout for them",
                Severity.WARNING,
                "true",
            )
    elif leftover == config.default_bin:
        yield document.finding(here, f"'{leftover}' is default_bin, which comes back; name another bin", value=leftover)
    elif leftover in config.names:
        yield document.finding(
            here, f"'{leftover}' is a bin with rules; leftovers need one of their own", value=leftover
        )
    elif leftover not in (ways := config.ways()):
        hint = did_you_mean(leftover, ways) or "; add it to the layout"
        yield document.finding(here, f"the layout leads nowhere to '{leftover}'{hint}", value=leftover)


def _gates_once(layout: LayoutNode, path: KeyPath, document: Document) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for node, place in layout.nodes(path):
        here = (*place, "gate")
        if node.gate in first:
            yield document.finding(
                here, f"gate '{node.gate}' stands in line {first[node.gate]} already", value=node.gate
            )
        first.setdefault(node.gate, document.line(here))


def _colours(config: BinsConfig, document: Document) -> Iterator[Finding]:
    made = load_colours()
    for rule in rule_paths(config):
        for name, path in names(document, (*rule, "colour")):
            if find_colour(name, made) is None:
                yield document.finding(path, f"'{name}' {_no_colour(name)}", value=name)


def _no_colour(name: str) -> str:
    made = load_colours()
    retired = find_colour(name, load_colours(retired=True))
    if retired is not None:
        return f"is no longer made and not recognised; '{closest_colour(retired, made).name}' comes nearest"
    meant = suggest_colour(name, made)
    return "is no colour" + (f"; did you mean '{meant}'?" if meant else ", such as Red or Light Bluish Gray")


def _categories(config: BinsConfig, document: Document, known: list[str]) -> Iterator[Finding]:
    lower = {category.lower() for category in known}
    for rule in rule_paths(config):
        for name, path in names(document, (*rule, "category")):
            if name.lower() not in lower:
                hint = did_you_mean(name, known) or f"; one of {', '.join(known)}"
                yield document.finding(path, f"'{name}' is no category{hint}", value=name)
