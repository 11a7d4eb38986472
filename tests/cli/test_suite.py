"""``segbench suite`` on tiny networks: what it does, what it leaves, what it refuses."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import nn

from segbench.cli import main
from segbench.errors import SegbenchError
from segbench.inference.checkpoint import BEST
from segbench.jobs import latency_record
from segbench.jobs.evaluate import EvaluateOptions
from segbench.jobs.latency import Outcome
from segbench.jobs.latency import latency as measure
from segbench.jobs.latency_options import LatencyOptions
from segbench.latency import checks
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import Record, read_record
from segbench.types import Network, Peak, Runtime, Session, Setup, Tracker
from segbench_plugins.commands.evaluate import evaluate
from segbench_plugins.commands.latency import latency
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.commands.run import run
from segbench_plugins.commands.suite.context import Context
from segbench_plugins.commands.suite.file import Suite, read_suite
from segbench_plugins.commands.suite.jobs import timing
from segbench_plugins.commands.suite.jobs.evaluation import Evaluation
from segbench_plugins.commands.suite.jobs.training import Training
from segbench_plugins.commands.suite.jobs.writing import exporting
from segbench_plugins.commands.suite.resources import Resources
from segbench_plugins.commands.suite.subject import Subject
from segbench_plugins.commands.suite.work import Row, work
from segbench_plugins.runtimes.pytorch import peak as pytorch
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import tiny_backbone, tiny_dataset, write_tiny

ROOT = Path(__file__).parents[2]
COMMANDS = {"run": run, "evaluate": evaluate, "latency": latency}
EAGER, *_ = segbench_runtimes()
TOP = """
results = "results"
data-root = "data"
device = "cpu"
runtime = ["eager", "again"]
[run]
dataset = "tiny"
weights = "none"
epochs = 1
[latency]
min-seconds = 0.05
"""
PUBLISHED = """
[[checkpoint]]
network = "small"
weights = "small.safetensors"
dataset = "tiny"
"""
TINY = TOP + '[[train]]\nbackbone = "tiny"\n'


def broken(model: Any, setup: Setup) -> Session:
    raise SegbenchError("The engine is broken; repair it.")


def bug(model: Any, setup: Setup) -> Session:
    raise ValueError("no such kernel")


def stopped(model: Any, setup: Setup) -> Session:
    raise KeyboardInterrupt


RUNTIMES = {"again": EAGER.open, "broken": broken, "bug": bug, "stopped": stopped}
SMALL = Network(
    name="small",
    summary="one convolution",
    build=lambda classes, convention: nn.Conv2d(3, classes, 1),
)
REGISTRY = Registry.of(
    [tiny_backbone()],
    [tiny_dataset()],
    [EAGER, *(Runtime(name, "A stand-in", opened) for name, opened in RUNTIMES.items())],
    networks=[SMALL, replace(SMALL, name="half", pretrained_part="backbone")],
    trackers=[Tracker(name, "A stand-in", start=print) for name in ("here", "there")],
    commands=segbench_commands(),
)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def steady_machine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Latencies of this process, VALID but for the doubts in the list."""
    doubts: list[str] = []
    monkeypatch.setattr(pytorch, "torch_peak", lambda dtype, setup: Peak("FP32", 4, 1e15))
    monkeypatch.setattr(checks, "copy_rate", lambda device: 1e15)
    monkeypatch.setattr(latency_record, "doubts", lambda measured, network: list(doubts))

    def here(work: Callable[..., Outcome], options: LatencyOptions, *words: str) -> Outcome:
        return measure(options, REGISTRY, Reporter(quiet=True))

    monkeypatch.setattr(timing, "in_own_process", here)
    return doubts


def suite(text: str, *more: str) -> Result:
    Path("suite.toml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(main, ["suite", "suite.toml", *more], obj=REGISTRY)


def read(text: str) -> Suite:
    Path("suite.toml").write_text(text, encoding="utf-8")
    return read_suite(Path("suite.toml"), COMMANDS, REGISTRY)


def rows(text: str, rehearsal: bool = False) -> list[Row]:
    asked = read(text)
    return list(work(asked, Context(asked.results, REGISTRY, Reporter(quiet=True)), rehearsal))


def states(text: str, rehearsal: bool = False) -> list[tuple[str, str]]:
    return [(row.job, row.state) for row in rows(text, rehearsal)]


def records(kind: str) -> list[Record]:
    return [read_record(path) for path in sorted(Path("results", kind).glob("*.json"))]


def options_of(text: str) -> list[Any]:
    return [e.source.options for e in read(text).entries if isinstance(e.source, Training)]


def test_a_suite_trains_scores_times_and_makes_pages() -> None:
    result = suite('page = "page.html"\nreports = "reports"\n' + TINY)
    assert result.exit_code == 0, result.output
    (trained,) = records("run")
    (scored,) = records("evaluate")
    assert scored.config["runtime"] == "again"
    assert scored.config["checkpoint_sha256"] == trained.config["checkpoint_sha256"]
    assert {each.config["runtime"] for each in records("latency")} == {"eager", "again"}
    assert Path("page.html").is_file()
    assert trained.path is not None
    assert [path.stem for path in Path("reports").iterdir()] == [trained.path.stem]
    assert scored.provenance["argv"][:2] == ["segbench", "evaluate"]


def test_a_training_reports_to_all_its_trackers() -> None:
    (asked,) = options_of(TINY + 'tracker = ["here", "there"]\n')
    assert asked.trackers == ("here", "there")
    with pytest.raises(SegbenchError, match="'here'"):
        options_of(TINY + 'tracker = "her"\n')


def test_a_rerun_does_nothing() -> None:
    text = 'page = "page.html"\nreports = "reports"\n' + TINY
    assert suite(text).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("results").rglob("*.json")}
    assert {state for _, state in states(text)} == {"exists"}
    assert {path: path.stat().st_mtime_ns for path in Path("results").rglob("*.json")} == before


def test_a_dry_run_only_shows_what_is_missing_and_about_how_long() -> None:
    missing = rows(TINY, rehearsal=True)
    assert [(row.job, row.state) for row in missing] == [
        ("train", "missing"),
        ("evaluate eager", "missing"),
        ("evaluate again", "missing"),
        ("latency", "missing"),
    ]
    assert {row.seconds for row in missing} == {None}
    assert suite(TINY, "--dry-run").exit_code == 0
    assert not Path("results").exists()
    assert suite(TINY).exit_code == 0
    assert {state for _, state in states(TINY, rehearsal=True)} == {"exists"}
    other = rows(TINY + "epochs = 2\n", rehearsal=True)
    (first,) = records("run")
    assert other[0].seconds == pytest.approx(2 * first.curve[0]["seconds"])
    timed = records("latency")[0].provenance["duration_s"]
    assert other[-1].seconds == pytest.approx(timed, abs=1)


@pytest.mark.parametrize(
    ("runtime", "said"), [("broken", "repair it"), ("bug", "ValueError: no such kernel")]
)
def test_what_fails_is_a_row_and_stops_nothing_else(runtime: str, said: str) -> None:
    text = TINY.replace('"again"', f'"{runtime}"') + '[[train]]\nbackbone = "tiny"\nseed = 1\n'
    result = suite(text + 'name = "other"\n')
    assert result.exit_code == 1
    assert said in result.output
    assert "4 of 8 jobs failed" in result.output
    assert len(records("run")) == 2
    assert {each.config["runtime"] for each in records("latency")} == {"eager"}


def test_a_training_that_fails_costs_its_own_entry_only() -> None:
    Path("began").mkdir()
    Path("began/state.pt").write_bytes(b"damaged")
    text = TINY + 'output = "began"\n[[train]]\nbackbone = "tiny"\nname = "other"\n'
    done = rows(text)
    assert [(row.entry, row.job, row.state) for row in done[:2]] == [
        ("tiny", "train", "failed"),
        ("other", "train", "done"),
    ]


def test_an_interrupt_keeps_what_is_done_and_the_rerun_goes_on() -> None:
    result = suite(TINY.replace('"again"', '"stopped"'))
    assert result.exit_code == 1
    assert "run the same command to continue" in result.output
    assert len(records("run")) == 1
    assert states(TINY) == [
        ("train", "exists"),
        ("evaluate eager", "exists"),
        ("evaluate again", "done"),
        ("latency", "done"),
    ]


def test_an_invalid_latency_is_measured_again_with_the_first_runtime(
    steady_machine: list[str],
) -> None:
    assert suite(TINY.replace(', "again"', "")).exit_code == 0
    steady_machine.append("the machine was busy")
    assert "again" in rows(TINY)[-1].detail
    assert "INVALID" in rows(TINY)[-1].detail
    steady_machine.clear()
    assert rows(TINY)[-1].state == "done"
    again = [each for each in records("latency") if each.config["runtime"] == "again"]
    (valid,) = [each for each in again if each.metrics["verdict"] == "VALID"]
    assert valid.metrics["baseline"] == "eager"
    assert rows(TINY)[-1].state == "exists"


def test_a_checkpoint_that_exists_is_scored_and_timed() -> None:
    assert suite(TINY + 'output = "there"\n').exit_code == 0
    found = (
        TOP + '[[checkpoint]]\npath = "there"\nevaluate.limit = 1\nlatency.batch-size = [1, 2]\n'
    )
    assert states(found) == [
        ("evaluate eager", "done"),
        ("evaluate again", "done"),
        ("latency batch-size 1", "exists"),
        ("latency batch-size 2", "done"),
    ]


def test_a_checkpoint_is_trained_further_by_its_own_network_and_weights() -> None:
    assert suite(TINY + 'output = "there"\n').exit_code == 0
    further = TOP + '[[train]]\nname = "further"\ncheckpoint = "there"\nlr = 1e-4\n'
    (options,) = options_of(further)
    assert (options.fine_tune, options.weights) == (True, str(Path("there", BEST)))
    assert states(further)[0] == ("train", "done")
    record = records("run")[-1]
    assert (record.config["backbone"], record.config["fine_tune"]) == ("tiny", True)
    assert states(further)[0] == ("train", "exists")


def test_published_weights_are_scored_and_timed_as_by_the_commands() -> None:
    save_file(nn.Conv2d(3, 11, 1).state_dict(), "small.safetensors")
    text = 'reports = "reports"\n' + TOP + PUBLISHED
    assert states(text) == [
        ("evaluate eager", "done"),
        ("evaluate again", "done"),
        ("latency", "done"),
        ("report", "done"),
    ]
    scored = records("evaluate")[0]
    options = ["--network", "small", "--weights", "small.safetensors", "--data-root", "data"]
    command = ["evaluate", *options, "--dataset", "tiny", "--device", "cpu", "--results", "other"]
    assert CliRunner().invoke(main, command, obj=REGISTRY).exit_code == 0
    (alone,) = (read_record(path) for path in Path("other/evaluate").glob("*.json"))
    assert (alone.config, alone.metrics) == (scored.config, scored.metrics)
    assert {each.config["checkpoint_sha256"] for each in records("latency")} == {
        scored.config["checkpoint_sha256"]
    }
    assert {state for _, state in states(text)} == {"exists"}


def test_a_record_without_its_checkpoint_is_a_failure_that_says_so() -> None:
    assert suite(TINY + 'output = "gone"\n').exit_code == 0
    Path("gone", BEST).unlink()
    assert suite(TINY + 'output = "gone"\n', "--dry-run").exit_code == 1
    (_, failed) = rows(TINY + 'output = "gone"\n')
    assert (failed.job, failed.state) == ("checkpoint", "failed")
    assert "[[checkpoint]]" in failed.detail


def test_every_combination_of_lists_is_an_entry() -> None:
    text = TINY + 'size = ["32x64", "64x64"]\nseed = [0, 1]\n'
    assert [entry.label for entry in read(text).entries] == [
        "tiny, 32x64, seed 0",
        "tiny, 32x64, seed 1",
        "tiny, 64x64, seed 0",
        "tiny, 64x64, seed 1",
    ]
    sizes = [(each.recipe.size, each.seed) for each in options_of(text)]
    assert sizes == [((32, 64), 0), ((32, 64), 1), ((64, 64), 0), ((64, 64), 1)]


def test_what_is_nearer_to_an_entry_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "data")
    text = TOP.replace('"data"', '"$PLACE"').replace("[run]", "limit = 1\n[run]\nlimit = 2")
    text += '[[train]]\nbackbone = "tiny"\nearly_stop = true\nevaluate.runtime = "again"\n'
    (entry,) = read(text).entries
    assert isinstance(entry.source, Training)
    trained = entry.source.options
    assert (trained.limit, trained.recipe.epochs, trained.recipe.patience) == (2, 1, 3)
    assert trained.data_root == Path("data")
    ((scored, _),) = entry.evaluations
    assert (scored.limit, scored.runtime.name, scored.dataset.name) == (1, "again", "tiny")
    ((timed, _),) = entry.latencies
    assert (timed.runtimes, timed.protocol.min_seconds) == (("eager", "again"), 0.05)


def test_a_network_is_scored_on_the_dataset_that_it_was_trained_on() -> None:
    text = 'dataset = ["tiny", "streets"]\n' + TINY
    (entry,) = read(text).entries
    assert {scored.dataset.name for scored, _ in entry.evaluations} == {"tiny"}


def test_exports_with_other_settings_have_other_names(tmp_path: Path) -> None:
    calibrates = replace(EAGER, calibrates=True, export=print, export_suffixes=(".bin",))
    subject = Subject({"height": 32, "width": 64})
    context = Context(tmp_path, REGISTRY, Reporter(quiet=True))

    def named(**settings: Any) -> str:
        options = EvaluateOptions(
            checkpoint=Path("a"), dataset=tiny_dataset(), runtime=calibrates, **settings
        )
        return exporting(Evaluation(options, subject), "tiny", tmp_path, context).path.name

    assert named() == "tiny-32x64-eager.bin"
    names = [
        named(),
        named(calibration_frames=2),
        named(calibration_frames=3),
        named(keep_float=()),
    ]
    assert len(set(names)) == len(names)


def test_resources_are_those_of_the_nearest_table() -> None:
    text = TINY.replace("[run]", "cpus = 2\n[run]\ngpus = 0.5\nmemory = 8")
    (entry,) = read(text + "cpus = 4\nlatency.cpus = 1\n").entries
    assert entry.resources == {
        "run": Resources(4, 0.5, 8),
        "evaluate": Resources(2),
        "latency": Resources(1),
    }


def test_all_faults_are_named_before_anything_runs() -> None:
    result = suite(
        """
        results = "results"
        data-root = "$NO_SUCH_VARIABLE"
        runtimes = ["eager"]
        [latency]
        runtime = "eagle"
        [[train]]
        backbone = "tinny"
        dataset = "tiny"
        [[train]]
        backbone = "tiny"
        dataset = "tiny"
        epochs = "many"
        [[train]]
        backbone = "tiny"
        dataset = "tiny"
        early-stop = 1
        [[checkpoint]]
        path = "nowhere"
        """
    )
    assert result.exit_code == 1
    faults = (
        *("NO_SUCH_VARIABLE", "Did you mean 'runtime'?", "Did you mean 'eager'?"),
        *("Did you mean 'tiny'?", "'many'", "early-stop is 1", "no file nowhere"),
    )
    assert [fault for fault in faults if fault not in result.output] == []
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "[[train]]"),
        ("results = ", "not TOML"),
        ('train = "tiny"', "[[train]]"),
        ("train = [1]", "table"),
        (TINY + '[[train]]\nbackbone = "tiny"\n', "another name"),
        (TINY + 'output = "here"\nseed = [0, 1]\n', "Two trainings write to here"),
        ('page = "data"\n' + TINY, "data is a folder"),
        (TINY + "evaluate = 3\n", "table"),
        (TINY + "[[checkpoint]]\nname = 'mine'\n", "network, weights and dataset"),
        (TINY + PUBLISHED + "path = 'here'\n", "but not both"),
        (TINY + PUBLISHED.replace('dataset = "tiny"', ""), "network, weights and dataset"),
        (TINY + PUBLISHED, "no file small.safetensors"),
        (TINY + PUBLISHED.replace("small", "smal", 1), "Did you mean 'small'?"),
        (TINY + PUBLISHED.replace("small", "half", 1), "only the backbone"),
        (TINY + 'checkpoint = "there"\n', "its own network and weights"),
        (TOP + '[[train]]\ncheckpoint = "there"\n', "no file there"),
        (TINY + "seed = []\n", "empty"),
        (TINY.replace('"data"', '"elsewhere"'), "No tiny data"),
        (TINY + "train-splits = ['test']\n", "test"),
        (TINY + "cpu = 2\n", "Did you mean 'cpus'?"),
        (TINY + "cpus = 0\n", "cpus is 0"),
        (TINY + "gpus = 1.5\n", "gpus is 1.5"),
        (TINY + 'memory = "16 GB"\n', "number of GB"),
        (TINY + "latency.cpus = [1, 2]\n", "cpus is [1, 2]"),
        (TINY + "cpus = inf\n", "cpus is inf"),
        (TINY + 'latency.size = "64x64,96x96"\n', "Write sizes as a list"),
        (TINY + 'latency.batch-size = "1,2"\n', "Write sizes as a list"),
        (TINY + 'evaluate.split = "nonsense"\n', "No split named 'nonsense'"),
        ("exports = ['a', 'b']\n" + TINY, "['a', 'b'] is not a path in quotes"),
        ("page = true\n" + TINY, "True is not a path in quotes"),
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str, said: str) -> None:
    with pytest.raises(SegbenchError) as refused:
        read(text)
    assert said in refused.value.message


def test_the_example_is_sound_and_overwrites_nothing() -> None:
    made = CliRunner().invoke(main, ["suite", "--init", "mine.toml"])
    assert made.exit_code == 0, made.output
    assert len(read_suite(Path("mine.toml"), COMMANDS, Registry.load()).entries) == 2
    assert CliRunner().invoke(main, ["suite", "--init", "mine.toml"]).exit_code == 1


def test_the_committed_demo_is_sound() -> None:
    (entry,) = read_suite(ROOT / "suites/demo.toml", COMMANDS, Registry.load()).entries
    assert entry.label == "mobilenet"


def test_the_committed_suite_of_camvid_is_sound(
    data_root: Path, weights_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGBENCH_DATA", str(data_root))
    monkeypatch.setenv("SEGBENCH_WEIGHTS", str(weights_root))
    entries = read_suite(ROOT / "suites/camvid.toml", COMMANDS, Registry.load()).entries
    assert [each.label for each in entries] == [
        "mobilenet",
        "vgg16",
        "mobilenetv1",
        "enet",
        "erfnet",
    ]


def test_what_a_training_sets_is_not_in_the_environment_of_a_latency(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_TRAININGS_OWN", "1")
    seen: list[str | None] = []

    def look(*_: object) -> Outcome:
        seen.append(os.environ.get("A_TRAININGS_OWN"))
        return Outcome(count=1)

    monkeypatch.setattr(timing, "latency", look)
    timing._measure(("A_TRAININGS_OWN",), LatencyOptions(("eager",)))
    assert seen == [None]


def test_the_machine_is_known_with_its_gpu() -> None:
    """Which torch tells, and only if it is imported."""
    code = """
import sys
from pathlib import Path
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench_plugins.commands.suite import context
real = context.provenance
def asked(*arguments):
    assert "torch" in sys.modules
    return real(*arguments)
context.provenance = asked
context.Context(Path("none"), Registry.of(), Reporter(quiet=True))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
