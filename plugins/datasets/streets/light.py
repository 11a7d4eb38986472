"""The light and weather of a scene."""

from dataclasses import dataclass

import numpy as np

from segbench.types import Color

from .paint import jitter, pick


@dataclass(frozen=True)
class Weather:
    """A kind of weather; ``random_light`` varies it. Colours are RGB levels.

    ``clouds`` is the sky's unevenness in levels, ``gain`` the factor on the scene's colours,
    ``side`` the range of light on faces turned from and to the sun, ``shadow`` the strength of
    shadows on the ground, ``sight`` the range of distances in metres at which haze hides half of a
    colour, ``lit`` the share of lit windows.
    """

    sky_top: Color
    sky_low: Color
    clouds: float
    gain: tuple[float, float, float]
    side: tuple[float, float]
    shadow: float
    sight: tuple[float, float]
    lit: float = 0.0
    rain: bool = False


SUN = Weather((80, 138, 206), (190, 212, 230), 14, (1.06, 1.0, 0.94), (0.7, 1.08), 0.5, (200, 320))
HAZY = Weather((120, 160, 206), (232, 220, 198), 22, (1.06, 1.0, 0.9), (0.74, 1.05), 0.4, (90, 160))
CLOUDS = Weather(
    (182, 188, 196), (206, 209, 213), 20, (0.93, 0.95, 1), (0.88, 0.97), 0.12, (120, 220)
)
DUSK = Weather(
    (80, 82, 128), (230, 158, 120), 18, (0.74, 0.62, 0.66), (0.8, 1.0), 0.2, (120, 180), 0.4
)
FOG = Weather(
    (196, 200, 203), (196, 200, 203), 4, (0.9, 0.9, 0.9), (0.9, 0.97), 0.05, (28, 60), 0.1
)
RAIN = Weather(
    (118, 126, 138),
    (140, 148, 158),
    24,
    (0.68, 0.72, 0.8),
    (0.88, 0.97),
    0.06,
    (50, 90),
    0.2,
    rain=True,
)
WEATHERS = (SUN, SUN, HAZY, CLOUDS, CLOUDS, DUSK, FOG, RAIN)


@dataclass(frozen=True)
class Light:
    """One variation of a weather, as the camera sees it.

    ``left`` and ``right`` multiply the colours of faces that look that way; ``rain`` is the
    number of streaks, ``noise`` the standard deviation of sensor noise in levels.
    """

    sky_top: Color
    sky_low: Color
    clouds: float
    gain: tuple[float, float, float]
    left: float
    right: float
    shadow: float
    sight: float
    lit: float
    rain: int
    noise: float


def random_light(rng: np.random.Generator) -> Light:
    """A weather with the sun on one side, and random exposure and white balance."""
    weather = pick(rng, WEATHERS)
    left, right = weather.side if rng.random() < 0.5 else weather.side[::-1]
    exposure = float(rng.uniform(0.75, 1.15))
    red, green, blue = rng.uniform(0.93, 1.07, size=3).tolist()
    r, g, b = weather.gain
    return Light(
        sky_top=jitter(rng, weather.sky_top, 20),
        sky_low=jitter(rng, weather.sky_low, 20),
        clouds=weather.clouds,
        gain=(r * red * exposure, g * green * exposure, b * blue * exposure),
        left=left,
        right=right,
        shadow=weather.shadow,
        sight=float(rng.uniform(*weather.sight)),
        lit=weather.lit,
        rain=int(rng.integers(40, 140)) if weather.rain else 0,
        noise=float(rng.uniform(1.5, 6)),
    )
