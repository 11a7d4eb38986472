"""Several latency measurements, one after the other: sizes and batch sizes."""

from collections.abc import Sequence

from segbench.errors import SegbenchError
from segbench.jobs.latency import LatencyOptions, Outcome, latency, runs_here
from segbench.jobs.latency_isolated import latency_isolated
from segbench.latency.group import REFERENCE
from segbench.plugins import Registry
from segbench.progress import Reporter

ALL = "all"


def named_runtimes(
    names: Sequence[str], device: str, registry: Registry, for_onnx: bool = False
) -> tuple[str, ...]:
    """Each name once; "all" stands for every runtime that runs here, eager first.

    With ``for_onnx`` these are only those that load a user's ONNX file.
    """
    chosen: list[str] = []
    for name in names:
        if name == ALL:
            able = [each for each in registry.runtimes if each.loads_onnx or not for_onnx]
            usable = [each.name for each in able if runs_here(each, device, registry)]
            chosen += sorted(usable, key=lambda each: each != REFERENCE)
        else:
            chosen.append(registry.runtime(name).name)
    return tuple(dict.fromkeys(chosen))


def latency_sweep(
    asked: Sequence[LatencyOptions], isolate: bool, registry: Registry, reporter: Reporter
) -> Outcome:
    """Measure each; of several, one that cannot be measured leaves the others."""
    whole = Outcome()
    for options in asked:
        try:
            part = (
                latency_isolated(options, reporter)
                if isolate
                else latency(options, registry, reporter)
            )
        except SegbenchError as error:
            if len(asked) == 1:
                raise
            reporter.say(f"{options.runtimes[0]} was not measured: {error.message}")
            whole.failed += options.count
            continue
        whole.records += part.records
        whole.failed += part.failed
        if part.interrupted:
            whole.interrupted = True
            break
    return whole
