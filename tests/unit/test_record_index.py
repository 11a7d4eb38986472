"""The index of a results folder changes how fast records are read, and nothing else."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas import DataFrame

from segbench.analysis.formats import as_csv, as_json
from segbench.analysis.rank import ranking
from segbench.records import frame, index
from segbench.records.frame import frame_of, read_frame
from segbench.records.record import Record, read_record, read_records, write_record

COUNT = 12
LATENCY = {"p50_ms": 3, "verdict": "INVALID", "reasons": ["a drift", "other processes"]}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few records have an index, and files are taken for settled as soon as they are written."""
    monkeypatch.setattr(frame, "MANY", 5)
    monkeypatch.setattr(index, "SETTLED", 0)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for number in range(COUNT):
        write(tmp_path, number)
    return tmp_path


def write(results: Path, number: int, score: float = 0.5) -> Path:
    config = {
        "dataset": "camvid",
        "backbone": "größe",
        "runtime": "eager",
        "height": 352,
        "width": 480,
        "seed": number,
        "keep_float": ["head"],
        "checkpoint_sha256": f"{number:064x}",
    }
    if number % 2:
        return write_record(Record("latency", config, LATENCY, {}), results)
    metrics = {"score": score, "score_name": "miou", "frames": 2**64 - 1}
    return write_record(Record("run", config, metrics, {"dirty": number > 3}), results)


def without_index(results: Path) -> DataFrame:
    return frame_of(read_records(results)[0])


def parsed(results: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were parsed to read the folder."""
    names: list[str] = []

    def counting(path: Path) -> Record:
        names.append(path.name)
        return read_record(path)

    with monkeypatch.context() as patch:
        patch.setattr(frame, "read_record", counting)
        read_frame(results)
    return names


def test_with_the_index_every_value_is_what_the_files_say(results: Path) -> None:
    expected = without_index(results)
    for _ in range(2):
        found, problems = read_frame(results)
        assert problems == []
        assert list(found.columns) == list(expected.columns)
        assert [*map(repr, found.to_numpy().ravel())] == [*map(repr, expected.to_numpy().ravel())]
    assert (results / index.NAME).is_file()


def test_only_what_is_new_or_changed_is_parsed(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(parsed(results, monkeypatch)) == COUNT
    assert parsed(results, monkeypatch) == []
    new = write(results, 100)
    changed = next((results / "run").glob("*.json"))
    times = changed.stat()
    changed.write_text(changed.read_text().replace('"seed": ', '"seed":7'))
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert changed.stat().st_size == times.st_size
    next((results / "latency").glob("*.json")).unlink()
    assert sorted(parsed(results, monkeypatch)) == sorted({new.name, changed.name})


def test_few_records_have_no_index(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path, number)
    read_frame(tmp_path)
    assert not (tmp_path / index.NAME).exists()


def test_a_file_that_has_just_changed_is_not_indexed(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "SETTLED", 10**15)
    read_frame(results)
    monkeypatch.setattr(index, "SETTLED", 0)
    assert len(parsed(results, monkeypatch)) == COUNT


def test_a_file_whose_name_is_not_unicode_is_read_each_time(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = os.fsdecode(b"20261127T000000Z-\xff.json")
    next((results / "run").glob("*.json")).rename(results / "run" / odd)
    assert len(parsed(results, monkeypatch)) == COUNT
    assert parsed(results, monkeypatch) == [odd]
    found, _ = read_frame(results)
    assert found.equals(without_index(results))
    assert odd.replace("\udcff", "?") in as_json(ranking(found))


def test_a_copied_folder_is_read_anew(results: Path, tmp_path: Path) -> None:
    read_frame(results)
    copy = tmp_path / "copy"
    shutil.copytree(results, copy, ignore=shutil.ignore_patterns("copy"))
    found, _ = read_frame(copy)
    assert list(found["path"]) == [str(path) for path in without_index(copy)["path"]]


def test_an_index_of_another_segbench_counts_for_nothing(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_frame(results)
    with sqlite3.connect(results / index.NAME) as changed:
        changed.execute("PRAGMA user_version = 7")
    assert len(parsed(results, monkeypatch)) == COUNT
    assert parsed(results, monkeypatch) == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def another_file(path: Path) -> None:
    path.write_text("no database " * 1000)


def a_better_score(path: Path) -> None:
    data = path.read_bytes()
    assert b",0.5," in data
    path.write_bytes(data.replace(b",0.5,", b",0.9,", 1))


def another_table(path: Path) -> None:
    with sqlite3.connect(path) as changed:
        changed.execute("ALTER TABLE blocks RENAME COLUMN rows TO names")
        changed.execute("UPDATE blocks SET names = 3")


@pytest.mark.parametrize("damage", [cut, another_file, a_better_score, another_table])
def test_a_damaged_index_is_named_and_made_anew(
    results: Path, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    read_frame(results)
    damage(results / index.NAME)
    found, problems = read_frame(results)
    assert problems == []
    assert found.equals(without_index(results))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{results / index.NAME} is damaged" in said.replace("\n", "")
    assert read_frame(results)[0].equals(found)
    assert capsys.readouterr().err == ""


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_whatever_byte_is_damaged_the_rows_are_those_of_the_files(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    results = tmp_path_factory.mktemp("results")
    for number in range(6):
        write(results, number)
    expected, _ = read_frame(results)
    path = results / index.NAME
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert read_frame(results)[0].equals(expected)


def test_a_folder_that_cannot_be_written_to_goes_without(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    expected = without_index(results)
    monkeypatch.setattr(Path, "replace", refuse)
    assert read_frame(results)[0].equals(expected)
    assert not (results / index.NAME).exists()
    assert not list(results.glob("*.draft"))


def test_several_may_read_and_write_at_once(results: Path) -> None:
    expected = without_index(results)

    def read(number: int) -> DataFrame:
        if number % 3 == 0:
            (results / index.NAME).unlink(missing_ok=True)
        return read_frame(results)[0]

    with ThreadPoolExecutor(8) as pool:
        assert all(found.equals(expected) for found in pool.map(read, range(24)))


CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "change", "delete", "break"]), st.integers(0, 30)),
    max_size=6,
)


@settings(deadline=None, max_examples=10)
@given(rounds=st.lists(CHANGES, min_size=1, max_size=3))
def test_no_byte_of_the_leaderboard_depends_on_the_index(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[list[tuple[str, int]]]
) -> None:
    results = tmp_path_factory.mktemp("results")
    for number in range(6):
        write(results, number)
    for changes in rounds:
        read_frame(results)
        for change, number in changes:
            files = sorted(results.glob("*/*.json"))
            path = files[number % len(files)]
            if change == "add":
                write(results, number, score=number / 40)
            elif change == "change":
                path.write_bytes(path.read_bytes().replace(b"0.5", b"0.25"))
            elif len(files) > 1:
                path.unlink() if change == "delete" else path.write_text("{")
        found, problems = read_frame(results)
        records, expected = read_records(results)
        assert problems == expected
        assert as_csv(ranking(found)) == as_csv(ranking(frame_of(records)))
