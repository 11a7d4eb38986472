"""First weights that a hub offers, without a hub."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from segbench.errors import SegbenchError
from segbench.inference import downloads
from segbench.inference.downloads import Download, cache_folder, check_weights, reachable
from segbench_plugins.backbones.mobilenet import segbench_backbones


def nothing() -> Mapping[str, Any]:
    return {}


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("hub", ["Hugging Face", "PyTorch"])
def test_weights_can_be_had_from_the_hub_or_its_cache(
    hub: downloads.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    check: Callable[[], None] = partial(
        check_weights, "imagenet", {"imagenet": Download(nothing, hub, "net-*")}
    )
    monkeypatch.setattr(downloads, "reachable", lambda url: True)
    check()
    monkeypatch.setattr(downloads, "reachable", lambda url: False)
    with pytest.raises(SegbenchError, match="go online once"):
        check()
    (cache_folder(hub) / "net-1.pth").mkdir(parents=True)
    check()


def test_a_home_folder_in_a_variable_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", "~/torch")
    monkeypatch.setenv("HF_HUB_CACHE", "$HOME/hub")
    assert cache_folder("PyTorch") == tmp_path / "torch/hub/checkpoints"
    assert cache_folder("Hugging Face") == tmp_path / "hub"


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("url", ["mirror.example", ""])
def test_an_address_that_is_none_is_not_reachable(url: str) -> None:
    assert not reachable(url)


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_an_interrupted_download_is_not_taken_for_the_weights(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(downloads, "reachable", lambda url: False)
    (mobilenet,) = (each for each in segbench_backbones() if each.name == "mobilenet")
    assert isinstance(mobilenet.imagenet, Download)
    repository = cache_folder("Hugging Face") / "models--timm--mobilenetv2_100.ra_in1k"
    (repository / "blobs").mkdir(parents=True)
    (repository / "blobs/b33bc2c4.incomplete").touch()
    with pytest.raises(SegbenchError, match="go online once"):
        mobilenet.imagenet.check()
    snapshot = repository / "snapshots/8bc1eb5"
    snapshot.mkdir(parents=True)
    (snapshot / file).touch()
    mobilenet.imagenet.check()


@pytest.mark.parametrize(("online", "offline"), [(True, None), (False, "1")])
def test_cached_weights_do_not_keep_later_downloads_offline(
    online: bool, offline: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(downloads, "reachable", lambda url: online)
    (cache_folder("Hugging Face") / "net-1").mkdir(parents=True)
    Download(nothing, "Hugging Face", "net-*").check()
    assert os.environ.get("HF_HUB_OFFLINE") == offline


def test_what_is_no_download_has_to_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "w.pth").touch()
    check_weights(str(tmp_path / "w.pth"), {})
    check_weights("none", {})
    check_weights("voc", {"voc": nothing})
    with pytest.raises(SegbenchError, match=r"no file nope\.pth"):
        check_weights("nope.pth", {"voc": nothing})


def test_a_server_that_refuses_is_reachable_and_a_closed_port_is_not() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert reachable(url)
    assert not reachable(url)
