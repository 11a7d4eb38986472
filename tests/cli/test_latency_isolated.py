"""``segbench latency --isolate``: processes that live, and processes that die."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from segbench.records.record import Record, read_record

PLUGIN = """
import os, signal, sys, threading
import segbench_plugins.runtimes.pytorch.eager as eager
from segbench.errors import SegbenchError
from segbench.hookspecs import hookimpl
from segbench.types import Runtime
from tests.tiny import tiny_backbone, tiny_dataset


def dies(how):
    def open_session(model, setup):
        how()
    return open_session


def begins(model, setup):
    [fp32, *_] = eager.segbench_runtimes()
    open("began", "w").close()
    return fp32.open(model, setup)


def refuses():
    raise SegbenchError("The engine is broken; mend it.")


@hookimpl
def segbench_backbones():
    yield tiny_backbone()


@hookimpl
def segbench_datasets():
    yield tiny_dataset()


@hookimpl
def segbench_runtimes():
    [fp32, *_] = eager.segbench_runtimes()
    yield Runtime("again", "Eager", fp32.open)
    yield Runtime("begins", "Says so", begins)
    yield Runtime("killed", "Dies", dies(lambda: os.kill(os.getpid(), signal.SIGKILL)))
    yield Runtime("aborted", "Dies", dies(os.abort))
    yield Runtime("gone", "Dies", dies(lambda: sys.exit(3)))
    yield Runtime("hung", "Waits for ever", dies(threading.Event().wait))
    yield Runtime("broken", "Refuses", dies(refuses))
"""
ROOT = Path(__file__).parents[2]


def start(folder: Path, *runtimes: str, seconds: float = 0.05) -> subprocess.Popen[str]:
    site = folder / "site"
    info = site / "tiny_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "tiny_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Name: tiny-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[segbench]\ntiny = tiny_plugin\n")
    options = ["--isolate", "--backbone", "tiny", "--dataset", "tiny", "--size", "32x64"]
    options += [part for name in runtimes for part in ("--runtime", name)]
    return subprocess.Popen(
        [sys.executable, "-m", "segbench", "latency", *options, "--min-seconds", str(seconds)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # some shells ignore it
    )


def latency(folder: Path, *runtimes: str) -> subprocess.CompletedProcess[str]:
    with start(folder, *runtimes) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def records(folder: Path) -> list[Record]:
    return [read_record(path) for path in sorted((folder / "results/latency").glob("*.json"))]


@pytest.mark.slow
def test_a_crash_costs_only_itself(tmp_path: Path) -> None:
    result = latency(tmp_path, "eager", "killed", "aborted", "gone", "broken", "again")
    assert result.returncode == 1
    messages = " ".join(result.stderr.split())
    assert (
        "killed was not measured: The process of killed was killed (SIGKILL), probably" in messages
    )
    assert "out of memory with --batch-size 1 at --size 32x64" in messages
    assert "aborted was not measured: The process of aborted crashed (SIGABRT)" in messages
    assert "The process of gone ended with exit code 3" in messages
    assert "broken was not measured: The engine is broken" in messages
    assert "4 of 6 measurements failed" in messages
    eager, again = records(tmp_path)
    assert (eager.config["runtime"], again.config["runtime"]) == ("eager", "again")
    assert eager.config["session"] == again.config["session"]
    assert eager.config["isolated"] is again.config["isolated"] is True
    assert again.metrics["baseline"] == "eager"
    assert again.metrics["speedup"] > 0
    assert json.dumps(again.provenance["argv"]).count("--runtime") == 6


@pytest.mark.slow
def test_a_crash_alone_is_the_error(tmp_path: Path) -> None:
    result = latency(tmp_path, "aborted")
    assert result.returncode == 1
    assert "Error: The process of aborted crashed (SIGABRT)." in result.stderr
    assert not records(tmp_path)


@pytest.mark.slow
def test_a_process_that_hangs_is_ended_and_named(tmp_path: Path) -> None:
    result = latency(tmp_path, "hung")
    assert result.returncode == 1
    assert "Error: The process of hung hangs: it did nothing for 6 seconds" in result.stderr


def spawned(parent: psutil.Process) -> list[psutil.Process]:
    """Its processes that measure, not those that it asks for something and that may be gone."""
    found = []
    for child in parent.children():
        with suppress(psutil.Error):
            if "spawn_main" in str(child.cmdline()):
                found.append(child)
    return found


@pytest.mark.slow
def test_an_interrupt_while_the_process_starts_aborts(tmp_path: Path) -> None:
    with start(tmp_path, "again") as process:
        parent = psutil.Process(process.pid)
        while not (begun := spawned(parent)):
            time.sleep(0.01)
        for each in (parent, *begun):
            each.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 1
    assert "Interrupted, after 0 records." in err
    assert "Traceback" not in err
    assert not records(tmp_path)


@pytest.mark.slow
def test_a_child_ends_with_its_parent_and_writes_no_record(tmp_path: Path) -> None:
    with start(tmp_path, "begins", seconds=60) as process:
        parent = psutil.Process(process.pid)
        began = tmp_path / "began"
        children = []
        while not began.exists():
            children = parent.children(recursive=True)
            time.sleep(0.1)
        process.kill()
    assert children
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not records(tmp_path)
