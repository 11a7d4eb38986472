"""The leaderboard of many records, beside the bare parsing of the same files.

A hundred thousand are to take at most ten seconds, and parsing is the part that cannot be avoided.
CPU time is compared, so that a busy machine does not matter; the seconds are printed. Ten thousand
are used unless SEGBENCH_RECORDS asks for more.
"""

import json
import os
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from segbench.analysis.rank import ranking
from segbench.records.frame import read_frame
from segbench.records.record import Record, write_record
from segbench_plugins.commands.leaderboard.formats import as_csv

RECORDS = int(os.environ.get("SEGBENCH_RECORDS", 10_000))
CLASSES = [f"class {number}" for number in range(19)]
PROVENANCE: dict[str, Any] = {
    "started_at": "2025-01-02T03:04:05+00:00",
    "duration_s": 600.0,
    "argv": ["segbench", "run", "--backbone", "mobilenet"],
    "commit": "0123456789abcdef",
    "dirty": False,
    "cpu": "A Processor",
    "cores": 2,
    "versions": {"segbench": "0.1.0", "torch": "2.11.0", "numpy": "2.3.0", "timm": "1.0.12"},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five thousand runs of twenty epochs and 19 classes, each with its latency."""
    folder = tmp_path_factory.mktemp("results")
    for number in range(RECORDS // 2):
        config = {
            "dataset": ("camvid", "cityscapes")[number % 2],
            "split": "test",
            "backbone": "mobilenet",
            "decoder": "bilinear",
            "weights": "imagenet",
            "runtime": "eager",
            "height": 352,
            "width": 480,
            "seed": number,
            "device": "cpu",
            "checkpoint_sha256": f"{number:064x}",
        }
        score = number / RECORDS
        epoch = {"train_loss": score, "train_miou": score, "val_loss": score, "val_miou": score}
        run = Record(
            kind="run",
            config=config,
            metrics={"score": score, "score_name": "miou", "miou": score, "parameters": number},
            per_class={name: {"iou": score, "accuracy": score} for name in CLASSES},
            curve=[{"epoch": n, **epoch} for n in range(20)],
            provenance=PROVENANCE,
        )
        latency = Record("latency", config, {"p50_ms": 12.5, "verdict": "VALID"}, PROVENANCE)
        write_record(run, folder)
        write_record(latency, folder)
    return folder


@pytest.mark.benchmark(timer=process_time)
def test_many_records(benchmark: BenchmarkFixture, results: Path) -> None:
    def ours() -> str:
        records, problems = read_frame(results)
        assert (len(records), problems) == (RECORDS, [])
        return as_csv(ranking(records))

    def parsing() -> int:
        return len([json.loads(path.read_text()) for path in results.glob("*/*.json")])

    before = process_time()
    assert parsing() == RECORDS
    bare = process_time() - before
    benchmark.pedantic(ours, rounds=2)
    best = benchmark.stats.stats.min
    benchmark.extra_info["times the bare parsing"] = round(best / bare, 2)
    print(f"\n{best:.2f} s of CPU, {best / bare:.1f} times the bare parsing")
    assert best < 3 * bare
