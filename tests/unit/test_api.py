"""``import segbench``: the functions do what the commands do, and importing costs nothing."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import segbench
from segbench.inference.checkpoint import save_checkpoint
from segbench.inference.networks import fcn8s_on
from segbench.jobs.plan import RunOptions, choose_recipe
from segbench.jobs.train import new_network
from tests.tiny import (
    CLASSES,
    TinyEncoder,
    fcn8s_over,
    tiny_backbone,
    tiny_dataset,
    write_tiny,
)

SIZE = (32, 64)


@pytest.fixture
def plugins() -> segbench.Registry:
    eager = segbench.registry().runtime("eager")
    return segbench.Registry.of([tiny_backbone()], [tiny_dataset()], [eager])


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    write_tiny(tmp_path / "data")
    return tmp_path / "data"


def test_importing_loads_neither_torch_nor_pandas() -> None:
    code = (
        "import sys, segbench; segbench.train, segbench.load_records, segbench.Dataset; "
        "print(*{'torch', 'pandas', 'segbench.jobs'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.strip()


def test_what_type_checkers_see_is_what_there_is() -> None:
    tree = ast.parse(Path(segbench.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (node.module, alias.asname or alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    offered = {
        (f"segbench.{module}", name)
        for module, names in segbench.MODULES.items()
        for name in names.split()
    }
    assert seen == {*offered, ("segbench.types", "*")}
    names = {name for _, name in offered} | {*segbench.types.__all__}
    assert all(hasattr(segbench, name) for name in names)
    assert names <= set(dir(segbench))
    with pytest.raises(AttributeError, match="trian"):
        segbench.trian  # noqa: B018


def test_a_network_is_trained_scored_and_ranked(
    plugins: segbench.Registry, data_root: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    common = {"data_root": data_root, "results": results, "plugins": plugins}
    trained = segbench.train(
        "tiny",
        "tiny",
        changes={"epochs": 1},
        weights="none",
        device="cpu",
        output=tmp_path / "run",
        **common,
    )
    checkpoint = tmp_path / "run" / "best.safetensors"
    scored = segbench.evaluate(checkpoint, "tiny", device="cpu", **common)
    assert scored.metrics["score"] == trained.metrics["score"]
    records = segbench.load_records(results)
    assert set(records["kind"]) == {"run", "evaluate"}
    rows = segbench.leaderboard(records)
    assert list(rows["score"]) == [scored.metrics["score"]]


def test_unknown_names_are_errors_of_the_user(plugins: segbench.Registry, tmp_path: Path) -> None:
    with pytest.raises(segbench.SegbenchError):
        segbench.score("no-such", tmp_path, plugins=plugins)
    with pytest.raises(segbench.SegbenchError):
        segbench.score("tiny", tmp_path, options={"encoding": "x"}, plugins=plugins)


def test_a_dataset_that_no_plugin_offers_is_refused_before_the_training(
    plugins: segbench.Registry, data_root: Path, tmp_path: Path
) -> None:
    other = replace(tiny_dataset(), name="other")
    options: dict[str, Any] = {"data_root": data_root, "output": tmp_path / "out"}
    with pytest.raises(segbench.SegbenchError, match="No plugin offers the dataset 'other'"):
        segbench.train("tiny", other, weights="none", plugins=plugins, **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scope": "Model"}, "scope named 'Model'. Did you mean 'model'"),
        ({"scenario": "Offline"}, "scenario named 'Offline'. Did you mean 'offline'"),
        ({"batch_sizes": ()}, "batch_sizes are one or more numbers"),
        ({"batch_sizes": (1, 0)}, "batch_sizes are one or more numbers"),
        ({"min_seconds": 0}, "min_seconds must be a number larger than 0"),
        ({"min_seconds": float("nan")}, "min_seconds must be a number larger than 0"),
        ({"attempts": 0}, "attempts must be at least 1"),
        ({"threads": 0}, "--threads 0"),
        ({"decoder": "typo"}, "No decoder named 'typo'"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    options: dict[str, Any], message: str, plugins: segbench.Registry, tmp_path: Path
) -> None:
    with pytest.raises(segbench.SegbenchError, match=message):
        segbench.measure(backbones=["tiny"], results=tmp_path, plugins=plugins, **options)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "SGD"}, "No optimizer named 'SGD'"),
        ({"schedule": "cosine"}, "No schedule named 'cosine'"),
        ({"precision": "fp8"}, "No precision named 'fp8'"),
        ({"epoch": 3}, "No setting of a recipe named 'epoch'. Did you mean 'epochs'"),
        ({"epochs": 0}, "epochs must be a number larger than 0"),
        ({"batch_size": 0}, "batch_size must be a number larger than 0"),
        ({"lr": -1.0}, "lr must be a number larger than 0"),
        ({"class_weights": True, "class_weight_offset": 1.0}, "must be a number larger than 1"),
        ({"ema": 2.0}, "ema must be at least 0 and less than 1"),
        ({"size": (0, 8)}, "size (0, 8) is not height and width"),
        ({"size": "64x128"}, "size '64x128' is not height and width"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    changes: dict[str, Any], message: str, plugins: segbench.Registry, data_root: Path
) -> None:
    with pytest.raises(segbench.SegbenchError, match=re.escape(message)):
        segbench.train(
            "tiny", "tiny", changes=changes, weights="none", plugins=plugins, data_root=data_root
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "at least one frame"),
        ({"split": "foo"}, "No split named 'foo'"),
        ({"label_scale": 0}, "must be at least 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    options: dict[str, Any], message: str, plugins: segbench.Registry, tmp_path: Path
) -> None:
    config = {"backbone": "tiny", "dataset": "tiny", "height": 32, "width": 64}
    save_checkpoint(tmp_path / "a.safetensors", fcn8s_over(TinyEncoder(), len(CLASSES)), config)
    with pytest.raises(segbench.SegbenchError, match=message):
        segbench.evaluate(
            tmp_path / "a.safetensors",
            "tiny",
            plugins=plugins,
            data_root=write_tiny(tmp_path / "data"),
            **options,
        )


@pytest.mark.parametrize("network", ["tiny", fcn8s_on(tiny_backbone())])
def test_a_decoder_that_cannot_be_is_refused(
    network: Any, plugins: segbench.Registry, data_root: Path
) -> None:
    with pytest.raises(segbench.SegbenchError, match="decoder"):
        segbench.train(
            network, "tiny", decoder="typo", weights="none", plugins=plugins, data_root=data_root
        )


def test_a_results_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(segbench.SegbenchError, match="There is no folder"):
        segbench.load_records(tmp_path / "none")


def test_paths_and_single_names_may_be_strings(
    plugins: segbench.Registry, data_root: Path, tmp_path: Path
) -> None:
    common: dict[str, Any] = {"plugins": plugins, "data_root": str(data_root)}
    common["results"] = str(tmp_path / "results")
    output = tmp_path / "run"
    segbench.train(
        "tiny", "tiny", changes={"epochs": 1}, weights="none", output=output, device="cpu", **common
    )
    checkpoint = str(output / "best.safetensors")
    scored = segbench.evaluate(checkpoint, "tiny", device="cpu", **common)
    (timed,) = segbench.measure(checkpoint, "eager", min_seconds=0.01, device="cpu", **common)
    assert timed.config["checkpoint_sha256"] == scored.config["checkpoint_sha256"]
    rows = segbench.leaderboard(segbench.load_records(common["results"]), where="runtime=eager")
    assert not rows.empty


def test_what_failed_is_in_the_error(tmp_path: Path) -> None:
    def fail(*_: object) -> Any:
        raise segbench.SegbenchError("It has no kernel.")

    eager = segbench.registry().runtime("eager")
    broken = replace(eager, name="broken", open=fail)
    plugins = segbench.Registry.of([tiny_backbone()], [tiny_dataset()], [eager, broken])
    message = "1 of 2 measurements failed. broken was not measured: It has no kernel."
    with pytest.raises(segbench.MeasurementError, match=message):
        segbench.measure(
            backbones=["tiny"],
            runtimes=["eager", "broken"],
            sizes=[(64, 64)],
            min_seconds=0.01,
            results=tmp_path,
            plugins=plugins,
        )


def test_a_checkpoint_and_a_dataset_of_classes_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(segbench.SegbenchError, match="leave --dataset out"):
        segbench.export(tmp_path / "a.safetensors", "onnx", tmp_path / "a.onnx", dataset="camvid")


def test_an_offset_without_class_weights_is_refused(
    plugins: segbench.Registry, data_root: Path
) -> None:
    changes = {"class_weight_offset": 1.3, "class_weights": False}
    with pytest.raises(segbench.SegbenchError, match="add --class-weights"):
        segbench.train(
            "tiny", "tiny", changes=changes, weights="none", plugins=plugins, data_root=data_root
        )


def test_a_kind_of_output_is_not_guessed(tmp_path: Path) -> None:
    checkpoint = tmp_path / "a.safetensors"
    with pytest.raises(segbench.SegbenchError, match="Did you mean 'labels'"):
        segbench.export(checkpoint, "onnx", tmp_path / "a.onnx", output_kind="label")


def test_a_checkpoint_of_older_names_is_read(plugins: segbench.Registry, tmp_path: Path) -> None:
    from segbench.inference.checkpoint import load_checkpoint

    dataset, network = tiny_dataset(), fcn8s_on(tiny_backbone(), "transposed")
    recipe = choose_recipe(network, dataset, "original", {})
    model, _ = new_network(RunOptions(network, dataset, recipe, tmp_path, weights="none"))
    config = {"backbone": "tiny", "decoder": "seed", "dataset": "tiny", "recipe": "seed"}
    config |= {"height": 32, "width": 64, "classes": model.classes}
    config["convention"] = asdict(model.convention)
    path = tmp_path / "old.safetensors"
    save_file(model.net.state_dict(), path, {"segbench": json.dumps(config)})
    loaded = load_checkpoint(path, plugins)
    assert loaded.config["decoder"] == "transposed"
    assert loaded.model.network.config["decoder"] == "transposed"
    assert loaded.config["recipe"] == "original"
    torch.testing.assert_close(loaded.model.net.state_dict(), model.net.state_dict())
