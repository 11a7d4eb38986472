"""Provenance says enough to repeat a measurement and nothing about who made it."""

import getpass
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import segbench
from segbench.device import cpu_extensions
from segbench.device.cpu import cpu_model, usable_cores
from segbench.device.microarchitecture import microarchitecture
from segbench.plugins import Registry
from segbench.records.provenance import (
    provenance,
    source_state,
    tuning_variables,
    without_folders,
)
from segbench.types import Runtime

RUNTIME = Runtime("still", "Runs nothing", lambda *_: None, requires=("numpy", "no-such-thing"))


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A Git checkout laid out as the project's own, with one commit."""
    (tmp_path / "segbench" / "records").mkdir(parents=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "segbench" / "records" / "provenance.py").write_text("")
    (tmp_path / "results" / "board.csv").write_text("")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "First")
    return tmp_path


def test_a_whole_provenance() -> None:
    started = datetime.now(timezone(timedelta(hours=2))) - timedelta(seconds=5)

    made = provenance(
        started,
        ["/home/someone/bin/segbench", "run", "--scale", "1/255", "--data-root", "/data/camvid"],
        Registry.of(runtimes=[RUNTIME]),
        [RUNTIME],
        engine="still 1.0",
        dataset_fingerprint="abc",
    )

    assert made["started_at"] == started.astimezone(UTC).isoformat(timespec="seconds")
    assert made["started_at"].endswith("+00:00")
    assert made["duration_s"] >= 5
    assert made["argv"] == ["segbench", "run", "--scale", "1/255", "--data-root", "camvid"]
    assert made["python"] == platform.python_version()
    assert made["engine"] == "still 1.0"
    assert made["dataset_fingerprint"] == "abc"
    assert made["plugins"] == {"still": "unpackaged 0"}
    assert set(made["versions"]) == {"segbench", "numpy", "no-such-thing"}
    assert made["versions"]["no-such-thing"] is None
    assert made["versions"]["numpy"]
    json.dumps(made, allow_nan=False)


def test_variables_that_tune_libraries_are_kept() -> None:
    environment = {
        "OMP_NUM_THREADS": "2",
        "LD_PRELOAD": "/home/someone/lib/libjemalloc.so:/usr/lib/libc.so",
        "ONNXRUNTIME_GPU_X": "1",
        "THP_MEM_ALLOC_ENABLE": "1",
        "HOME": "/home/someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    assert tuning_variables(environment, ["onnxruntime-gpu"]) == {
        "LD_PRELOAD": "libjemalloc.so:libc.so",
        "ONNXRUNTIME_GPU_X": "1",
        "OMP_NUM_THREADS": "2",
        "THP_MEM_ALLOC_ENABLE": "1",
    }


def test_the_name_of_a_plugin_is_no_path() -> None:
    assert without_folders("timm/dla34", ["timm/dla34"]) == "timm/dla34"
    assert without_folders("--backbone=timm/dla34", ["timm/dla34"]) == "--backbone=timm/dla34"
    assert without_folders("timm/dla34") == "dla34"


def test_no_folder_user_or_host_is_named() -> None:
    argv = [sys.executable, str(Path.home() / "data"), f"--output={Path.cwd()}/x"]
    text = json.dumps(provenance(datetime.now(UTC), argv, Registry.of(), [], engine="none"))
    for private in (str(Path.home()), str(Path.cwd()), str(Path(segbench.__file__).parent)):
        assert private not in text
    for private in (getpass.getuser(), platform.node()):
        assert f'"{private}"' not in text


@pytest.mark.parametrize(
    ("argument", "kept"),
    [
        ("run", "run"),
        ("--size", "--size"),
        ("352x480", "352x480"),
        ("/home/me/data/camvid", "camvid"),
        ("../shared/data/", "data"),
        (r"C:\Users\me\weights.safetensors", "weights.safetensors"),
        ("--data-root=/home/me/data", "--data-root=data"),
        ("--weights=/home/a=b/c=d", "--weights=c=d"),
        ("/home/a=b/c=d", "c=d"),
        ("/", ""),
        (str(Path.home()), "~"),
        (f"--data-root={Path.home()}/", "--data-root=~"),
    ],
)
def test_of_a_path_only_the_last_component_is_kept(argument: str, kept: str) -> None:
    assert without_folders(argument) == kept


@settings(deadline=None)
@given(st.text(alphabet="ab=-./\\~", max_size=12))
def test_no_separator_survives(argument: str) -> None:
    kept = without_folders(argument)
    option, _, value = kept.partition("=")
    assert not set("/\\") & set(value if option.startswith("-") else kept)


def test_a_clean_checkout(checkout: Path) -> None:
    commit, dirty = source_state(checkout)
    assert commit == git(checkout, "rev-parse", "HEAD")
    assert dirty is False


def test_results_and_new_files_do_not_make_a_checkout_dirty(checkout: Path) -> None:
    (checkout / "results" / "board.csv").write_text("changed")
    (checkout / "results" / "new.json").write_text("{}")
    (checkout / "notes.txt").write_text("untracked")
    assert source_state(checkout)[1] is False


@pytest.mark.parametrize("staged", [False, True])
def test_a_change_to_the_source_makes_it_dirty(checkout: Path, staged: bool) -> None:
    (checkout / "segbench" / "records" / "provenance.py").write_text("changed")
    if staged:
        git(checkout, "add", ".")
    assert source_state(checkout)[1] is True


def test_a_package_installed_inside_another_project_has_no_commit(checkout: Path) -> None:
    installed = checkout / "venv" / "site-packages"
    (installed / "segbench" / "records").mkdir(parents=True)
    (installed / "segbench" / "records" / "provenance.py").write_text("")
    assert source_state(installed) == (None, None)


def test_without_git_there_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert source_state(checkout) == (None, None)


def test_the_source_is_looked_at_once(checkout: Path) -> None:
    before = source_state(checkout)
    (checkout / "segbench" / "records" / "provenance.py").write_text("changed")
    assert source_state(checkout) == before


def test_a_checkout_that_git_calls_unsafe_is_told_with_the_remedy(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    assert source_state(checkout) == (None, None)
    assert f"git config --global --add safe.directory {checkout}\n" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
@pytest.mark.parametrize(
    ("quota", "cores"),
    [(None, 1000), ("max 100000\n", 1000), ("150000 100000\n", 1), ("50000 100000\n", 1)],
)
def test_cores_are_those_the_process_may_use(tmp_path: Path, quota: str | None, cores: int) -> None:
    groups = tmp_path / "groups"
    groups.write_text("0::/\n")
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(groups, tmp_path) == min(cores, len(os.sched_getaffinity(0)))


def test_the_cpu_has_a_name() -> None:
    assert cpu_model()


def test_torch_is_asked_for_the_card_only_where_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gpu() -> list[object]:
        made = provenance(datetime.now(UTC), [], Registry.of(), [], engine="none")
        return [made[name] for name in ("gpu", "driver", "power_limit_w", "cuda")]

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu() == [None] * 4
    assert "torch" not in sys.modules
    card = SimpleNamespace(
        is_available=lambda: True,
        get_device_name=lambda: "A card",
        get_device_properties=lambda: SimpleNamespace(uuid="12"),
    )
    fake = SimpleNamespace(cuda=card, version=SimpleNamespace(cuda="13.0"))
    monkeypatch.setitem(sys.modules, "torch", fake)
    module = sys.modules[provenance.__module__]
    for told, known in (
        (None, [None, None]),
        ("580.1, 72.50", ["580.1", 72.5]),
        ("580.1, [N/A]", ["580.1", None]),
    ):
        monkeypatch.setattr(module, "output_of", lambda *command, told=told: told)
        assert gpu() == ["A card", *known, "13.0"]


def test_variables_named_like_a_required_package_are_recorded() -> None:
    environment = {"FAST_ENGINE_CACHE": "1", "FAST": "1", "OTHER_CACHE": "1"}
    assert tuning_variables(environment, ["fast"]) == {"FAST_ENGINE_CACHE": "1", "FAST": "1"}
    assert tuning_variables(environment) == {}


def test_the_cpu_is_named_with_what_engines_use_of_it() -> None:
    registry = Registry.of(runtimes=[RUNTIME])
    made = provenance(datetime.now(UTC), [], registry, [RUNTIME], engine="none")
    assert made["extensions"] == list(cpu_extensions())
    assert made["microarchitecture"] == microarchitecture()
    assert made["arithmetic"] == "fp32"
