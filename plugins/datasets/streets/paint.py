"""Random colours that overlap between classes, so that colour does not identify a class."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from segbench.types import Color

T = TypeVar("T")

STONES = (
    (150, 146, 138), (186, 172, 148), (166, 96, 76), (206, 198, 184), (120, 118, 122),
    (196, 156, 108), (142, 160, 170), (214, 180, 160), (104, 92, 84), (168, 176, 150),
    (110, 122, 88), (132, 110, 70),
)  # fmt: skip
FOLIAGE = (
    (74, 112, 52), (52, 88, 48), (112, 128, 58), (158, 122, 54), (98, 84, 58), (70, 100, 84),
    (172, 100, 64), (138, 146, 104),
)  # fmt: skip
SOILS = ((106, 128, 66), (86, 110, 58), (146, 132, 92), (128, 108, 80), (150, 146, 110))
ROADS = ((92, 92, 96), (112, 110, 108), (76, 78, 84), (128, 122, 116), (100, 92, 88))
PAVINGS = ((158, 152, 146), (176, 160, 146), (138, 138, 142), (164, 128, 112), (122, 118, 114))
COATS = (
    (28, 30, 36), (208, 208, 210), (232, 232, 228), (120, 124, 130), (164, 30, 34), (34, 62, 128),
    (44, 92, 70), (214, 170, 44), (150, 108, 66), (90, 140, 186), (206, 104, 40), (72, 70, 66),
)  # fmt: skip
SKINS = ((236, 196, 168), (198, 148, 114), (140, 96, 70), (92, 62, 48))
METALS = (
    (96, 98, 100),
    (58, 60, 62),
    (142, 144, 142),
    (72, 84, 74),
    (120, 104, 86),
    (78, 100, 74),
    (168, 156, 132),
)
GLASS = (52, 62, 72)
LAMP = (250, 214, 138)
DARK = (30, 30, 32)


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """One of ``choices``; a choice that is named twice is twice as likely."""
    return choices[int(rng.integers(len(choices)))]


def jitter(rng: np.random.Generator, colour: Color, amount: int = 16) -> Color:
    """A colour near ``colour``: brighter or darker together, and a little in each channel."""
    together, *each = rng.integers(-amount, amount + 1, size=4).tolist()
    return tint([c + together + e // 2 for c, e in zip(colour, each, strict=True)], 1.0)


def paint(rng: np.random.Generator, choices: Sequence[Color], amount: int = 16) -> Color:
    """One of ``choices``, varied."""
    return jitter(rng, pick(rng, choices), amount)


def tint(colour: Sequence[int], factor: float) -> Color:
    """A colour made brighter (above 1) or darker (below 1)."""
    r, g, b = (min(255, max(0, round(c * factor))) for c in colour)
    return r, g, b
