"""Whether parsed JSON is a record, judged by the fields and types of ``record.schema.json``.

A whole JSON Schema validator takes milliseconds a record, and a leaderboard reads thousands; so
this looks at types alone, which is what keeps everything behind the loader from stumbling.
"""

import json
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

EXTERNAL = "external"
KINDS = ("run", "evaluate", "latency", EXTERNAL)
SIZE = ("height", "width")
"""Of a network's input, which prediction files say nothing of."""
SCHEMA = 1
TOO_LARGE = 1e100
JSON_TYPES: dict[str, set[type]] = {
    "null": {type(None)},
    "boolean": {bool},
    "integer": {int},
    "number": {int, float},
    "string": {str},
    "array": {list},
    "object": {dict},
}


def problem(data: Any) -> str | None:
    """What keeps parsed JSON from being a record; None when it is one."""
    if type(data) is not dict:
        return "it holds no JSON object"
    if type(data.get("schema")) is int and data["schema"] > SCHEMA:
        return f"its schema {data['schema']} is newer than {SCHEMA}: update segbench"
    for section, (required, _) in _sections().items():
        fields = data[section] if section else data
        sized = section == "config" and data["kind"] != EXTERNAL
        for name in (*required, *SIZE) if sized else required:
            if name not in fields:
                return f"{_dotted(section, name)} is missing"
        if reason := section_problem(section, fields):
            return reason
    if data["kind"] not in KINDS:
        return f"its kind is {data['kind']!r:.40} and not one of {', '.join(KINDS)}"
    return None


def section_problem(section: str, fields: dict[str, Any]) -> str | None:
    """The first of the fields whose type is not the schema's, or that is too large a number."""
    wrong, numbers = _shape(section, tuple(fields), tuple(map(type, fields.values())))
    if wrong is not None:
        return f"{_dotted(section, wrong)} has the wrong type: {fields[wrong]!r:.40}"
    for name in numbers:
        if not -TOO_LARGE < fields[name] < TOO_LARGE:
            return f"{_dotted(section, name)} is out of range"
    return None


@lru_cache(1000)
def _shape(
    section: str, names: tuple[str, ...], kinds: tuple[type, ...]
) -> tuple[str | None, tuple[str, ...]]:
    """The first name of another kind than the schema's, and the names of fractions.

    Kept, since thousands of records have the same fields.
    """
    _, types = _sections()[section]
    pairs = list(zip(names, kinds, strict=True))
    wrong = next((name for name, kind in pairs if kind not in types.get(name, {kind})), None)
    return wrong, tuple(name for name, kind in pairs if kind is float)


@cache
def scalars(section: str) -> tuple[str, ...]:
    """The fields of "config", "metrics" or "provenance" that hold one value each."""
    _, fields = _sections()[section]
    return tuple(name for name, types in fields.items() if not types & {dict, list})


def _dotted(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


@cache
def _sections() -> dict[str, tuple[list[str], dict[str, set[type]]]]:
    """By section of the schema ("" is the whole): the required fields, and types by field."""
    schema = json.loads(files("segbench.records").joinpath("record.schema.json").read_text("utf-8"))
    sections = {"": schema} | {
        name: schema["properties"][name] for name in ("config", "metrics", "provenance")
    }
    return {
        name: (
            section.get("required", []),
            {key: _types(value["type"]) for key, value in section["properties"].items()},
        )
        for name, section in sections.items()
    }


def _types(names: str | list[str]) -> set[type]:
    names = [names] if isinstance(names, str) else names
    return {python for name in names for python in JSON_TYPES[name]}
