"""From raw times to a record's figures, and reasons to doubt them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.latency.timing import SAMPLES_FOR_P90, SAMPLES_FOR_P99, Timings

Seconds = NDArray[np.float64]

LARGEST_DRIFT = 0.05
LARGEST_SPREAD = 0.2
BLOCKS_FOR_INTERVAL = 5
RESAMPLES = 2000


def percentile(seconds: Seconds, percent: int) -> float:
    """MLPerf's percentile: sorted sample floor(n * percent / 100)."""
    return float(np.sort(seconds)[len(seconds) * percent // 100])


def figures(timings: Timings, batch_size: int) -> dict[str, Any]:
    """The record's figures; a percentile is None if there are too few samples."""
    seconds = timings.seconds
    supported = supported_percents(len(seconds))
    return {
        **{
            f"p{percent}_ms": 1e3 * percentile(seconds, percent) if percent in supported else None
            for percent in (50, 90, 99)
        },
        "mean_ms": 1e3 * float(seconds.mean()),
        "min_ms": 1e3 * float(seconds.min()),
        "fps": batch_size * len(seconds) / float(seconds.sum()),
        "samples": len(seconds),
        "group": timings.group,
        "first_call_ms": 1e3 * timings.warm_up.first_call,
        "phases": phase_shares(timings),
    }


def supported_percents(samples: int) -> tuple[int, ...]:
    """The percentiles that this many samples support."""
    least = {50: 1, 90: SAMPLES_FOR_P90, 99: SAMPLES_FOR_P99}
    return tuple(percent for percent, needed in least.items() if samples >= needed)


def phase_shares(timings: Timings) -> dict[str, float] | None:
    """The mean share of each phase in a sample; None without phases."""
    if not timings.phases:
        return None
    samples = np.concatenate(timings.blocks)
    shares = (samples[:, 1:] / samples[:, :1]).mean(0)
    return dict(zip(timings.phases, map(float, shares), strict=True))


def timing_doubts(timings: Timings) -> list[str]:
    """Why the figures may not be reproducible, judged by the samples."""
    doubts, samples = [], len(timings.seconds)
    if not timings.complete:
        doubts.append("interrupted")
    if samples < SAMPLES_FOR_P90:
        doubts.append(f"{samples} samples, fewer than {SAMPLES_FOR_P90}")
    return doubts + unsteadiness(timings)


def unsteadiness(timings: Timings) -> list[str]:
    """What a machine at a steady speed would not show."""
    seconds, doubts = timings.seconds, []
    if not timings.warm_up.steady:
        doubts.append("the warm-up did not reach a steady state")
    drifted = drift(seconds)
    if abs(drifted) > LARGEST_DRIFT:
        doubts.append(f"the median drifted {drifted:+.0%} from the first third to the last")
    spread = (percentile(seconds, 75) - percentile(seconds, 25)) / percentile(seconds, 50)
    if spread > LARGEST_SPREAD:
        doubts.append(f"the interquartile range is {spread:.0%} of the median")
    return doubts


def drift(seconds: Seconds) -> float:
    """Relative change of the median from the first third of the queries to the last."""
    third = max(1, len(seconds) // 3)
    return float(np.median(seconds[-third:]) / np.median(seconds[:third]) - 1)


def block_medians(arrays: Mapping[str, NDArray[Any]]) -> Seconds:
    """The median time of each block, from a record's arrays ``seconds`` and ``block``."""
    seconds, block = arrays["seconds"], arrays["block"]
    return np.array([np.median(seconds[block == number]) for number in np.unique(block)])


def speedup(baseline: Seconds, other: Seconds, paired: bool) -> dict[str, float | None]:
    """The speed-up of ``other``, with a 95% percentile bootstrap interval over blocks.

    Both are block medians. ``paired`` blocks come from the same rounds: the speed-up is the median
    of the rounds' ratios, which machine drift does not affect. Otherwise it is the ratio of the
    medians. Fewer than five blocks have no interval.
    """
    if paired:
        rounds = min(len(baseline), len(other))
        ratios = baseline[:rounds] / other[:rounds]
        ratio, resampled = np.median(ratios), _resampled_medians(ratios)
    else:
        ratio = np.median(baseline) / np.median(other)
        resampled = _resampled_medians(baseline) / _resampled_medians(other, seed=1)
    low, high = None, None
    if min(len(baseline), len(other)) >= BLOCKS_FOR_INTERVAL:
        low, high = map(float, np.quantile(resampled, (0.025, 0.975)))
    return {"speedup": float(ratio), "speedup_low": low, "speedup_high": high}


def _resampled_medians(values: Seconds, seed: int = 0) -> Seconds:
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    medians: Seconds = np.median(values[drawn], axis=1)
    return medians
