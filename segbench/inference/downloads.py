"""Whether pretrained weights are available: a quick check before torch is imported."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal

from segbench.errors import SegbenchError

if TYPE_CHECKING:
    from torch import Tensor

Hub = Literal["Hugging Face", "PyTorch"]
PATIENCE_S = 2.5


@dataclass(frozen=True)
class Download:
    """Weights that ``fetch`` downloads from ``hub``, or finds in its cache as ``cached_as``.

    ``cached_as`` is a glob pattern in ``cache_folder(hub)``. Calling the object fetches.
    """

    fetch: "Callable[[], Mapping[str, Tensor]]"
    hub: Hub
    cached_as: str

    def __call__(self) -> "Mapping[str, Tensor]":
        """The state dict."""
        return self.fetch()

    def check(self) -> None:
        """Raise SegbenchError if the weights are not cached and the hub does not answer."""
        if reachable(hub_url(self.hub)):
            return
        if self.hub == "Hugging Face":  # its client would look for updates and retry for a minute
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        if not any(cache_folder(self.hub).glob(self.cached_as)):
            raise SegbenchError(
                f"The weights cannot be downloaded, since {hub_url(self.hub)} does not answer; "
                "go online once, or use --weights FILE or --weights none."
            )


def check_weights(weights: str, downloads: Mapping[str, object]) -> None:
    """Raise SegbenchError if ``--weights`` is neither a file nor an available download.

    ``downloads`` are the network's by name, such as "imagenet".
    """
    source = downloads.get(weights)
    if isinstance(source, Download):
        source.check()
    elif source is None and weights not in ("none", "imagenet") and not Path(weights).is_file():
        raise SegbenchError(f"There is no file {weights}; give --weights one that exists.")


def hub_url(hub: Hub) -> str:
    """The address of the hub, or of the mirror that $HF_ENDPOINT names."""
    if hub == "PyTorch":
        return "https://download.pytorch.org"
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co")


def cache_folder(hub: Hub) -> Path:
    """The download cache of the hub's client."""
    home = _folder("XDG_CACHE_HOME", Path("~/.cache"))
    if hub == "PyTorch":
        return _folder("TORCH_HOME", home / "torch") / "hub" / "checkpoints"
    return _folder("HF_HUB_CACHE", _folder("HF_HOME", home / "huggingface") / "hub")


def _folder(variable: str, default: Path) -> Path:
    """The folder that an environment variable names, as the hubs' clients read it."""
    return Path(os.path.expandvars(os.environ.get(variable, default))).expanduser()


def reachable(url: str) -> bool:
    """Whether a server answers, with any status, within ``PATIENCE_S``."""
    answers = []

    def ask() -> None:
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        with suppress(OSError, ValueError, HTTPException):  # ValueError: $HF_ENDPOINT is no URL
            try:
                with urlopen(Request(url, method="HEAD"), timeout=PATIENCE_S):  # noqa: S310 - a hub
                    answers.append(url)
            except HTTPError:
                answers.append(url)

    asking = Thread(target=ask, daemon=True)  # DNS lookups have no timeout
    asking.start()
    asking.join(PATIENCE_S)
    return bool(answers)
