"""``segbench leaderboard``, from a results folder to a terminal or a file."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from pandas import DataFrame
from rich.cells import cell_len

from segbench.analysis.rank import ranking, tables_of
from segbench.analysis.select import select
from segbench.cli import main
from segbench.device import cpu_extensions
from segbench.device.cpu import cpu_model, usable_cores
from segbench.device.microarchitecture import microarchitecture
from segbench.records.frame import read_frame
from segbench.records.provenance import devices_here
from segbench.records.record import Record, write_record
from segbench_plugins.commands.leaderboard.formats import as_table

CONFIG: dict[str, Any] = {
    "dataset": "camvid",
    "split": "test",
    "backbone": "mobilenet",
    "runtime": "eager",
    "height": 352,
    "width": 480,
    "checkpoint_sha256": "ab" * 32,
}


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["leaderboard", *map(str, arguments)])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    metrics = {"score": 0.625, "score_name": "miou", "parameters": 2_500_000}
    write_record(Record("run", CONFIG, metrics, {"commit": "0123456789"}), folder)
    latency = {"p50_ms": 12.5, "fps": 80.0, "verdict": "VALID"}
    origin = {"cpu": "A Processor", "extensions": ["AVX2"], "cores": 2}
    write_record(Record("latency", CONFIG | {"device": "cpu"}, latency, origin), folder)
    return folder


def test_a_table_is_the_default_and_plain_when_it_is_no_terminal(results: Path) -> None:
    done = invoke("--results", results)
    assert done.exit_code == 0
    assert (
        "camvid test: mIoU at full label size, latency on A Processor, AVX2, 2 cores" in done.stdout
    )
    assert "0.6250" in done.stdout
    assert "12.50" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_terminal_has_colours_unless_no_color_is_set(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["leaderboard", "--results", str(results)]
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mVALID" in CliRunner().invoke(main, arguments, color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in CliRunner().invoke(main, arguments, color=True).stdout


@pytest.mark.parametrize(
    ("form", "start"),
    [("markdown", "### camvid"), ("csv", "table,rank,"), ("json", "[\n"), ("html", "<!doctype")],
)
def test_the_other_formats(results: Path, form: str, start: str) -> None:
    done = invoke("--results", results, "--format", form)
    assert done.exit_code == 0
    assert done.stdout.startswith(start)


def test_a_file_is_written_instead(results: Path, tmp_path: Path) -> None:
    output = tmp_path / "board.json"
    output.write_text("old")
    done = invoke("--results", results, "--format", "json", "--output", output)
    assert done.exit_code == 0
    assert done.stdout == f"{output}\n"
    (row,) = json.loads(output.read_text())
    assert (row["rank"], row["score"], row["p50_ms"]) == (1, 0.625, 12.5)
    assert (results / row["record"]).is_file()
    assert (results / row["latency_record"]).is_file()


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.csv", "table,rank,"), ("a.JSON", "["), ("a.md", "### "), ("a.html", "<!doctype html>")],
)
def test_the_ending_of_the_file_says_its_format(
    results: Path, tmp_path: Path, name: str, start: str
) -> None:
    def written(*options: object) -> str:
        assert invoke("--results", results, "--output", tmp_path / name, *options).exit_code == 0
        return (tmp_path / name).read_text(encoding="utf-8")

    assert written().startswith(start)
    assert written("--format", "csv").startswith("table,rank,")


@pytest.mark.parametrize("name", ["board.pdf", "board"])
def test_an_unknown_ending_is_refused(results: Path, tmp_path: Path, name: str) -> None:
    done = invoke("--results", results, "--output", tmp_path / name)
    assert done.exit_code == 1
    assert "ends in none of .csv, .json, .md, .html" in done.stderr
    assert (
        invoke("--results", results, "--output", tmp_path / name, "--format", "csv").exit_code == 0
    )


def test_columns_that_do_not_fit_the_terminal_are_left_out(results: Path) -> None:
    board = tables_of(ranking(read_frame(results)[0]))
    whole, narrow = as_table(board), as_table(board, width=60)
    assert max(map(cell_len, click.unstyle(narrow).splitlines()[1:])) <= 60
    assert "more columns in a wider terminal or --format csv" in narrow
    assert "more column" not in whole
    assert click.unstyle(narrow).splitlines()[1].split()[:3] == ["rank", "network", "runtime"]


def test_a_record_is_not_a_results_folder(results: Path) -> None:
    record = next(results.glob("run/*.json"))
    done = invoke("--results", record)
    assert done.exit_code == 1
    assert "is a file; name the folder of the records" in done.stderr


def test_a_file_that_cannot_be_written_is_named(results: Path, tmp_path: Path) -> None:
    (tmp_path / "none").write_text("a file")
    for place in ("none/board.csv", "none/deeper/board.csv"):
        done = invoke("--results", results, "--output", tmp_path / place)
        assert done.exit_code == 1
        assert f"board.csv cannot be written ({tmp_path / 'none'} is not a folder)." in done.stderr


@pytest.mark.parametrize("place", ["board.html", "results/board.html", "new/folder/board.html"])
def test_a_page_links_to_the_records_from_where_it_lies(
    results: Path, tmp_path: Path, place: str
) -> None:
    (record,) = (results / "run").glob("*.json")
    output = tmp_path / place
    done = invoke("--results", results, "--format", "html", "--output", output)
    assert (done.exit_code, done.output) == (0, f"{output}\n")
    links = re.findall(r'<a href="([^"#]+)"', output.read_text(encoding="utf-8"))
    assert record.resolve() in [(output.parent / link).resolve() for link in links]


def test_a_page_on_the_terminal_links_from_the_working_folder(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("--results", results, "--format", "html")
    assert done.stdout.startswith("<!doctype html>")
    assert 'href="results/run/' in done.stdout


def test_a_folder_with_odd_letters_is_quoted_in_links(results: Path, tmp_path: Path) -> None:
    odd = results.rename(tmp_path / "a#b c")
    invoke("--results", odd, "--format", "html", "--output", tmp_path / "board.html")
    assert 'href="a%23b%20c/run/' in (tmp_path / "board.html").read_text(encoding="utf-8")


def test_a_file_that_is_no_record_is_named_and_the_rest_is_shown(
    results: Path, tmp_path: Path
) -> None:
    (results / "run" / "odd.json").write_text("no JSON")
    done = invoke("--results", results)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Warning: ")
    assert "odd.json is not a segbench record" in done.stderr
    assert "0.6250" in done.stdout
    output = tmp_path / "board.md"
    assert invoke("--results", results, "--output", output).exit_code == 1
    assert "0.6250" in output.read_text()


def test_rows_are_chosen_and_sorted_by_their_columns(results: Path) -> None:
    faster = CONFIG | {"runtime": "onnx", "device": "cpu"}
    origin = {"cpu": "A Processor", "extensions": ["AVX2"], "cores": 2}
    for kind, metrics in (
        ("evaluate", {"score": 0.6, "score_name": "miou"}),
        ("latency", {"p50_ms": 4.5, "verdict": "VALID", "reasons": []}),
    ):
        write_record(Record(kind, faster, metrics, origin), results)

    def shown(*arguments: str) -> list[str]:
        done = invoke("--results", results, "--format", "json", *arguments)
        assert done.exit_code == 0, done.output
        return [row["runtime"] for row in json.loads(done.stdout)]

    assert shown() == ["eager", "onnx"]
    assert shown("--sort", "p50") == ["onnx", "eager"]
    assert shown("--max-ms", "10", "--min-score", "0.5") == ["onnx"]
    assert shown("--where", "runtime=onnx", "--where", "height>=352") == ["onnx"]
    nothing = invoke("--results", results, "--where", "network=none", "--where", "height>=352")
    assert "No row fits" in nothing.stderr
    assert sorted(shown("--sort", "reasons")) == ["eager", "onnx"]
    assert shown("--pareto") == ["onnx", "eager"][::-1]
    assert shown("--best") == ["eager"]
    assert shown("--best", "--sort", "p50 ms") == ["onnx"]


def test_rows_without_a_word_to_sort_by_are_last() -> None:
    rows = DataFrame({"table": ["a"] * 3, "decoder": [None, "wide", "bilinear"]})
    found = select(rows, sort="decoder")["decoder"].fillna("")
    assert found.tolist() == ["bilinear", "wide", ""]


def test_the_most_accurate_network_in_time_on_this_machine(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--format", "json", "--here", "--where", "runtime=eager", "--where", "width=480")
    asked = (*arguments, "--max-ms", "20", "--min-score", "0.6", "--best")
    assert "No row fits" in invoke("--results", results, *asked).stderr
    origin = {
        "cpu": cpu_model(),
        "microarchitecture": microarchitecture(),
        "extensions": list(cpu_extensions()),
        "cores": usable_cores(),
    }
    for ms, checkpoint, score in ((15.0, "cd", 0.7), (12.0, "ef", 0.65), (25.0, "01", 0.9)):
        config = CONFIG | {"checkpoint_sha256": checkpoint * 32, "device": "cpu"}
        write_record(Record("run", config, {"score": score, "score_name": "miou"}, {}), results)
        timed = {"p50_ms": ms, "verdict": "VALID"}
        write_record(Record("latency", config, timed, origin), results)
    (row,) = json.loads(invoke("--results", results, *asked).stdout)
    assert (row["score"], row["p50_ms"]) == (0.7, 15.0)
    assert row["device"] in devices_here()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sort", "p5"), "Did you mean 'p50'?"),
        (("--where", "runtme=onnx"), "Did you mean 'runtime'?"),
        (("--where", "runtime"), "COLUMN=VALUE"),
        (("--where", "runtime<onnx"), "compares numbers"),
        (("--min-score", "0.9"), "No row"),
    ],
)
def test_a_selection_that_cannot_be_made_says_why(
    results: Path, arguments: tuple[str, str], said: str
) -> None:
    done = invoke("--results", results, *arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert said in done.stderr


@pytest.mark.parametrize("exists", [False, True])
def test_without_records_it_says_how_to_make_one(tmp_path: Path, exists: bool) -> None:
    if exists:
        (tmp_path / "results").mkdir()
    done = invoke("--results", tmp_path / "results")
    assert done.exit_code == 1
    assert "There is no record in" in done.stderr
    assert "segbench run --backbone mobilenet --dataset streets" in done.stderr


def test_a_failure_leaves_an_existing_output_alone(tmp_path: Path) -> None:
    output = tmp_path / "board.csv"
    output.write_text("old")
    assert invoke("--results", tmp_path, "--output", output).exit_code == 1
    assert output.read_text() == "old"


@pytest.mark.parametrize("form", ["table", "html"])
def test_torch_is_not_imported(results: Path, form: str) -> None:
    code = (
        "import sys\n"
        "from segbench.cli import main\n"
        f"main(['leaderboard', '--results', {str(results)!r}, '--format', {form!r}],"
        " standalone_mode=False)\n"
        "print(sorted({'torch', 'timm', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
