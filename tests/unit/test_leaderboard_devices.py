"""Which figures hold on which devices, and which devices are the same."""

from dataclasses import replace
from typing import Any

import pytest

from segbench.analysis.rank import leaderboard
from segbench.records.record import Record
from segbench_plugins.commands.leaderboard.formats import (
    as_markdown,
    as_table,
)
from tests.board import CPU, scored, timed


def test_a_device_is_the_hardware_and_not_the_word_for_it() -> None:
    assert timed(1.0, "a").device_name == "A Processor, AVX2, 2 cores"
    assert timed(1.0, "a", device="cuda").device_name == "A Card"
    assert timed(1.0, "a", device="npu").device_name == "npu"
    assert Record("latency", {"device": "cuda:1"}, {}, {}).device_name == "cuda:1"
    assert Record("latency", {}, {}, {}).device_name == "cpu, unknown extensions"


ZEN3 = CPU | {"microarchitecture": "Zen 3"}
ZEN4 = CPU | {"microarchitecture": "Zen 4", "extensions": ["AVX2", "AVX-512", "VNNI", "BF16"]}
OLD = {"cpu": "A Processor", "cores": 2}
GPU = {"gpu": "A GPU", "driver": "580.1", "power_limit_w": 72.0}


def on(origin: dict[str, Any], record: Record) -> Record:
    return replace(record, provenance=origin)


def test_a_device_is_all_that_decides_its_figures() -> None:
    latency = timed(1.0, "a")
    names = [on(origin, latency).device_name for origin in (ZEN3, ZEN4, OLD)]
    assert names == [
        "A Processor Zen 3, AVX2, 2 cores",
        "A Processor Zen 4, AVX-512, VNNI, BF16, 2 cores",
        "A Processor, unknown extensions, 2 cores",
    ]
    on_gpu = timed(1.0, "a", device="cuda")
    assert on(GPU, on_gpu).device_name == "A GPU, driver 580.1, 72 W"
    assert on(OLD | {"cores": 1}, latency).device_name.endswith("1 core")


def test_processors_of_one_name_never_share_a_table() -> None:
    latencies = [on(origin, timed(9.0, "a")) for origin in (ZEN3, ZEN4, OLD)]
    tables = leaderboard([scored(0.6, "a"), *latencies])
    assert [len(rows) for rows in tables.values()] == [1, 1, 1]
    assert {rows[0]["score"] for rows in tables.values()} == {0.6}, "FP32 is the same on all"
    assert {rows[0]["score_from"] for rows in tables.values()} == {None}


def test_an_int8_score_joins_latencies_of_the_same_kind_of_device() -> None:
    def int8(origin: dict[str, Any], score: float) -> Record:
        return on(origin, scored(score, "a", kind="evaluate", runtime="onnx-int8"))

    def latency(origin: dict[str, Any]) -> Record:
        return on(origin, timed(2.0, "a", runtime="onnx-int8"))

    four_cores = ZEN3 | {"cores": 4}
    tables = leaderboard([int8(ZEN3, 0.4), int8(ZEN4, 0.6), latency(four_cores), latency(ZEN4)])
    found = [(row["score"], row["score_from"]) for rows in tables.values() for row in rows]
    assert found == [(0.4, None), (0.6, None)]


@pytest.mark.parametrize("other", [ZEN4, OLD])
def test_an_int8_score_of_another_device_says_where_it_is_from(other: dict[str, Any]) -> None:
    score = on(other, scored(0.6, "a", kind="evaluate", runtime="onnx-int8"))
    ((row,),) = leaderboard([score, on(ZEN3, timed(2.0, "a", runtime="onnx-int8"))]).values()
    assert (row["score"], row["p50_ms"]) == (0.6, 2.0)
    assert row["score_from"] == score.device_name
    assert score.device_name in as_markdown({"t": [row]})


def test_what_two_old_machines_had_is_not_known_to_be_the_same() -> None:
    score = on(OLD, scored(0.6, "a", kind="evaluate", runtime="onnx-int8"))
    ((row,),) = leaderboard([score, on(OLD, timed(2.0, "a", runtime="onnx-int8"))]).values()
    assert row["score_from"] == "A Processor, unknown extensions, 2 cores"


def test_an_int8_score_without_a_latency_stands_with_its_own_device() -> None:
    records = [
        scored(0.7, "a"),
        on(ZEN4, scored(0.6, "a", kind="evaluate", runtime="onnx-int8")),
        on(ZEN3, timed(9.0, "a")),
        on(ZEN3, timed(9.5, "a", batch_size=2)),
    ]
    titles = [title.split(", ", 2)[2] for title in leaderboard(records)]
    assert titles == [
        "latency on A Processor Zen 3, AVX2, 2 cores",
        "scored on A Processor Zen 4, AVX-512, VNNI, BF16, 2 cores",
    ]


def test_a_runtime_says_what_it_computes_in_and_an_older_records_name_tells() -> None:
    odd = scored(0.5, "a", runtime="odd")
    assert odd.arithmetic == "fp32"
    assert on({"arithmetic": "int8"}, odd).arithmetic == "int8"
    assert scored(0.5, "a", runtime="onnx-int8-signed").arithmetic == "int8"
    assert scored(0.5, "a", runtime="eager-bf16").arithmetic == "bf16"


def test_bf16_without_instructions_for_it_is_noted() -> None:
    latency = timed(90.0, "a", runtime="eager-bf16")
    tables = leaderboard([on(origin, latency) for origin in (ZEN3, ZEN4, OLD)])
    notes = {rows[0]["device"]: rows[0]["note"] for rows in tables.values()}
    assert [bool(note) for _, note in sorted(notes.items())] == [True, False, False]
    assert "BF16 is emulated" in as_table(tables)
