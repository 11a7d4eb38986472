"""Find an encoder's tensors in saved files: inside wrappers and under prefixes."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    State = Mapping[str, Tensor]

WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "weights",
    "params",
    "ema",
    "model_ema",
    "state_dict_ema",
    "ema_state_dict",
    "backbone",
    "encoder",
)
"""Keys under which training scripts save a state dict, in order of preference."""

PREFIXES = frozenset(
    ("module", "_orig_mod", "model", "net", "network", "backbone", "encoder", "base", "ema")
)
"""Prefixes that wrapper modules add to keys, in any sequence."""

SHOWN = 3


def unwrap(content: object) -> "tuple[State | None, tuple[str, ...]]":
    """The state dict in a torch file's content and the keys that lead to it.

    A state dict has at least one entry and maps strings to tensors; (None, ()) if there is none.
    """
    import torch

    if not isinstance(content, Mapping) or not content:
        return None, ()
    if all(isinstance(k, str) and torch.is_tensor(v) for k, v in content.items()):
        return content, ()
    for wrapper in WRAPPERS:
        state, path = unwrap(content.get(wrapper))
        if state is not None:
            return state, (wrapper, *path)
    return None, ()


def strip_prefix(state: "State", fits: "Callable[[State], int]") -> "tuple[State, str]":
    """The part of ``state`` under the best-fitting prefix, and that prefix.

    ``fits`` counts the matching keys of a state dict without its prefix; "" wins a tie.
    """

    def under(prefix: str) -> "State":
        return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

    prefixes = sorted({"", *(p for key in state for p in _prefixes(key))}, key=len)
    best = max(prefixes, key=lambda prefix: fits(under(prefix)))
    return under(best), best


def describe_mismatch(missing: list[str], unused: list[str]) -> str:
    """The first missing keys and the most similar keys in the file."""
    wanted = missing[:SHOWN]
    near = [match for key in wanted for match in get_close_matches(key, unused, n=1, cutoff=0)]
    found = f"the nearest in the file are {_quoted(near)}" if near else "the file has no other keys"
    return f"expected {_quoted(wanted)}; {found}"


def quantised_key(state: "State", wanted: "State") -> str | None:
    """The first key with an integer or 8-bit tensor where ``wanted`` has floating point."""
    for key, tensor in state.items():
        if key in wanted and wanted[key].is_floating_point():
            wide = tensor.is_floating_point() and tensor.element_size() > 1
            if not wide:
                return key
    return None


def safe_types() -> list[Any]:
    """Plain types saved beside weights that are safe to load."""
    import argparse

    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    numbers = (np.float64, np.float32, np.int64, np.int32, np.bool_)
    return [argparse.Namespace, scalar, np.dtype, *(type(np.dtype(t)) for t in numbers)]


def _prefixes(key: str) -> list[str]:
    """``module.model.conv.weight`` may have the prefixes ``module.`` and ``module.model.``."""
    found, parts = [], key.split(".")[:-1]
    for count, part in enumerate(parts, start=1):
        if part not in PREFIXES:
            break
        found.append(".".join(parts[:count]) + ".")
    return found


def _quoted(keys: list[str]) -> str:
    return ", ".join(map(repr, dict.fromkeys(keys)))
