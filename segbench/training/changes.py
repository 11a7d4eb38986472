"""Differences between the options of a resumed training and the original ones."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from segbench.types import Recipe

OPTIONS = {
    "force",
    "resume",
    "backbone",
    "batch_size",
    "class_weight_offset",
    "class_weights",
    "crop",
    "dataset",
    "decoder",
    "device",
    "ema",
    "encoder_lr_scale",
    "epochs",
    "label_scale",
    "limit",
    "lovasz",
    "lr",
    "network",
    "optimizer",
    "patience",
    "precision",
    "recipe",
    "seed",
    "size",
    "train_splits",
    "weights",
}
"""Settings that ``segbench run`` has an option for."""
OF_RECIPES = {field.name for field in fields(Recipe)}
"""Settings that another recipe changes with it."""

WAS_NOW = "{name} was {old}, now {new}"


def changes(before: Mapping[str, Any], now: Mapping[str, Any], form: str = WAS_NOW) -> list[str]:
    """``--lr was 0.002, now 0.5`` for each setting that differs between two configurations.

    ``form`` is the format of a difference. Another recipe hides the settings that it changes.
    """
    old, new = _settings(before), _settings(now)
    differ = [name for name in sorted(new) if old.get(name) != new[name]]
    if "recipe" in differ:
        differ = [name for name in differ if name not in OF_RECIPES]
    return [_sentence(name, old.get(name), new[name], form) for name in differ]


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    settings = {**config, **config.get("training", {})}
    settings.pop("training", None)
    if "height" in settings:
        settings["size"] = f"{settings.pop('height')}x{settings.pop('width')}"
    return settings


def _sentence(name: str, old: Any, new: Any, form: str) -> str:
    if name == "data":
        return "the frames of the dataset differ"
    option = f"--{name.replace('_', '-')}" if name in OPTIONS else name.replace("_", " ")
    return form.format(name=option, old=_text(old), new=_text(new))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "not set" if value is None else str(value)
