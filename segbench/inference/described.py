"""The metadata of a weights file, validated before anything is built from it."""

import math
from typing import Any

import orjson

from segbench.records.names import current_names
from segbench.records.schema import config_problem
from segbench.types import DECODERS, InputConvention

LARGEST = {"height": 2**14, "width": 2**14, "classes": 255}
PADDINGS = ("symmetric", "same")


def described(text: str) -> dict[str, Any]:
    """A checkpoint's configuration from its metadata; ValueError says what is wrong with it."""
    config = orjson.loads(text)
    if type(config) is not dict:
        raise ValueError("it is not an object")
    config = current_names(config)
    whole = config.get("network") is not None
    names = ("dataset", "network") if whole else ("dataset", "backbone", "decoder")
    for name in (*LARGEST, *names, "convention"):
        if name not in config:
            raise ValueError(f"{name} is missing")
    if reason := config_problem(config):
        raise ValueError(reason)
    for name, largest in LARGEST.items():
        value = config[name]
        if type(value) is not int or not 1 <= value <= largest:
            raise ValueError(f"{name} is {value!r:.40}, not a whole number from 1 to {largest}")
    for name in names:
        if type(config[name]) is not str:
            raise ValueError(f"{name} is {config[name]!r:.40}, not a name")
    if not whole and config["decoder"] not in DECODERS:
        raise ValueError(f"decoder is {config['decoder']!r:.40}, not one of {', '.join(DECODERS)}")
    return config


def convention_of(said: Any) -> InputConvention:
    """``mean``, ``std`` and ``padding``; ValueError if they are invalid."""
    if type(said) is not dict or said.get("padding") not in PADDINGS:
        raise ValueError("padding is not 'symmetric' or 'same'")
    for name in ("mean", "std"):
        numbers = said.get(name)
        if type(numbers) is not list or not all(type(each) in (int, float) for each in numbers):
            raise ValueError(f"{name} is not a list of numbers")
        if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
            raise ValueError(f"{name} is not three finite numbers")
    if 0 in said["std"]:
        raise ValueError("std has a 0")
    return InputConvention(tuple(said["mean"]), tuple(said["std"]), said["padding"])
