"""Overlays: class colours over an image, a legend, a caption."""

from collections.abc import Iterable
from functools import cache

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from segbench.types import IGNORED, ClassMap, Color, Dataset, Image

PAPER = (250, 250, 250)
INK = (30, 30, 30)
ROWS = 256
DRAWINGS = ("overlay", "side-by-side", "color")


def drawing(
    kind: str, image: Image, class_map: ClassMap, dataset: Dataset, opacity: float = 0.5
) -> Image:
    """One of DRAWINGS in the dataset's colours; ``class_map`` (H, W) is of the image's size.

    "overlay" is the tinted image, "side-by-side" shows the plain image on its left; both have a
    legend below. "color" is (H, W, 3): only the classes, black for IGNORED.
    """
    if kind == "color":
        return overlay(np.zeros_like(image), class_map, dataset.palette, 1.0)
    drawn = overlay(image, class_map, dataset.palette, opacity)
    if kind == "side-by-side":
        drawn = np.hstack([image, drawn])
    return legend(drawn, class_map, dataset.classes, dataset.palette)


def overlay(
    image: Image, class_map: ClassMap, palette: tuple[Color, ...], opacity: float = 0.5
) -> Image:
    """The image (H, W, 3) with each pixel of ``class_map`` (H, W) tinted in its class's colour.

    ``opacity`` runs from 0 (only the image) to 1 (only the colours). IGNORED pixels are unchanged.
    """
    weight = round(opacity * 256)
    kept = np.full(256, 256, np.uint16)
    kept[: len(palette)] = 256 - weight
    kept[IGNORED] = 256
    tints = np.full((3, 256), 128, np.uint16)  # rounds the shift below
    tints[:, : len(palette)] += np.array(palette, np.uint16).T * weight
    drawn = np.empty(image.shape, np.uint8)
    for start in range(0, len(image), ROWS):  # copy a few rows at a time to 16 bits
        rows = slice(start, start + ROWS)
        here, share = class_map[rows], np.take(kept, class_map[rows])
        for channel, tint in enumerate(tints):
            mixed = image[rows, :, channel] * share + np.take(tint, here)
            drawn[rows, :, channel] = mixed >> 8
    return drawn


def legend(
    image: Image, class_map: ClassMap, classes: tuple[str, ...], palette: tuple[Color, ...]
) -> Image:
    """The image with a strip below that names the classes present in ``class_map``."""
    height, width = image.shape[:2]
    present = [index for index in np.unique(class_map) if index < len(classes)]
    if not present:
        return image
    text_size = max(11, width // 50)
    font = _font(text_size)
    row = text_size * 3 // 2
    swatch = text_size
    gap = text_size // 2
    longest = max(font.getlength(classes[index]) for index in present)
    column = swatch + 3 * gap + int(longest)
    columns = max(1, (width - gap) // column)
    rows = -(-len(present) // columns)
    picture = PIL.Image.new("RGB", (width, height + rows * row + gap), PAPER)
    picture.paste(PIL.Image.fromarray(image), (0, 0))
    draw = ImageDraw.Draw(picture)
    for place, index in enumerate(present):
        x = gap + place % columns * column
        y = height + gap + place // columns * row
        draw.rectangle((x, y, x + swatch - 1, y + swatch - 1), palette[index], INK)
        middle = (x + swatch + gap, y + swatch // 2)
        draw.text(middle, classes[index], INK, font, anchor="lm")
    return np.array(picture)


def caption(image: Image, text: str) -> Image:
    """A copy of the image with lines of text in its upper left corner, on a dark ground.

    Lines wrap at half of the image's width, unless they would take a quarter of its height; then
    lines wider than the image are set smaller.
    """
    height, width = image.shape[:2]
    size = max(11, width // 50)
    broken = _broken(text.splitlines(), _font(size), width // 2)
    if size * len(broken) < height / 4:
        text = "\n".join(broken)
    longest = max(map(_font(size).getlength, text.splitlines()))
    font = _font(max(6, min(size, int(size * (width - size) / longest))))
    measure = ImageDraw.Draw(PIL.Image.new("L", (1, 1)))
    gap = round(font.size) // 2
    _, _, right, bottom = measure.multiline_textbbox((gap, gap), text, font)
    label = PIL.Image.new("RGB", (round(right) + gap, round(bottom) + gap), INK)
    ImageDraw.Draw(label).multiline_text((gap, gap), text, PAPER, font)
    drawn = image.copy()
    drawn[: label.height, : label.width] = np.array(label)[:height, :width]
    return drawn


def _broken(lines: Iterable[str], font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The lines, broken between words where they are wider than ``width`` pixels.

    Spaces are doubled, since they are barely visible at small sizes.
    """
    broken: list[str] = []
    for line in lines:
        first, *words = line.split()
        broken.append(first)
        for word in words:
            longer = f"{broken[-1]}  {word}"
            if font.getlength(longer) <= width:
                broken[-1] = longer
            else:
                broken.append(word)
    return broken


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
