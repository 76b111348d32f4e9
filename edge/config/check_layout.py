"""Whether the layout of bins.yaml fits the gates of machine.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edge.catalogue.spelling import did_you_mean
from edge.config.bins import BinsConfig, LayoutNode
from edge.config.document import Document
from edge.config.findings import Finding, KeyPath, Severity
from edge.config.gates import GateBase
from edge.config.schema import MachineConfig

_START: KeyPath = ("layout",)


def check_layout(machine: MachineConfig, bins: BinsConfig, document: Document) -> list[Finding]:
    """The findings about the layout; `document` is bins.yaml."""
    gates = {gate.name: gate for gate in machine.gates}
    return [
        *_names(gates, bins, document),
        *_order(gates, bins.layout, _START, document),
        *_chutes_end_the_belt(gates, bins, document),
        *_rest(gates, bins, document),
        *_unused(gates, bins, document),
        *_comes_back_once(machine, bins, document),
    ]


def _comes_back_once(machine: MachineConfig, bins: BinsConfig, document: Document) -> Iterator[Finding]:
    if bins.recirculates and machine.belt.reversal is not None:
        yield document.finding(
            ("recirculates",),
            "where the belt's end leads back to the feeder, touching parts come again without belt.reversal of"
            " machine.yaml: take one of the two out",
            value="true",
        )


def _names(gates: Mapping[str, GateBase], bins: BinsConfig, document: Document) -> Iterator[Finding]:
    for node, path in bins.layout.nodes(_START):
        gate = gates.get(node.gate)
        if gate is None:
            hint = did_you_mean(node.gate, gates) or f"; it has {', '.join(gates)}"
            yield document.finding((*path, "gate"), f"'{node.gate}' is no gate of machine.yaml{hint}", value=node.gate)
            continue
        for position in node.exits:
            if position not in gate.positions:
                hint = did_you_mean(position, gate.positions) or f"; it has {', '.join(gate.positions)}"
                yield document.finding(
                    (*path, position),
                    f"gate '{gate.name}' has no position '{position}'{hint}",
                    value=position,
                )


def _order(gates: Mapping[str, GateBase], node: LayoutNode, path: KeyPath, document: Document) -> Iterator[Finding]:
    gate = gates.get(node.gate)
    for position, exit_ in node.exits.items():
        if not isinstance(exit_, LayoutNode):
            continue
        following = gates.get(exit_.gate)
        if gate and following and following.x_mm <= gate.x_mm and following is not gate:
            yield document.finding(
                (*path, position, "gate"),
                f"'{following.name}' at {following.x_mm:g} mm cannot come after '{gate.name}' at {gate.x_mm:g} mm",
                value=following.name,
            )
        yield from _order(gates, exit_, (*path, position), document)


def _chutes_end_the_belt(gates: Mapping[str, GateBase], bins: BinsConfig, document: Document) -> Iterator[Finding]:
    for node, path in bins.layout.nodes(_START):
        gate = gates.get(node.gate)
        for position, exit_ in node.exits.items():
            if gate is not None and gate.kind == "chute" and isinstance(exit_, LayoutNode):
                yield document.finding(
                    (*path, position, "gate"),
                    f"no gate can follow chute '{gate.name}' at the belt's end: its positions lead to bins",
                    value=exit_.gate,
                )


def _rest(gates: Mapping[str, GateBase], bins: BinsConfig, document: Document) -> Iterator[Finding]:
    """A part that nobody planned for passes gates at rest; it must end in the default bin."""
    node, path = bins.layout, _START
    while True:
        gate = gates.get(node.gate)
        if gate is None:
            return
        exit_ = node.exits.get(gate.rest)
        if exit_ is None:
            yield document.finding(
                path, f"gate '{gate.name}' rests in '{gate.rest}': say where that leads", value=gate.rest
            )
            return
        path = (*path, gate.rest)
        if isinstance(exit_, str):
            break
        node = exit_
    if exit_ != bins.default_bin:
        yield document.finding(
            path,
            f"with every gate at rest a part ends in '{exit_}'; that must be default_bin '{bins.default_bin}'",
            value=exit_,
        )


def _unused(gates: Mapping[str, GateBase], bins: BinsConfig, document: Document) -> Iterator[Finding]:
    used = {node.gate for node, _ in bins.layout.nodes(_START)}
    for name in gates:
        if name not in used:
            yield document.finding(
                _START, f"gate '{name}' of machine.yaml is not in the layout", Severity.WARNING, name
            )
