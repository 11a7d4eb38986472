"""What a weights file says of itself, checked before anything is built from it."""

import math
from typing import Any

import orjson

from segbench.recipes import current_names
from segbench.records.schema import section_problem
from segbench.types import InputConvention

LARGEST = {"height": 2**14, "width": 2**14, "classes": 255}
NAMES = ("backbone", "dataset", "decoder")
DECODERS = ("bilinear", "transposed")
PADDINGS = ("symmetric", "same")


def described(text: str) -> dict[str, Any]:
    """A checkpoint's configuration from its metadata; ValueError says what is wrong with it."""
    config = orjson.loads(text)
    if type(config) is not dict:
        raise ValueError("it is not an object")
    config = current_names(config)
    for name in (*LARGEST, *NAMES, "convention"):
        if name not in config:
            raise ValueError(f"{name} is missing")
    if reason := section_problem("config", config):
        raise ValueError(reason)
    for name, largest in LARGEST.items():
        value = config[name]
        if type(value) is not int or not 1 <= value <= largest:
            raise ValueError(f"{name} is {value!r:.40}, not a whole number from 1 to {largest}")
    if not all(type(config[name]) is str for name in NAMES) or config["decoder"] not in DECODERS:
        raise ValueError("backbone, dataset or decoder is not the name of one")
    return config


def convention_of(said: Any) -> InputConvention:
    """``mean``, ``std`` and ``padding``; ValueError where they are not what they have to be."""
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
