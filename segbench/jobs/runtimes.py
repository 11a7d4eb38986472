"""Choosing runtimes by name, or all that run here."""

from collections.abc import Sequence

from segbench.errors import SegbenchError
from segbench.inference.opened import check_runtime
from segbench.latency.checks import REFERENCE
from segbench.plugins import Registry
from segbench.types import ModelFormat, Runtime

ALL = "all"


def named_runtimes(
    names: Sequence[str],
    device: str,
    registry: Registry,
    model_format: ModelFormat | None = None,
) -> tuple[str, ...]:
    """Each name once; "all" means every runtime that runs here, eager first.

    With a ``model_format``, only those that load it.
    """
    chosen: list[str] = []
    for name in names:
        if name == ALL:
            able = [r for r in registry.runtimes if not model_format or model_format.runs_on(r)]
            usable = [each.name for each in able if runs_here(each, device, registry)]
            chosen += sorted(usable, key=lambda each: each != REFERENCE)
        else:
            chosen.append(registry.runtime(name).name)
    return tuple(dict.fromkeys(chosen))


def with_fp16(names: Sequence[str], device: str, registry: Registry) -> tuple[str, ...]:
    """``names``; each INT8 runtime that runs here is followed by its FP16 counterpart."""
    wanted = []
    known = {each.name for each in registry.runtimes if not registry.problem(each)}
    for name in names:
        wanted.append(name)
        runtime = registry.runtime(name)
        if runtime.fp16 in known and runs_here(runtime, device, registry):
            wanted.append(runtime.fp16)
    return tuple(dict.fromkeys(wanted))


def check_keep_float(
    names: Sequence[str], keep_float: Sequence[str] | None, registry: Registry
) -> None:
    """Raise SegbenchError if layers are named without an INT8 runtime."""
    if keep_float is not None and not any(registry.runtime(name).calibrates for name in names):
        raise SegbenchError(f"--keep-float needs an INT8 runtime; {', '.join(names)} is not one.")


def runs_here(runtime: Runtime, device: str, registry: Registry) -> bool:
    """Whether its packages are installed and this machine can run it."""
    if registry.problem(runtime):
        return False
    try:
        check_runtime(runtime, device)
    except SegbenchError:
        return False
    return True
