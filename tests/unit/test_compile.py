"""The runtime ``compile`` never runs a network in eager."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segbench.errors import SegbenchError
from segbench.testing import tiny_network
from segbench.types import Setup
from segbench_plugins.runtimes.pytorch import compile

SETUP = Setup((32, 64), device="cpu")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The graphs that torch compiles, with a backend that does nothing to them."""
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    monkeypatch.setattr(compile, "compiler_is_here", lambda: True)
    return graphs


def test_ten_networks_in_one_process_are_all_compiled(compiled: list[Any]) -> None:
    sessions = [compile.open_session(tiny_network(classes), SETUP) for classes in range(2, 12)]
    assert len(compiled) == len(sessions)
    for session in sessions:
        session.run(torch.zeros(1, 3, *SETUP.size))
    assert len(compiled) == len(sessions)


def test_a_compiler_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("Failed to find C compiler.")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    monkeypatch.setattr(compile, "compiler_is_here", lambda: True)
    with pytest.raises(SegbenchError, match=r"cannot compile .*Failed to find C compiler.*eager"):
        compile.open_session(tiny_network(), SETUP)


def test_the_compiler_is_the_one_that_torch_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("c++", "other"):
        (tmp_path / name).touch(0o755)
    monkeypatch.delenv("CXX", raising=False)
    assert not compile.compiler_is_here()
    monkeypatch.setenv("CXX", "other")
    assert compile.compiler_is_here()


class Breaking(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        torch._dynamo.graph_break()
        return images


@pytest.mark.usefixtures("compiled")
def test_a_network_that_is_compiled_in_part_is_refused() -> None:
    model = tiny_network()
    model.net = nn.Sequential(model.net, Breaking())
    with pytest.raises(SegbenchError, match="cannot compile the whole network"):
        compile.open_session(model, SETUP)
