"""``segbench suite --on ray`` on a cluster of two nodes: what comes back, and what is lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
import torch
from click.testing import CliRunner, Result
from ray.cluster_utils import Cluster
from safetensors.torch import save_file

from segbench.cli import main
from segbench.inference.weights import file_sha256
from segbench.plugins import Registry, installed_version
from segbench.records.record import Record, read_record
from segbench_plugins.commands.suite import cluster as ray_cluster
from segbench_plugins.commands.suite import on_ray, reach
from segbench_plugins.networks.enet import ENet
from tests.plugins.test_folder import write as write_folder
from tests.tiny import write_tiny

ROOT = Path(__file__).parents[2]
PLUGIN = """
import time
from dataclasses import replace
from segbench.hookspecs import hookimpl
from tests.tiny import TinyEncoder, tiny_backbone, tiny_dataset


class SlowEncoder(TinyEncoder):
    def forward(self, images):
        time.sleep(0.03)
        return super().forward(images)


def build(convention):
    return SlowEncoder()


@hookimpl
def segbench_backbones():
    yield tiny_backbone()
    yield replace(tiny_backbone(), name="slow", build=build)


@hookimpl
def segbench_datasets():
    yield tiny_dataset()
"""
TOP = """
results = "results"
data-root = "data"
device = "cpu"
[run]
dataset = "tiny"
weights = "none"
[latency]
min-seconds = 0.05
"""
TINY = TOP + '[[train]]\nbackbone = "tiny"\nepochs = 2\n'
SLOW = TOP + 'cpus = 2\n[[train]]\nbackbone = "slow"\nepochs = 8\nseed = [0, 1]\n'
PUBLISHED = f"""
exports = "exports"
{TOP}
[[checkpoint]]
network = "enet"
weights = "enet.safetensors"
dataset = "tiny"
evaluate = {{ limit = 1, runtime = "onnx" }}
"""
NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 5000,
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head and, for a test that needs it, a second node; both have the plugin.

    Here and there torch has one thread, since sums depend on their number.
    """
    site = tmp_path_factory.mktemp("site")
    info = site / "slow_plugin-1.0.dist-info"
    info.mkdir()
    (site / "slow_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Name: slow-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[segbench]\nslow = slow_plugin\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("PYTHONPATH", os.pathsep.join((str(site), str(ROOT))))
        patch.setenv("SEGBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        head = {**NODE, "include_dashboard": False, "_system_config": HEALTH}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        patch.setenv("RAY_ADDRESS", cluster.address)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield cluster
        torch.set_num_threads(threads)
        cluster.shutdown()


@pytest.fixture
def outside(hosts: Cluster) -> Iterator[str]:
    """The address for callers that are not in the cluster, as ``ray start --head`` has one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = hosts.head_node
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "ray.util.client.server", "--host=127.0.0.1"),
            *(f"--port={port}", f"--address={hosts.address}", f"--node-id={head.node_id}"),
            f"--runtime-env-agent-address={head.runtime_env_agent_address}",
        ],
        env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"},  # its handlers can hang
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"ray://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)


def suite(text: str, *more: str) -> Result:
    Path("suite.toml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(
        main, ["suite", "suite.toml", *(more or ("--on", "ray"))], obj=Registry.load()
    )


def trained_here(backbone: str, epochs: int, seed: int = 0) -> Record:
    """The same training without Ray."""
    options = ["--backbone", backbone, "--dataset", "tiny", "--data-root", "data"]
    options += ["--weights", "none", "--epochs", str(epochs), "--seed", str(seed)]
    options += ["--device", "cpu", "--results", "here", "--output", f"here-{seed}"]
    result = CliRunner().invoke(main, ["run", *options], obj=Registry.load())
    assert result.exit_code == 0, result.output
    (record,) = (each for each in records("run", "here") if each.config["seed"] == seed)
    return record


def records(kind: str, results: str = "results") -> list[Record]:
    return [read_record(path) for path in sorted(Path(results, kind).glob("*.json"))]


def epochs_in(state: Path) -> list[dict[str, Any]]:
    """As a record has them: its provenance says in which world they were trained."""
    curve: list[dict[str, Any]] = torch.load(state, weights_only=True)["curve"]
    return [{name: each[name] for name in each if name != "world"} for each in curve]


def processes_on_hosts() -> list[psutil.Process]:
    """Those of this module's cluster, which know its plugin."""
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if "ray::Host" in str(each.info)
        and each.environ().get("PYTHONPATH") == os.environ["PYTHONPATH"]
    ]


def test_a_training_on_a_host_is_that_of_this_machine_to_the_bit(hosts: Cluster) -> None:
    result = suite(TINY + "evaluate.limit = 1\n")
    assert result.exit_code == 0, result.output
    (trained,) = records("run")
    here = trained_here("tiny", epochs=2)
    assert trained.config == here.config
    assert trained.per_class == here.per_class
    made = [each for kind in ("run", "evaluate", "latency") for each in records(kind)]
    assert len(made) == 3
    assert {each.provenance["host"] for each in made} == {hosts.head_node.node_id[:12]}
    assert all(each.path and each.path.with_suffix(".npz").is_file() for each in made)
    (output,) = Path("runs").iterdir()
    left = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    kept = {str(path.relative_to("here-0")) for path in Path("here-0").rglob("*") if path.is_file()}
    assert left == kept


def test_hosts_look_for_a_described_dataset_in_the_data_root_of_the_suite(hosts: Cluster) -> None:
    write_folder(Path("town"))
    text = TINY.replace('"data"', '"town"').replace('"tiny"\nweights', '"folder"\nweights')
    result = suite(text + "evaluate.limit = 1\n")
    assert result.exit_code == 0, result.output
    for kind in ("run", "evaluate"):
        assert [each.config["dataset"] for each in records(kind)] == ["folder-my-town"]
    assert [each.metrics["compared_on"] for each in records("latency")] == ["folder-my-town val"]


def test_a_caller_outside_the_cluster_has_published_weights_scored_there(
    hosts: Cluster, outside: str
) -> None:
    save_file(ENet(11).state_dict(), "enet.safetensors")
    Path("suite.toml").write_text(PUBLISHED)
    done = subprocess.run(
        [sys.executable, "-m", "segbench", "suite", "suite.toml", "--on", outside],
        env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (scored,), (timed,) = records("evaluate"), records("latency")
    for record in (scored, timed):
        assert record.provenance["host"] == hosts.head_node.node_id[:12]
        assert record.config["checkpoint_sha256"] == file_sha256(Path("enet.safetensors"))
        assert record.config["weights"].startswith("enet.safetensors@")
    assert [path.suffix for path in Path("exports").iterdir()] == [".onnx"]


def test_a_training_whose_node_is_killed_goes_on_elsewhere(
    hosts: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = hosts.add_node(**NODE)
    fetch = on_ray.fetch_state
    before: list[dict[str, Any]] = []

    async def fetch_then_kill(there: Any, output: Path, *more: Any) -> None:
        await fetch(there, output, *more)
        if there.here.node == second.node_id[:12] and not before:
            before.extend(epochs_in(output / "state.pt"))
            hosts.remove_node(second, allow_graceful=False)

    monkeypatch.setattr(on_ray, "fetch_state", fetch_then_kill)
    monkeypatch.setattr(on_ray, "following", lambda *what: [])
    result = suite(SLOW)
    assert result.exit_code == 0, result.output
    assert "lost its host" in result.output
    assert 0 < len(before) < 8
    (again,) = (each for each in records("run") if each.curve[: len(before)] == before)
    assert {each.provenance["host"] for each in records("run")} == {hosts.head_node.node_id[:12]}
    here = trained_here("slow", epochs=8, seed=again.config["seed"])
    assert again.config == here.config


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelling_ends_the_processes_and_keeps_the_last_epoch(
    hosts: Cluster, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = on_ray.fetch_state

    async def fetch_then_stop(there: Any, output: Path, *more: Any) -> None:
        await fetch(there, output, *more)
        assert processes_on_hosts()
        os.kill(os.getpid(), number)

    monkeypatch.setattr(on_ray, "fetch_state", fetch_then_stop)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # some shells ignore it
    try:
        result = suite(SLOW.replace("[0, 1]", "0"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 1
    assert "run the same command to continue" in result.output
    psutil.wait_procs(processes_on_hosts(), timeout=10)
    assert not processes_on_hosts()
    assert not records("run")
    (state,) = Path("runs").glob("*/state.pt")
    assert 0 < len(epochs_in(state)) < 8


def test_hosts_with_other_code_are_named_before_anything_runs(
    hosts: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reach.code_of

    def other(*arguments: Any) -> dict[str, str | None]:
        return {**real(*arguments), "torch": "9.9", "slow-plugin": "2.0"}

    monkeypatch.setattr(reach, "code_of", other)
    result = suite(TINY)
    assert result.exit_code == 1
    assert "slow-plugin 1.0 (the caller has 2.0)" in result.output
    assert f"torch {installed_version('torch')} (the caller has 9.9)" in result.output
    assert not Path("results/run").exists()


def test_what_no_host_has_is_a_row_that_says_so(hosts: Cluster) -> None:
    result = suite(TINY + "cpus = 1000\n")
    assert result.exit_code == 1
    assert "cpus 1000" in result.output
    assert "cpus 2" in result.output


def test_a_cluster_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("ray://127.0.0.1:1", "ray://nowhere", "dask"):
        result = suite(TINY, "--on", address)
        assert result.exit_code == 1
        assert address in result.output
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr(ray, "init", _refused)
    result = suite(TINY)
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.output
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    result = suite(TINY)
    assert "segbench[ray]" in result.output


def _refused(*arguments: object, **options: object) -> None:
    raise ConnectionError("connection refused")


def test_without_ray_it_is_refused_before_torch_is_imported() -> None:
    lines = (
        "import sys; sys.modules['ray'] = None",
        "from segbench.cli import main",
        "main(['suite', 'suite.toml', '--on', 'ray'], standalone_mode=False)",
    )
    Path("suite.toml").write_text(TINY)
    script = f"try:\n  {'; '.join(lines)}\nfinally:\n  print('torch' in sys.modules)"
    command = [sys.executable, "-c", script]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=own, capture_output=True, text=True)
    assert "segbench[ray]" in done.stderr
    assert done.stdout == "False\n"
