"""Says in our words what pydantic found: line, value, what is allowed and the nearest spelling."""

from __future__ import annotations

import types
import typing
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edge.catalogue.spelling import did_you_mean, nearest
from edge.config.document import Document
from edge.config.findings import Finding, KeyPath

_KINDS = {
    "float_type": "is no number",
    "int_type": "is no whole number",
    "finite_number": "is no number",
    "string_type": "is no text",
    "bool_type": "is neither true nor false",
    "tuple_type": "is no list",
    "dict_type": "is no mapping of keys to values",
    "model_type": "is no mapping of keys to values",
    "model_attributes_type": "is no mapping of keys to values",
}
_BOUNDS = {
    "greater_than": ("must be above", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be below", "lt"),
    "less_than_equal": ("must be at most", "le"),
}


def explain(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Finding]:
    """The findings of a failed validation of the whole document against `model`."""
    details = [found for found in error.errors(include_url=False) if not _is_echo(found, document)]
    missing = dict.fromkeys(
        (*_path_in(document, found["loc"]), found["loc"][-1]) for found in details if found["type"] == "missing"
    )
    findings = []
    for found in details:
        if found["type"] == "extra_forbidden":
            path, message, meant = _unknown_key(found, document, model)
            missing.pop((*path[:-1], meant), None)
            findings.append(document.finding(path, message, value=path[-1]))
        elif found["type"] != "missing":
            path, message = _wrong_value(found, document)
            findings.append(document.finding(path, message, value=document.get(path)))
    return [*findings, *(document.finding(path, "is missing") for path in missing)]


def _is_echo(details: ErrorDetails, document: Document) -> bool:
    """pydantic calls a list too short when entries of it are wrong, which it reports by themselves."""
    value = document.get(_path_in(document, details["loc"]))
    return details["type"] == "too_short" and bool(value) and len(value) >= details.get("ctx", {})["min_length"]


def _unknown_key(details: ErrorDetails, document: Document, model: type[BaseModel]) -> tuple[KeyPath, str, str]:
    """Where it stands, what to say, and the key that was probably meant."""
    path = _path_in(document, details["loc"])
    known = _keys_at(model, details["loc"][:-1])
    key = str(path[-1])
    hint = did_you_mean(key, known) or f"; known here: {', '.join(known)}"
    return path, f"'{key}' is no key{hint}", nearest(key, known) or key


def _wrong_value(details: ErrorDetails, document: Document) -> tuple[KeyPath, str]:
    path = _path_in(document, details["loc"])
    value = document.get(path)
    message = _message(details, value)
    if details["type"].startswith("union_tag"):
        return (*path, "driver"), message
    first, _, rest = message.partition(" ")
    if details["type"] == "value_error" and isinstance(value, dict) and first in value:
        return (*path, first), rest  # a section's complaint begins with the key that it is about
    return path, message


def _message(details: ErrorDetails, value: Any) -> str:
    kind, context = details["type"], details.get("ctx", {})
    shown = _shown(value)
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        message = f"{shown} {words} {context[bound]:g}"
    elif kind == "literal_error":
        message = _one_of(value, _quoted_words(context["expected"]))
    elif kind == "union_tag_invalid":
        message = _one_of(context["tag"], _quoted_words(context["expected_tags"]))
    elif kind == "union_tag_not_found":
        message = "is missing"
    elif kind in {"too_short", "too_long", "string_too_short"}:
        message = _length(kind, context, value)
    elif value is None and kind != "value_error":
        message = "is empty; give a value or take the key out"
    elif kind in _KINDS:
        message = f"{shown} {_KINDS[kind]}"
    else:
        message = details["msg"].removeprefix("Value error, ")
    return message


def _length(kind: str, context: dict[str, Any], value: Any) -> str:
    if kind == "string_too_short":
        return "is an empty text; give a value"
    if kind == "too_short" and not value:
        return "is empty; give at least one entry"
    if kind == "too_short":
        return f"needs at least {context['min_length']} entries and has {len(value)}"
    return f"takes at most {context['max_length']} entries and has {len(value)}"


def _one_of(value: Any, allowed: list[str]) -> str:
    return f"{_shown(value)} is none of {', '.join(allowed)}{did_you_mean(str(value), allowed)}"


def _quoted_words(expected: str) -> list[str]:
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple | list):
        return f"the list [{', '.join(map(str, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else f"{value}" if isinstance(value, int) else f"'{value}'"


def _path_in(document: Document, loc: KeyPath) -> KeyPath:
    """pydantic's location without its own steps (a union's tags, `exits`), which no document has."""
    path: KeyPath = ()
    value = document.value
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            continue
        path = (*path, step)
    return path


def _keys_at(model: type[BaseModel], loc: KeyPath) -> list[str]:
    """The keys that a mapping may have: walks the model's annotations along pydantic's location."""
    annotation: Any = model
    for step in loc:
        annotation = _step(annotation, step)
    section = _section(annotation)
    return [field.alias or name for name, field in section.model_fields.items()] if section else []


def _step(annotation: Any, step: str | int) -> Any:
    section = _section(annotation)
    if section is not None:
        for name, field in section.model_fields.items():
            if step in {name, field.alias}:
                return field.annotation
        return section
    options = [_bare(option) for option in get_args(annotation)]
    if isinstance(step, int):
        return options[0] if options else annotation
    for option in options:
        found = _section(option)
        driver = found.model_fields.get("driver") if found else None
        if driver is not None and step in get_args(driver.annotation):
            return option
    return options[-1] if options else annotation


def _bare(annotation: Any) -> Any:
    """Without `Annotated` and without `| None`."""
    while get_origin(annotation) is typing.Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _section(annotation: Any) -> type[BaseModel] | None:
    annotation = _bare(annotation)
    if get_origin(annotation) in {typing.Union, types.UnionType}:
        sections = [found for option in get_args(annotation) if (found := _section(option))]
        return sections[0] if len(sections) == 1 else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
