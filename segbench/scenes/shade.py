"""From the map of parts to a picture: texture, shadows, haze, light, rain and sensor noise."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from segbench.scenes.canvas import Canvas
from segbench.types import Image as Picture

Field = NDArray[np.float32]


def shade(canvas: Canvas, rng: np.random.Generator, factor: int) -> Picture:
    """The picture of what was drawn, ``factor`` times smaller than the canvas, (H, W, 3)."""
    light = canvas.light
    parts, numbers = canvas.parts, canvas.part_map()
    on_ground = (numbers > 0) & (numbers < canvas.ground_parts)

    colours = np.array([part.colour for part in parts], np.float32)
    picture = colours[numbers]
    picture *= (_texture(canvas, rng) * _shadow(canvas, on_ground))[..., None]

    sky, clouds = numbers == 0, _blotches(rng, numbers.shape, 5) * light.clouds
    picture[sky] = (_sky(canvas) + clouds[..., None])[sky]

    depth = np.array([part.depth for part in parts], np.float32)[numbers]
    ground_depth = np.broadcast_to(canvas.camera.ground()[1], depth.shape)
    depth = np.where(on_ground, ground_depth, depth)
    clear = 1 / (1 + (depth / np.float32(light.sight)) ** 2)
    haze = np.array(light.haze, np.float32)
    picture += (haze - picture) * (1 - np.where(sky, 1, clear))[..., None]

    picture = _reduce(picture, factor) * np.array(light.gain, np.float32)
    if light.rain:
        picture += _rain(picture.shape[:2], rng, light.rain)[..., None]
    picture += rng.standard_normal(picture.shape, np.float32) * np.float32(light.noise)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _texture(canvas: Canvas, rng: np.random.Generator) -> Field:
    """What each pixel's brightness is multiplied with, by its part's texture."""
    numbers = canvas.part_map()
    x, z = canvas.camera.ground()
    fade = 1 / (1 + z / 20)
    tile = rng.standard_normal((256, 256), np.float32)
    soil = tile[(z * 6).astype(np.int32) & 255, (x * 6).astype(np.int32) & 255] * fade
    joints = -(((x % 1.2 < 0.12) | (z % 1.2 < 0.12)) * fade)
    grain = np.repeat(
        rng.standard_normal((numbers.shape[0], numbers.shape[1] // 2), np.float32), 2, 1
    )
    leaves = _blotches(rng, numbers.shape, 40)

    strengths = np.array([part.texture for part in canvas.parts], np.float32)
    change = np.ones(numbers.shape, np.float32)
    for column, noise in enumerate((grain, leaves, soil, joints)):
        change += strengths[:, column][numbers] * noise
    return np.maximum(change, 0.2)


def _shadow(canvas: Canvas, on_ground: NDArray[np.bool_]) -> Field:
    strength = canvas.shadow_map().astype(np.float32) / 255
    return 1 - np.where(on_ground, 0.6 * strength, 0)


def _sky(canvas: Canvas) -> Field:
    """The clear sky's colour at each row, (H, 1, 3)."""
    height = canvas.camera.size[0]
    down = np.minimum(np.arange(height, dtype=np.float32) / (0.55 * height), 1)[:, None, None]
    top, low = (np.array(c, np.float32) for c in (canvas.light.sky_top, canvas.light.sky_low))
    return top + (low - top) * down


def _blotches(rng: np.random.Generator, size: tuple[int, ...], cells: int) -> Field:
    """Soft noise with about ``cells`` spots over the height."""
    height, width = size
    coarse = rng.standard_normal((cells, cells * width // height), np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def _rain(size: tuple[int, ...], rng: np.random.Generator, drops: int) -> Field:
    height, width = size
    streaks = Image.new("L", (width, height))
    draw = ImageDraw.Draw(streaks)
    for u, v, length in rng.random((drops, 3)):
        x, y, fall = u * width, v * height, (0.04 + 0.1 * length) * height
        draw.line((x, y, x - fall * 0.15, y + fall), fill=int(26 + 30 * length))
    return np.asarray(streaks).astype(np.float32)


def _reduce(picture: Field, factor: int) -> Field:
    """The mean of each block of ``factor`` x ``factor`` pixels."""
    blocks = [picture[i::factor, j::factor] for i in range(factor) for j in range(factor)]
    return np.stack(blocks).mean(0)
