"""Where a record comes from, as a list of terms in a page."""

import os
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from segbench.records.facts import device_name, record_name
from segbench.records.record import Record
from segbench.text import safe


def provenance_list(record: Record, title: str, results: str) -> str:
    """A heading and a ``<dl>``; ``results`` is the URL of the records' folder."""
    origin, config = record.provenance, record.config
    facts = {
        "date": origin.get("started_at"),
        "command": shlex.join(map(str, origin.get("argv") or ())),
        "commit": _commit(origin),
        "device": device_name(record),
        "engine": origin.get("engine"),
        "driver": origin.get("driver"),
        "CUDA": origin.get("cuda"),
        "system": origin.get("os"),
        "Python": origin.get("python"),
        "environment": _pairs(origin.get("environment")),
        "versions": _pairs(origin.get("versions")),
        "plugins": _pairs(origin.get("plugins")),
        "weights": config.get("weights"),
        "checkpoint": config.get("checkpoint_sha256"),
        "recipe": config.get("recipe"),
        "epochs": config.get("epochs"),
        "batch size": config.get("batch_size"),
        "crop": config.get("crop"),
        "precision": config.get("precision"),
        "seed": config.get("seed"),
        "data": config.get("data"),
    }
    terms = "".join(
        f"<dt>{name}</dt><dd>{safe(str(fact))}</dd>"
        for name, fact in facts.items()
        if fact not in (None, "")
    )
    return f"<div><h4>{title}</h4><dl>{_file(record, results)}{terms}</dl></div>"


def _file(record: Record, results: str) -> str:
    name = record_name(record)
    if name is None:
        return ""
    url = safe(f"{results}/{quote(os.fsencode(name))}")
    return f'<dt>record</dt><dd><a href="{url}">{safe(name)}</a></dd>'


def _commit(origin: Mapping[str, Any]) -> str:
    dirty = ", dirty: source files differed from it" if origin.get("dirty") else ""
    return (origin.get("commit") or "unknown") + dirty


def _pairs(versions: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {version or 'unknown'}" for name, version in (versions or {}).items())
