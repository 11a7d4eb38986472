"""A record survives the way to the disk and back, and whatever else lies there does no harm."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segbench.errors import RecordError, SegbenchError
from segbench.records.arrays import read_arrays
from segbench.records.record import (
    Record,
    config_hash,
    find_record,
    read_record,
    read_records,
    record_files,
    write_record,
)
from segbench.records.schema import problem

SCHEMA = json.loads(files("segbench.records").joinpath("record.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CONFIG: dict[str, Any] = {
    "dataset": "camvid",
    "split": "test",
    "backbone": "mobilenet",
    "decoder": "bilinear",
    "weights": "imagenet",
    "recipe": "modern",
    "runtime": "eager",
    "precision": "fp32",
    "height": 352,
    "width": 480,
    "batch_size": 8,
    "epochs": 3,
    "label_scale": 1,
    "limit": None,
    "seed": 0,
    "device": "cpu",
    "checkpoint_sha256": "ab" * 32,
}
RECORD = Record(
    kind="run",
    config=CONFIG,
    metrics={"score": 0.625, "score_name": "miou", "frames": 233, "parameters": 7},
    per_class={"road": {"iou": 0.5, "accuracy": None}},
    curve=({"epoch": 1, "val_miou": 0.25},),
    official={"classScores": {"road": 0.5}},
    provenance={"started_at": "2025-01-02T03:04:05+00:00", "argv": ["segbench", "run"]},
)


def as_json(**changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "run",
        "config_hash": RECORD.config_hash,
        "config": CONFIG,
        "metrics": dict(RECORD.metrics),
        "per_class": {},
        "curve": [],
        "official": None,
        "provenance": dict(RECORD.provenance),
    } | changes


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    arrays = {"confusion": np.arange(8).reshape(2, 2, 2), "frames": ["a", "b"]}

    path = write_record(RECORD, tmp_path, arrays)

    back = read_record(path)
    assert back.path == path
    for name in ("schema", "kind", "config", "metrics", "per_class", "official", "provenance"):
        assert getattr(back, name) == getattr(RECORD, name)
    assert back.curve == list(RECORD.curve)
    assert back.config_hash == RECORD.config_hash
    read = read_arrays(path)
    np.testing.assert_array_equal(read["confusion"], arrays["confusion"])
    assert read["frames"].tolist() == ["a", "b"]


def test_a_written_record_fits_the_published_schema(tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(json.loads(write_record(RECORD, tmp_path).read_text("utf-8")))


def test_files_are_named_by_kind_time_and_configuration(tmp_path: Path) -> None:
    path = write_record(RECORD, tmp_path)

    assert path.parent == tmp_path / "run"
    stamp, digest = path.stem.split("-")
    assert len(stamp) == len("20250102T030405Z")
    assert digest == RECORD.config_hash
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_records_written_at_once_never_overwrite_one_another(tmp_path: Path) -> None:
    def write(number: int) -> Path:
        record = Record("run", CONFIG, {"score": number / 16}, {})
        return write_record(record, tmp_path, {"number": np.array(number)})

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(write, range(16)))

    assert len(set(paths)) == 16
    for number, path in enumerate(paths):
        assert read_record(path).metrics["score"] == number / 16
        assert read_arrays(path)["number"] == number
    assert {p.suffix for p in (tmp_path / "run").iterdir()} == {".json", ".npz"}


def test_records_of_one_second_are_in_the_order_of_their_writing(tmp_path: Path) -> None:
    paths = [write_record(RECORD, tmp_path) for _ in range(12)]
    stamp = min(path.stem.split("-")[0] for path in paths)
    for number, path in enumerate(paths):
        after = f"-{number + 1}" if number else ""
        path.rename(path.with_name(f"{stamp}-{RECORD.config_hash}{after}.json"))
    names = [name for name, _ in record_files(tmp_path)]
    assert names == [
        f"run/{stamp}-{RECORD.config_hash}{after}.json"
        for after in ("", *(f"-{number}" for number in range(2, 13)))
    ]
    newest = find_record(tmp_path, "run", RECORD.config_hash)
    assert newest is not None
    assert newest.name.endswith("-12.json")


def test_a_number_that_is_not_finite_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="run record cannot be written"):
        write_record(Record("run", CONFIG, {"score": float("nan")}, {}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_record_that_cannot_be_written_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").write_text("no folder")
    with pytest.raises(SegbenchError, match="is not a folder"):
        write_record(RECORD, tmp_path / "results")
    assert json.loads(capsys.readouterr().out)["metrics"] == RECORD.metrics


def test_once_the_record_of_a_configuration_is_the_only_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: write_record(RECORD, tmp_path, once=True), range(8)))
    assert len(paths) == 1
    assert list((tmp_path / "run").iterdir()) == list(paths)


def test_a_file_name_that_is_no_unicode_stays_readable(tmp_path: Path) -> None:
    argv = os.fsdecode(b"photo-\xff.png")
    record = Record("run", CONFIG, {}, {"argv": [argv]})
    assert read_record(write_record(record, tmp_path)).provenance["argv"] == ["photo-?.png"]


@pytest.mark.parametrize(
    "odd", ["1e999", "-1e999", '"\\ud800"', "[" * 5000 + "]" * 5000, "9" * 400]
)
@pytest.mark.parametrize("section", ["metrics", "per_class", "provenance"])
def test_one_odd_record_never_hides_the_others(tmp_path: Path, odd: str, section: str) -> None:
    write_record(RECORD, tmp_path)
    text = json.dumps(as_json(**{section: as_json()[section] | {"far": {"deep": ["ODD"]}}}))
    (tmp_path / "run" / "odd.json").write_text(text.replace('"ODD"', odd))
    os.mkfifo(tmp_path / "run" / "pipe.json")
    records, problems = read_records(tmp_path)
    assert len(records) == 1
    assert all(name in problem for name, problem in zip(("odd", "pipe"), problems, strict=True))


def test_a_run_is_found_again_before_its_checkpoint_is_known(tmp_path: Path) -> None:
    asked = {k: v for k, v in CONFIG.items() if k != "checkpoint_sha256"} | {"device": "cuda"}

    assert find_record(tmp_path, "run", config_hash(asked)) is None
    first = write_record(RECORD, tmp_path)
    assert find_record(tmp_path, "run", config_hash(asked)) == first
    assert find_record(tmp_path, "run", config_hash(asked | {"seed": 1})) is None
    assert find_record(tmp_path, "evaluate", config_hash(asked)) is None


def test_a_checkpoint_is_what_an_evaluation_is_asked_about() -> None:
    other = CONFIG | {"checkpoint_sha256": "cd" * 32}
    assert config_hash(CONFIG) == config_hash(other)
    assert config_hash(CONFIG, "evaluate") != config_hash(other, "evaluate")
    assert config_hash(CONFIG, "latency") != config_hash(CONFIG | {"device": "cuda"}, "latency")
    assert config_hash(CONFIG | {"session": "a"}, "latency") == config_hash(CONFIG, "latency")


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5)))
def test_the_hash_does_not_depend_on_order_or_on_fields_without_a_value(
    config: dict[str, Any],
) -> None:
    backwards = dict(reversed(config.items())) | {"a field of the future": None}
    assert config_hash(backwards) == config_hash(config)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ("{}", "schema is missing"),
        ('{"score": NaN}', "it is not JSON"),
        (json.dumps(as_json(schema=2)), "its schema 2 is newer than 1: update segbench"),
        (json.dumps(as_json(kind="lap")), "its kind is 'lap'"),
        (json.dumps(as_json(config=[])), "config has the wrong type"),
        (json.dumps(as_json(config={"backbone": "b"})), "config.runtime is missing"),
        (
            json.dumps(as_json(metrics={"score": "high"})),
            "metrics.score has the wrong type: 'high'",
        ),
        (json.dumps(as_json(metrics={"frames": True})), "metrics.frames has the wrong type: True"),
        (json.dumps(as_json()).replace("0.625", "1e999"), "it is not JSON"),
        (json.dumps(as_json()).replace("0.625", "1e200"), "metrics.score is out of range"),
        (json.dumps(as_json(metrics={"p50_ms": 1e200})), "metrics.p50_ms is out of range: 1e+200"),
        (json.dumps(as_json(metrics={"p50_ms": -1})), "metrics.p50_ms is out of range: -1"),
        (
            json.dumps(as_json(config_hash="x")),
            "config_hash is 'x', which does not match the schema",
        ),
    ],
)
def test_a_file_that_is_no_record_is_named_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(RecordError) as caught:
        read_record(path)
    assert str(path) in caught.value.message
    assert reason in caught.value.message
    assert "\n" not in caught.value.message


def test_bytes_that_are_no_text_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="it is not JSON"):
        read_record(tmp_path / "odd.json")
    with pytest.raises(RecordError, match="it cannot be read: No such file"):
        read_record(tmp_path / "none.json")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
CHANGES = st.sampled_from(
    [("metrics", name) for name in SCHEMA["properties"]["metrics"]["properties"]]
    + [("config", name) for name in SCHEMA["properties"]["config"]["properties"]]
    + [("provenance", name) for name in SCHEMA["properties"]["provenance"]["properties"]]
)


@settings(deadline=None)
@given(CHANGES, JSON_VALUES)
def test_the_loader_takes_what_the_schema_takes(change: tuple[str, str], value: Any) -> None:
    section, name = change
    data = as_json()
    data[section] = data[section] | {name: value}
    assert (problem(data) is None) == VALIDATOR.is_valid(data)


@pytest.mark.parametrize("kind", ["run", "external"])
def test_only_another_system_has_no_size(kind: str) -> None:
    config = {name: value for name, value in CONFIG.items() if name != "height"}
    data = as_json(kind=kind, config=config)
    assert (problem(data) is None) == VALIDATOR.is_valid(data) == (kind == "external")


def test_what_is_no_record_is_reported_and_the_rest_is_read_oldest_first(tmp_path: Path) -> None:
    for name, seed in (("20250102T000000Z-b", 2), ("20250101T000000Z-a", 1)):
        folder = tmp_path / ("run" if seed == 2 else "evaluate")
        folder.mkdir()
        data = as_json(kind=folder.name, config=CONFIG | {"seed": seed})
        (folder / f"{name}.json").write_text(json.dumps(data))
    (tmp_path / "run" / "broken.json").write_text("{")
    (tmp_path / "run" / "half.part").write_text("{")
    (tmp_path / "README.md").write_text("# Results")
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thing.json").write_text("{}")

    records, problems = read_records(tmp_path)

    assert [record.config["seed"] for record in records] == [1, 2]
    assert len(problems) == 1
    assert "broken.json is not a segbench record" in problems[0]


def test_a_results_folder_that_is_not_there_holds_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none") == ([], [])


def test_arrays_that_are_missing_or_damaged_are_said(tmp_path: Path) -> None:
    path = write_record(RECORD, tmp_path, {"samples_ms": np.ones(3)})
    whole = path.with_suffix(".npz").read_bytes()
    for damaged in (whole[:40], b"", b"text", np.array([{}], dtype=object).dumps()):
        path.with_suffix(".npz").write_bytes(damaged)
        with pytest.raises(RecordError, match=r"The arrays .* cannot be read"):
            read_arrays(path)
    path.with_suffix(".npz").unlink()
    with pytest.raises(RecordError, match=r"The arrays .* cannot be read"):
        read_arrays(path)


def test_older_names_of_recipe_and_decoder_are_read(tmp_path: Path) -> None:
    today = CONFIG | {"recipe": "original", "decoder": "transposed"}
    older = CONFIG | {"recipe": "seed", "decoder": "seed"}
    path = tmp_path / "older.json"
    path.write_text(json.dumps(as_json(config=older)), encoding="utf-8")
    assert read_record(path).config == today
    assert config_hash(today) == config_hash(older) != config_hash(CONFIG)
