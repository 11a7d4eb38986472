"""What every test shares: where real data lies, and a cache folder of the test's own."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's cache."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SEGBENCH_CACHE", str(cache))
    return cache


@pytest.fixture(autouse=True)
def no_default_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test names its data: the commands' default is not what the user has set."""
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)


@pytest.fixture(scope="module")
def cache_of_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache_of_module")


@pytest.fixture
def shared_cache(own_cache: Path, cache_of_module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache for all tests of a module that ask for it, where these need the same networks."""
    monkeypatch.setenv("SEGBENCH_CACHE", str(cache_of_module))


@pytest.fixture(scope="session", autouse=True)
def one_table_of_operators() -> Iterator[None]:
    """torch builds its table of ONNX operators for every export, in a second; here it does once."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        once = staticmethod(cache(ONNXRegistry.from_torchlib))
        patch.setattr(ONNXRegistry, "from_torchlib", once)
        yield


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with real data: ``$SEGBENCH_DATA``, else the one beside the project."""
    root = Path(os.environ.get("SEGBENCH_DATA", SHARED / "data"))
    if not root.is_dir():
        pytest.skip("needs real data: set SEGBENCH_DATA to a folder with camvid/, kitti_road/, ...")
    return root


@pytest.fixture(scope="session")
def weights_root() -> Path:
    """The folder with ImageNet weights as safetensors."""
    root = Path(os.environ.get("SEGBENCH_WEIGHTS", SHARED / "weights"))
    if not root.is_dir():
        pytest.skip("needs ImageNet weights: set SEGBENCH_WEIGHTS to a folder of safetensors")
    return root
