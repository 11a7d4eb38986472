"""The light and the weather a scene is seen in."""

from dataclasses import dataclass

import numpy as np

from segbench.scenes.paint import jitter, pick
from segbench.types import Color


@dataclass(frozen=True)
class Light:
    """One weather. Colours are RGB levels.

    ``gain`` multiplies the scene's colours, ``left`` and ``right`` those of the faces that look
    that way. ``sight`` is the distance in metres at which half of a colour is lost to ``haze``.
    ``lit`` is the share of windows with a lamp behind them, ``rain`` the number of streaks.
    """

    name: str
    sky_top: Color
    sky_low: Color
    clouds: float
    gain: tuple[float, float, float]
    left: float
    right: float
    shadows: float
    haze: Color
    sight: float
    lit: float = 0.0
    rain: int = 0
    noise: float = 3.0


def random_light(rng: np.random.Generator) -> Light:
    """Sun, clouds, dusk, fog or rain, each in its own variety."""
    name = pick(rng, ("sun", "sun", "clouds", "clouds", "dusk", "fog", "rain"))
    level = float(rng.uniform(0.8, 1.12))
    low, high = (0.7, 1.08) if name == "sun" else (0.85, 0.97)
    left, right = (low, high) if rng.random() < 0.5 else (high, low)
    noise = float(rng.uniform(1.5, 5))
    if name == "sun":
        top, horizon = pick(
            rng, (((70, 130, 205), (185, 210, 232)), ((95, 150, 210), (232, 222, 200)))
        )
        return Light(
            name,
            jitter(rng, top, 18),
            jitter(rng, horizon, 14),
            float(rng.uniform(0, 26)),
            (1.05 * level, level, 0.93 * level),
            left,
            right,
            0.5,
            horizon,
            260,
            noise=noise,
        )
    if name == "clouds":
        grey = jitter(rng, (188, 192, 198), 30)
        return Light(
            name,
            jitter(rng, grey, 12),
            jitter(rng, (205, 208, 212), 20),
            20,
            (0.93 * level, 0.95 * level, level),
            left,
            right,
            0.12,
            grey,
            180,
            noise=noise,
        )
    if name == "dusk":
        horizon = jitter(rng, pick(rng, ((235, 160, 110), (214, 130, 140), (240, 190, 120))), 18)
        gain = (0.72 * level, 0.6 * level, 0.66 * level)
        return Light(
            name,
            jitter(rng, (78, 82, 130), 22),
            horizon,
            18,
            gain,
            left,
            right,
            0.2,
            horizon,
            150,
            lit=0.4,
            noise=noise + 2,
        )
    if name == "fog":
        haze = jitter(rng, (196, 200, 203), 16)
        return Light(
            name,
            haze,
            haze,
            5,
            (0.9 * level,) * 3,
            left,
            right,
            0.05,
            haze,
            float(rng.uniform(28, 60)),
            lit=0.1,
            noise=noise,
        )
    haze = jitter(rng, (140, 148, 158), 20)
    return Light(
        name,
        jitter(rng, (118, 126, 138), 22),
        haze,
        24,
        (0.68 * level, 0.72 * level, 0.8 * level),
        left,
        right,
        0.06,
        haze,
        70,
        lit=0.2,
        rain=int(rng.integers(40, 140)),
        noise=noise + 1,
    )
