"""The index of a results folder: a cache of its records' rows, so that thousands load fast.

``results/.index.sqlite`` is written atomically and read without a lock. It holds blocks of rows as
JSON. A row is valid while its file has the same size, times and inode.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

from segbench.errors import SegbenchError
from segbench.files import draft_of
from segbench.progress import Reporter
from segbench.text import unicode

NAME = ".index.sqlite"
MANY = 1000
"""Fewer new records are parsed each time, which is faster than writing an index."""
BLOCK = 1000
SETTLED = 2 * 10**9
"""Nanoseconds within which a changed file could change again and keep its times."""


Row = tuple[str, str, Sequence[Any]]
"""A record's name, the state of its file, and the values of its row."""


@dataclass(frozen=True)
class Index:
    """By record name: the state of its file, and the values of its row."""

    rows: Mapping[str, tuple[str, list[Any]]]

    def get(self, name: str, stamp: str | None) -> list[Any] | None:
        """The values of a record whose file is still in the state ``stamp``."""
        known, values = self.rows.get(name, (None, None))
        return values if known == stamp else None


def stamp_of(entry: "os.DirEntry[str]") -> str | None:
    """The state of a file; None if it could change again without a new state."""
    try:
        stat = entry.stat()
    except OSError:
        return None
    if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) < SETTLED:
        return None
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def read_index(results: Path) -> Index:
    """The rows; empty without an index, or if another version of segbench wrote it.

    A damaged index is removed with a warning.
    """
    path = results / NAME
    rows: dict[str, tuple[str, list[Any]]] = {}
    if not path.is_file():
        return Index(rows)
    try:
        # Immutable: the file is never changed, only replaced.
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as index:
            if index.execute("PRAGMA user_version").fetchone()[0] != _made_by():
                return Index(rows)
            for block, checksum in index.execute("SELECT * FROM blocks"):
                if crc32(block) != checksum:
                    raise ValueError("a block is not what was written")
                rows |= {name: (stamp, values) for name, stamp, values in orjson.loads(block)}
    except (sqlite3.Error, ValueError, TypeError, AttributeError):
        Reporter().say(f"Warning: {path} is damaged; the records are read instead.")
        with suppress(OSError):
            path.unlink()
        return Index({})
    return Index(rows)


def write_index(results: Path, rows: Iterable[Row]) -> None:
    """Replace the index by these rows, skipping files whose names are not Unicode.

    A folder that is not writable gets none.
    """
    named = [row for row in rows if row[0] == unicode(row[0])]
    blocks = (named[first : first + BLOCK] for first in range(0, len(named), BLOCK))
    with (
        suppress(SegbenchError, sqlite3.Error),
        draft_of(results / NAME) as draft,
        closing(sqlite3.connect(draft)) as index,
        index,
    ):
        index.execute("PRAGMA synchronous = OFF")
        index.execute(f"PRAGMA user_version = {_made_by()}")
        index.execute("CREATE TABLE blocks (rows BLOB, checksum INTEGER)")
        checked = ((rows, crc32(rows)) for rows in map(orjson.dumps, blocks))
        index.executemany("INSERT INTO blocks VALUES (?, ?)", checked)


@cache
def _made_by() -> int:
    """A number that changes with the code that makes rows from records."""
    folder = Path(__file__).parent
    device = folder.parent / "device"
    code = (*folder.glob("*.py"), *device.glob("*.py"))
    sources = [*sorted(code), folder / "record.schema.json"]
    digest = sha256(b"".join(source.read_bytes() for source in sources)).digest()
    return int.from_bytes(digest[:4], "big", signed=True)
