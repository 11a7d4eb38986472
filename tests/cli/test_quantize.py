"""INT8 on the command line: ``evaluate`` on the INT8 runtimes, and ``quantize-report``."""

import csv
import json
import shutil
from pathlib import Path

import PIL.Image
import pytest
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.plugins import Registry
from segbench.records.record import Record, config_hash, read_record
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.onnx import plugin as onnx
from segbench_plugins.runtimes.onnx.int8 import arithmetic
from segbench_plugins.runtimes.onnx.int8.layer_costs import Costing
from segbench_plugins.runtimes.pytorch import eager
from tests.tiny import tiny_backbone, tiny_dataset, write_tiny

REGISTRY = Registry.of(
    [tiny_backbone()],
    [tiny_dataset()],
    [*eager.segbench_runtimes(), *onnx.segbench_runtimes()],
    commands=[*segbench_commands(), *onnx.segbench_commands()],
)
LAYERS = {"encoder.to8.0", "encoder.to16.0", "encoder.to32.0"}


def segbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=REGISTRY)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, cache_of_module: Path) -> Path:
    """A folder with tiny data and a network trained on it for three epochs."""
    folder = write_tiny(tmp_path_factory.mktemp("trained") / "data").parent
    options = ("--backbone", "tiny", "--dataset", "tiny", "--weights", "none", "--epochs", "3")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SEGBENCH_CACHE", str(cache_of_module))
        patch.delenv("SEGBENCH_DATA", raising=False)
        assert segbench("run", *options, "--output", "out").exit_code == 0
    return folder


@pytest.fixture
def checkpoint(
    trained: Path, tmp_path: Path, shared_cache: None, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The trained network in a fresh working folder."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    return "out/best.safetensors"


def evaluate(checkpoint: str, *options: str) -> Record:
    result = segbench("evaluate", "--checkpoint", checkpoint, "--dataset", "tiny", *options)
    assert result.exit_code == 0, result.output
    return read_record(Path(result.output.splitlines()[-1]))


def test_evaluate_calibrates_on_training_frames(checkpoint: str) -> None:
    exact = evaluate(checkpoint)
    coarse = evaluate(checkpoint, "--runtime", "onnx-int8", "--keep-float", "none")
    assert coarse.metrics["miou"] == pytest.approx(exact.metrics["miou"], abs=0.1)
    assert coarse.metrics["file_mb"] > 0
    told = coarse.provenance["quantization"]
    assert (told["source"], len(told["frames"])) == ("tiny train", 5)
    assert set(told["layers"]) == LAYERS
    assert coarse.config["calibration"].startswith("5@")
    added = {"calibration": None, "keep_float": None}
    assert config_hash(exact.config | added, "evaluate") == exact.config_hash
    fewer = evaluate(checkpoint, "--runtime", "onnx-int8", "--calibration-frames", "2")
    assert fewer.config["calibration"].startswith("2@")
    assert fewer.config_hash != coarse.config_hash
    kept = fewer.provenance["quantization"]["kept_float"]
    assert set(fewer.provenance["quantization"]["layers"]) == LAYERS - set(kept)


def test_an_engine_off_its_graph_is_recorded_and_said(
    checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = evaluate(checkpoint, "--runtime", "onnx-int8", "--keep-float", "none")
    assert sound.metrics["arithmetic_error"] < 0.06
    assert sound.metrics["arithmetic_agreement"] > 0.9
    monkeypatch.setattr(arithmetic, "LARGEST_ERROR", -1.0)
    command = ("evaluate", "--checkpoint", checkpoint, "--dataset", "tiny", "--keep-float", "none")
    result = segbench(*command, "--runtime", "onnx-int8")
    assert result.exit_code == 0
    assert "Warning: onnx-int8: its logits are" in result.output


def test_layers_kept_in_float_are_in_the_configuration(checkpoint: str) -> None:
    options = ("--runtime", "onnx-int8-signed", "--keep-float", "encoder.to8.0")
    record = evaluate(checkpoint, *options)
    assert record.config["keep_float"] == ["encoder.to8.0"]
    assert "encoder.to8.0" in record.provenance["quantization"]["float_layers"]


def test_what_cannot_be_quantised_is_said(checkpoint: str) -> None:
    arguments = ("evaluate", "--checkpoint", checkpoint, "--dataset", "tiny", "--keep-float", "x")
    eagerly = segbench(*arguments)
    assert (eagerly.exit_code, "--keep-float needs an INT8 runtime" in eagerly.output) == (1, True)
    both = segbench(*arguments, "--runtime", "onnx-int8", "--keep-float", "none")
    assert "'none'" in both.output
    for layer in ("x", "none"):
        timed = segbench("latency", "--checkpoint", checkpoint, "--keep-float", layer)
        assert (timed.exit_code, "--keep-float" in timed.output) == (1, True)
    unknown = segbench(*arguments, "--runtime", "onnx-int8")
    assert unknown.exit_code == 1
    assert "No layer for --keep-float named 'x'" in unknown.output


def test_a_report_lists_every_layer_and_draws_them(checkpoint: str) -> None:
    arguments = ("quantize-report", "--checkpoint", checkpoint, "--keep-float", "1")
    result = segbench(*arguments, "--output", "report")
    assert result.exit_code == 0, result.output
    report = json.loads(Path("report/report.json").read_text())
    costs = report["costs"]
    assert {cost["layer"] for cost in costs} == LAYERS
    lost = [cost["miou_lost"] for cost in costs]
    assert lost == sorted(lost, reverse=True)
    assert report["kept_float"] == [costs[0]["layer"]]
    with Path("report/report.csv").open(newline="") as file:
        rows = {row["layer"]: row for row in csv.DictReader(file)}
    assert float(rows["encoder.to8.0"]["snr_db"]) > 0
    assert rows["up32"]["precision"] == "float"
    assert rows.keys() - {"score8", "score16", "score32", "up16", "up32"} == LAYERS
    with PIL.Image.open("report/report.png") as chart:
        assert chart.size[0] == 1200
    assert "mIoU on 1 held-back training frames" in result.output


def test_an_interrupted_report_goes_on(checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    cost = Costing.cost

    def interrupted(self, layer, fp32_miou):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(layer)
        return cost(self, layer, fp32_miou)

    monkeypatch.setattr(Costing, "cost", interrupted)
    arguments = ("quantize-report", "--checkpoint", checkpoint, "--output", "report")
    first = segbench(*arguments)
    assert first.exit_code == 1
    assert "the same command continues" in first.output

    def noted(self, layer, fp32_miou):
        measured.append(layer)
        return cost(self, layer, fp32_miou)

    monkeypatch.setattr(Costing, "cost", noted)
    assert segbench(*arguments).exit_code == 0
    assert len(measured) == 3
    assert set(measured) == LAYERS


def test_a_file_that_is_no_report_is_left_alone(checkpoint: str) -> None:
    Path("report").mkdir()
    Path("report/report.json").write_text("[]")
    result = segbench("quantize-report", "--checkpoint", checkpoint, "--output", "report")
    assert result.exit_code == 1
    assert "give another --output" in result.output
    assert Path("report/report.json").read_text() == "[]"


def test_a_report_on_another_network_is_left_alone(checkpoint: str) -> None:
    arguments = ("quantize-report", "--checkpoint", checkpoint, "--output", "report")
    assert segbench(*arguments).exit_code == 0
    before = Path("report/report.json").read_bytes()
    result = segbench(*arguments, "--profile", "signed")
    assert result.exit_code == 1
    assert "is a report on another network, --profile or --frames" in result.output
    assert Path("report/report.json").read_bytes() == before
