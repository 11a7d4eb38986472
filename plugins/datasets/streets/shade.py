"""From the map of parts to a picture: texture, shadows, haze, light, rain and sensor noise."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from segbench.types import Image as Picture
from segbench.types import Size

from .canvas import Canvas

Field = NDArray[np.float32]


def shade(canvas: Canvas, rng: np.random.Generator, factor: int) -> Picture:
    """The shaded picture, ``factor`` times smaller than the canvas, (H, W, 3)."""
    light, numbers = canvas.light, canvas.part_map()
    sky, ground = numbers == 0, (numbers > 0) & (numbers < canvas.ground_parts)
    colours = np.array([part.colour for part in canvas.parts], np.float32)
    depths = np.array([part.depth for part in canvas.parts], np.float32)
    x, z = canvas.camera.ground()

    brightness = _texture(canvas, numbers, x, z, rng)
    shadow = canvas.shadow_map().astype(np.float32) * (0.6 / 255)
    brightness *= 1 - np.where(ground, shadow, 0)
    depth = np.where(ground, z, depths[numbers]) / np.float32(light.sight)
    clear = np.reciprocal(1 + depth * depth)
    haze = np.array(light.sky_low, np.float32)
    picture: Field = colours[numbers] * (brightness * clear)[..., None]
    picture += haze * (1 - clear)[..., None]
    np.copyto(picture, _sky(canvas, rng), where=sky[..., None])

    picture = _reduce(picture, factor) * np.array(light.gain, np.float32)
    if light.rain:
        picture += _rain(picture.shape[:2], rng, light.rain)[..., None]
    picture += rng.standard_normal(picture.shape, np.float32) * np.float32(light.noise)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _texture(
    canvas: Canvas, numbers: NDArray[np.int32], x: Field, z: Field, rng: np.random.Generator
) -> Field:
    """The brightness factor of each pixel from its part's texture."""
    height, width = numbers.shape
    fade = 1 / (1 + z / 20)
    tile = rng.standard_normal((256, 256), np.float32)
    soil = tile[(z * 6).astype(np.int32) & 255, (x * 6).astype(np.int32) & 255] * fade
    joints = np.where(_joint(x) | _joint(z), -fade, 0)
    grain = np.repeat(rng.standard_normal((height, width // 2), np.float32), 2, 1)
    leaves = _blotches(rng, (height, width), 40)
    strengths = np.array([part.texture for part in canvas.parts], np.float32)
    change = np.ones(numbers.shape, np.float32)
    for strength, noise in zip(strengths.T, (grain, leaves, soil, joints), strict=True):
        change += strength[numbers] * noise
    return np.maximum(change, 0.2)


def _joint(metres: Field) -> NDArray[np.bool_]:
    """The mask of joints between paving stones of 1.25 m."""
    stones = metres * np.float32(0.8)
    return stones - np.floor(stones) < 0.1


def _sky(canvas: Canvas, rng: np.random.Generator) -> Field:
    """The sky over the whole canvas, (H, W, 3): brighter towards the horizon, with clouds."""
    height, width = canvas.camera.size
    down = np.minimum(np.arange(height, dtype=np.float32) / (0.55 * height), 1)[:, None, None]
    top, low = (np.array(c, np.float32) for c in (canvas.light.sky_top, canvas.light.sky_low))
    clouds = _blotches(rng, (height, width), 9, stretch=3)
    return top + (low - top) * down + clouds[..., None] * np.float32(canvas.light.clouds)


def _blotches(rng: np.random.Generator, size: Size, cells: int, stretch: int = 1) -> Field:
    """Soft noise with ``cells`` spots over the height, each ``stretch`` times as wide as high."""
    height, width = size
    coarse = rng.standard_normal((cells, cells * width // (height * stretch)), np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def _rain(size: Size, rng: np.random.Generator, drops: int) -> Field:
    height, width = size
    streaks = Image.new("L", (width, height))
    draw = ImageDraw.Draw(streaks)
    for u, v, length in rng.random((drops, 3)).tolist():
        x, y, fall = u * width, v * height, (0.04 + 0.1 * length) * height
        draw.line((x, y, x - fall * 0.15, y + fall), fill=int(26 + 30 * length))
    return np.asarray(streaks).astype(np.float32)


def _reduce(picture: Field, factor: int) -> Field:
    """The mean of each block of ``factor`` x ``factor`` pixels."""
    blocks = [picture[i::factor, j::factor] for i in range(factor) for j in range(factor)]
    return sum(blocks[1:], blocks[0]) / np.float32(len(blocks))
