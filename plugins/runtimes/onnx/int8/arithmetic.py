"""How far an engine's INT8 is from what its graph says, on a few calibration frames."""

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
"""Goes up when the same session would be measured in another way."""
FRAMES = 4
LARGEST_ERROR = 0.1
LEAST_AGREEMENT = 0.9
"""Where there are only class maps. Sound kernels round a few values in another direction, which
comes to 6% of MobileNetV2's logits and of its classes."""

AnySession = TypeVar("AnySession", bound=Session)


def with_arithmetic(session: AnySession, graph: Path, setup: Setup) -> AnySession:
    """The session, whose ``details`` say how far it is from the exact execution of ``graph``.

    ``arithmetic_error`` is the root mean square of the logits' difference over that of the exact
    logits (null for class maps), ``arithmetic_agreement`` the share of pixels with the same class.
    What is too far is among its ``doubts``. Measured once for an engine, a kind of CPU and a graph.
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
    """A sentence where the engine is too far from its graph.

    The logits decide where there are any; class maps differ at near-ties.
    """
    if arithmetic_error is None:
        far = arithmetic_agreement < LEAST_AGREEMENT
        what = f"only {arithmetic_agreement:.1%} of its pixels have the class"
    else:
        far = arithmetic_error > LARGEST_ERROR
        what = f"its logits are {arithmetic_error:.0%} off those"
    return [f"{what} of the exact execution of its INT8 graph"] if far else []
