"""Reads YAML and remembers the line of everything in it; refuses duplicate keys and what is no plain YAML.

Words such as yes, no, on and off stay words, as a gate's position may be called so: only true and false are
truth values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from edge.config.findings import Finding, KeyPath, Severity, dotted

_MAX_VALUES = 20_000
"""A configuration has a few hundred values; aliases of aliases can unfold to billions."""
MOST_SHOWN = 40
"""Characters of a value that a finding repeats."""
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with the plain scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's own class-level registry)


for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"^(?:{_pattern})$"), _first)


@dataclass(slots=True)
class Document:
    """One YAML file as plain values (lists as tuples) with the line of every key and list entry, from 1."""

    file: Path
    value: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    """What makes it no plain YAML: the value is then incomplete."""

    def line(self, path: KeyPath) -> int:
        """The line of the nearest thing at or above `path`."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 1

    def get(self, path: KeyPath) -> Any:
        """The value at a path; None where nothing is."""
        value = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def finding(self, path: KeyPath, message: str, severity: Severity = Severity.ERROR, value: Any = None) -> Finding:
        """A finding about the value at `path`."""
        shown = "" if value is None else str(value)
        return Finding(severity, str(self.file), self.line(path), dotted(path), shown, message)


def read_document(file: Path) -> Document:
    """Reads a YAML file; whatever goes wrong is one of the document's findings."""
    document = Document(file)
    try:
        root = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=_Loader)
        if root is None:
            _refuse(document, 0, "is empty")
        else:
            document.value = _Converter(document).convert(root, ())
    except OSError as error:
        _refuse(document, 0, f"cannot be read: {error.strerror or error}")
    except UnicodeDecodeError:
        _refuse(document, 0, "is no UTF-8 text: save it as UTF-8")
    except yaml.MarkedYAMLError as error:
        _refuse(document, _line(error), f"is no YAML here: {_syntax(error)}")
    except yaml.reader.ReaderError as error:
        _refuse(document, 0, f"holds a character that YAML forbids (code {error.character})")
    except RecursionError:
        _refuse(document, 0, "is nested too deep")
    except _TooLargeError:
        _refuse(document, 0, f"unfolds to more than {_MAX_VALUES} values: use fewer aliases")
    return document


class _TooLargeError(Exception):
    pass


class _Converter:
    """Turns PyYAML's nodes into plain values, noting lines and findings in the document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0

    def convert(self, node: yaml.Node, path: KeyPath) -> Any:
        self._values += 1
        if self._values > _MAX_VALUES:
            raise _TooLargeError
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return tuple(self.convert(child, (*path, place)) for place, child in enumerate(node.value))
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node, path)
        self._refuse(path, f"'{node.tag.removeprefix(_TAG)}' is a YAML tag; write a plain value")
        return None

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        try:
            return _SCALARS[node.tag](node.value)
        except ValueError:  # `!!int x`, or more digits than Python reads
            self._refuse(path, f"'{node.value[:MOST_SHOWN]}' is no number that can be read")
            return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._document.lines[(*path, "?")] = key_node.start_mark.line + 1
                self._refuse((*path, "?"), "a list or mapping cannot be a key")
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in mapping:
                first = self._document.lines[here]
                self._document.lines[here] = key_node.start_mark.line + 1
                self._refuse(here, f"'{key}' stands here a second time (first in line {first}); keep one")
                continue
            self._document.lines[here] = key_node.start_mark.line + 1
            mapping[key] = self.convert(value_node, here)
        return mapping

    def _refuse(self, path: KeyPath, message: str) -> None:
        self._document.findings.append(self._document.finding(path, message))


_SCALARS = {
    _TAG + "str": str,
    _TAG + "null": lambda _: None,
    _TAG + "bool": lambda text: text.lower() == "true",
    _TAG + "int": lambda text: int(text, 16 if text.startswith("0x") else 10),
    _TAG + "float": float,
}


def _refuse(document: Document, line: int, message: str) -> None:
    document.findings.append(Finding(Severity.ERROR, str(document.file), line, "", "", message))


def _line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 0


def _syntax(error: yaml.MarkedYAMLError) -> str:
    problem = (error.problem or error.context or "it cannot be understood").replace("\n", " ")
    if "'\\t'" in problem:
        return "a tab; indent with spaces"
    return f"{problem}; check indentation, colons, brackets and quotes"
