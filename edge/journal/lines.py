"""One part, one line: JSON that anything can read, with a checksum as its last field.

The checksum is the CRC-32 of the line without that field, so a line that was cut or altered is told from a
good one.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from edge.errors import JournalError
from edge.records import PartRecord

_CHECK = b',"crc32":"'
_START = b'{"part_id":'
_BEGIN = re.compile(_START + rb"-?\d{1,18},")
_FIELDS = {f.name: f for f in fields(PartRecord)}
_REQUIRED = {name for name, f in _FIELDS.items() if f.default is MISSING and f.default_factory is MISSING}
_PAIRS = {"top", "colour"}
_KINDS: dict[Any, Any] = {"int": int, "float": (int, float), "str": str, "bool": bool, "list": list}


def encode(record: PartRecord) -> bytes:
    """The line of a record, with its line end. Numbers that JSON does not have (NaN, infinity) become
    null."""
    values = {name: getattr(record, name) for name in _FIELDS}
    try:
        body = _dump(values)
    except ValueError:
        body = _dump(without_nan(values))
    return body[:-1] + _CHECK + b'%08x"}\n' % zlib.crc32(body)


def is_intact(line: bytes) -> bool:
    """True for a complete line with the right checksum."""
    split = len(line) - len(_CHECK) - 11
    if split < 0 or not _BEGIN.match(line) or line[split : split + len(_CHECK)] != _CHECK:
        return False
    return line[split + len(_CHECK) :] == b'%08x"}\n' % zlib.crc32(line[:split] + b"}")


def split_at_record(line: bytes) -> tuple[bytes, bytes]:
    """The damage in a bad line, and what may be a good one behind it: a line end that was overwritten joins two."""
    at = max(line.rfind(_START), 0)
    return line[:at], line[at:]


def part_id_of(line: bytes) -> int:
    """The part's number in an intact line, without reading all of it."""
    return int(line[len(_START) : line.index(b",", len(_START))])


def decode(line: bytes) -> PartRecord:
    """The record of an intact line; fields it does not know are left out, so that newer journals can be read.

    Raises:
        JournalError: a field is missing, or not of its kind.
    """
    try:
        values: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise JournalError(f"a record is no JSON: {error}") from error
    missing = sorted(_REQUIRED - values.keys())
    if missing:
        raise JournalError(f"record of part {values.get('part_id')}: {missing[0]} is missing")
    try:
        known = {name: _value(name, values[name]) for name in _FIELDS if name in values}
    except (TypeError, ValueError) as error:
        raise JournalError(f"record of part {values['part_id']}: {error}") from error
    return PartRecord(**known)


def _value(name: str, value: Any) -> Any:
    """A field as it was before it was JSON."""
    if name in _PAIRS:
        return tuple((_of_kind("str", what), _number(score)) for what, score in value)
    if name == "gate_reports":
        return tuple((*_texts([gate, held, status]), _number(late_s)) for gate, held, status, late_s in value)
    if name == "gates":
        return _texts(value)
    kind = _FIELDS[name].type
    return _number(value) if kind == "float" else _of_kind(kind, value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_of_kind("str", each) for each in _of_kind("list", value))


def _number(value: Any) -> float:
    return math.nan if value is None else _of_kind("float", value)


def _of_kind(kind: Any, value: Any) -> Any:
    if not isinstance(value, _KINDS[kind]):
        raise TypeError(f"{value!r} is no {kind}")
    return value


def _dump(values: dict[str, Any]) -> bytes:
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    return text.encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    """A numpy number as Python's."""
    item: Callable[[], Any] | None = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"a {type(value).__name__} cannot be written to the journal")
    return item()


def without_nan(values: dict[str, Any]) -> dict[str, Any]:
    """The values with null for numbers that JSON does not have (NaN, infinity)."""
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_finite(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
