"""The keys of a suite's tables, which are the options of commands, and their values."""

import os
import re
from collections.abc import Sequence
from typing import Any

import click

from segbench.errors import SegbenchError

MODEL = {"model", "mean", "std", "scale", "channels", "layout", "class-order", "model-output"}
LEFT_OUT = {
    "run": {"results", "seeds", "resume", "force"},
    "evaluate": {"results", "checkpoint", "network", "weights", *MODEL},
    "latency": {
        *("results", "checkpoint", "network", "backbone", "decoder", "weights", "dataset"),
        *("isolate", *MODEL),
    },
}
"""Options that the suite sets itself."""
TOGETHER = {
    "run": ("train-splits", "tracker"),
    "evaluate": ("keep-float",),
    "latency": ("runtime", "keep-float"),
}
"""Options whose list is a single value; for others a list means one job per value."""
VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def options_of(name: str, command: click.Command) -> dict[str, click.Option]:
    """The options of a command by key: ``batch-size`` is ``--batch-size``."""
    options = [each for each in command.params if isinstance(each, click.Option)]
    keys = {max(each.opts, key=len).removeprefix("--"): each for each in options}
    return {key: option for key, option in keys.items() if key not in LEFT_OUT[name]}


def words_of(option: click.Option, key: str, value: Any) -> Sequence[str]:
    """The option with its value as on a command line."""
    values = value if isinstance(value, list) else [value]
    kinds = bool if option.is_flag else str | int | float
    if not all(isinstance(v, kinds) and isinstance(v, bool) == option.is_flag for v in values):
        wanted = "true or false" if option.is_flag else "text or a number"
        raise SegbenchError(f"{key} is {value!r}; give it {wanted}.")
    if option.is_flag:
        return option.opts[:1] if value else option.secondary_opts[:1]
    return [word for each in values for word in (f"--{key}", str(each))]


def expanded(value: Any, key: str) -> Any:
    """The value of a key, with the environment variables that its text names."""
    if value == []:
        raise SegbenchError(f"{key} is an empty list; leave it out, or give it a value.")
    if isinstance(value, list):
        return [expanded(each, key) for each in value]
    text = os.path.expandvars(value) if isinstance(value, str) else value
    if isinstance(text, str) and (left := VARIABLE.search(text)):
        raise SegbenchError(f"{key} names {left[0]}, which is not set in the environment.")
    return text
