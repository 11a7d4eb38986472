"""Validation of parsed JSON against ``record.schema.json``."""

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

EXTERNAL = "external"
KINDS = ("run", "evaluate", "latency", EXTERNAL)
SCHEMA = 1


def problem(data: Any) -> str | None:
    """Why parsed JSON is not a record; None if it is one."""
    if type(data) is not dict:
        return "it is not a JSON object"
    if type(data.get("schema")) is int and data["schema"] > SCHEMA:
        return f"its schema {data['schema']} is newer than {SCHEMA}: update segbench"
    return _problem("", data)


def config_problem(config: Any) -> str | None:
    """What is invalid in a configuration; no field is required."""
    return _problem("config", config)


@cache
def scalars(section: str) -> tuple[str, ...]:
    """The fields of "config", "metrics" or "provenance" with a single value."""
    fields = _schema()["properties"][section]["properties"]
    return tuple(name for name, field in fields.items() if not _types(field) & {"array", "object"})


def _problem(section: str, data: Any) -> str | None:
    validator = _validator(section)
    try:
        if validator.is_valid(data):
            return None
        error = next(validator.iter_errors(data))
    except ValueError as too_deep:
        return str(too_deep)
    place = ".".join(filter(None, (section, *map(str, error.instance_path))))
    value = f"{error.instance!r:.40}"
    match error.kind.name:
        case "required":
            return f"{place}.{error.kind.value} is missing".removeprefix(".")
        case "type":
            return f"{place} has the wrong type: {value}"
        case "minimum" | "maximum":
            return f"{place} is out of range: {value}"
        case "enum":
            return f"its {place} is {value} and not one of {', '.join(error.kind.value)}"
    return f"{place} is {value}, which does not match the schema"


@cache
def _validator(section: str) -> "Draft202012Validator":
    from jsonschema_rs import Draft202012Validator

    schema = _schema()
    if section:
        schema = {"properties": schema["properties"][section]["properties"]}
    return Draft202012Validator(schema)


@cache
def _schema() -> dict[str, Any]:
    text = files("segbench.records").joinpath("record.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _types(field: dict[str, Any]) -> set[str]:
    types = field["type"]
    return {types} if isinstance(types, str) else set(types)
