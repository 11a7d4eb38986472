"""How far an engine's INT8 is from exact execution, on a few calibration frames."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from segbench.device import cpu_extensions
from segbench.inference.agreement import Agreement, full_batches, output_of
from segbench.types import Session, Setup

from ..session import OnnxSession
from .network import calibration_of, remembered

FORMAT = 1
"""Increase it when the measurement changes."""
FRAMES = 4
LARGEST_ERROR = 0.1
LEAST_AGREEMENT = 0.9
"""For class maps only. Correct kernels round some values differently, which amounts to 6% of
MobileNetV2's logits and of its classes."""

AnySession = TypeVar("AnySession", bound=Session)


def with_arithmetic(session: AnySession, graph: Path, setup: Setup) -> AnySession:
    """The session, with its difference from the exact execution of ``graph`` in ``details``.

    ``arithmetic_error`` is the root mean square of the logits' difference over that of the exact
    logits (null for class maps), ``arithmetic_agreement`` the share of pixels with the same class.
    Too large a difference is added to ``doubts``. Cached per engine, kind of CPU and graph.
    """
    frames = calibration_of(setup).images[:FRAMES]
    about = (FORMAT, session.engine, cpu_extensions(), frames.shape)
    key = hashlib.sha256(repr(about).encode() + graph.read_bytes() + frames.tobytes())
    name = f"{key.hexdigest()[:32]}.arithmetic.json"
    found = remembered(name, lambda: measure(session, graph, setup))
    session.details = {**session.details, **found, "doubts": doubts(**found)}
    return session


def measure(session: Session, graph: Path, setup: Setup) -> dict[str, float | None]:
    """The error and the agreement under the record's names."""
    exact = OnnxSession(graph, replace(setup, device="cpu"), "int8", exact=True)
    agreement = Agreement()
    for images in full_batches(calibration_of(setup).images[:FRAMES], setup.batch_size):
        agreement.add(output_of(session, images), output_of(exact, images))
    metrics = agreement.metrics()
    return {
        "arithmetic_error": metrics["logit_error"],
        "arithmetic_agreement": metrics["agreement"],
    }


def doubts(arithmetic_error: float | None, arithmetic_agreement: float) -> list[str]:
    """A doubt if the engine is too far from its graph.

    The logits decide if there are any; class maps differ at near-ties.
    """
    if arithmetic_error is None:
        far = arithmetic_agreement < LEAST_AGREEMENT
        what = f"only {arithmetic_agreement:.1%} of its pixels match"
    else:
        far = arithmetic_error > LARGEST_ERROR
        what = f"its logits are {arithmetic_error:.0%} off"
    return [f"{what} the exact execution of its INT8 graph"] if far else []
