"""Experiment trackers without a server: what they write into a folder, and what it holds."""

import struct
from pathlib import Path
from typing import Any

import pytest

BLOCK, HEADER = 32768, 7
FULL, LAST = 1, 4


def offline_trackers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tracker writes into ``folder``, which is the current one."""
    monkeypatch.chdir(folder)
    settings = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "WANDB_MODE": "offline",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def wandb_records(file: Path) -> list[Any]:
    """The messages in the file of an offline run, in order: a log of LevelDB after 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, position, message, records = file.read_bytes(), HEADER, b"", []
    while position + HEADER <= len(data):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, position + 4)
        message += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (FULL, LAST):
            records.append(Record.FromString(message))
            message = b""
    return records
