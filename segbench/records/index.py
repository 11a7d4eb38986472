"""The index of a results folder: the rows of its records, so that thousands need no parsing again.

``results/.index.sqlite`` is written whole or not at all, and read without a lock. It holds blocks
of rows as JSON. The records' files decide: a row counts while its file has the size, times and
inode that it was read with.
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
"""Fewer new records are read again each time, which is faster than writing an index."""
BLOCK = 1000
SETTLED = 2 * 10**9
"""A file that changed so few nanoseconds ago could change again and keep its times."""


Row = tuple[str, str, Sequence[Any]]
"""A record's name, the state of its file, and the values of its row."""


@dataclass(frozen=True)
class Index:
    """By a record's name the state of its file, and the values of its row."""

    rows: Mapping[str, tuple[str, list[Any]]]

    def get(self, name: str, stamp: str | None) -> list[Any] | None:
        """The values of a record whose file is still in the state ``stamp``."""
        known, values = self.rows.get(name, (None, None))
        return values if known == stamp else None


def stamp_of(entry: "os.DirEntry[str]") -> str | None:
    """The state of a file; None where it could change again without another one."""
    try:
        stat = entry.stat()
    except OSError:
        return None
    if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) < SETTLED:
        return None
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def read_index(results: Path) -> Index:
    """What is there; nothing where there is no index, or another version of segbench wrote it.

    A damaged one is removed with a line that says so.
    """
    path = results / NAME
    rows: dict[str, tuple[str, list[Any]]] = {}
    if not path.is_file():
        return Index(rows)
    try:
        # Immutable: nobody changes the file, it is replaced.
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
    """Replace the index by these rows, without those of files whose names are not Unicode.

    A folder that cannot be written to goes without.
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
    """Another number for each version of the code that makes a row of a record."""
    folder = Path(__file__).parent
    sources = [*sorted(folder.glob("*.py")), folder / "record.schema.json"]
    digest = sha256(b"".join(source.read_bytes() for source in sources)).digest()
    return int.from_bytes(digest[:4], "big", signed=True)
