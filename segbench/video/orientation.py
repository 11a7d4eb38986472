"""How the stored pictures of a video are turned to be shown: its display matrix.

The matrix is 3x3 in nine integers, as ISO/IEC 14496-12 has it: a stored point (p, q) is shown at
(a p + c q, b p + d q) with a, b, c, d at the places 0, 1, 3, 4.
"""

from dataclasses import dataclass

import numpy as np

from segbench.types import Image

Matrix = tuple[int, ...]


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture down, and the matrix that it came from."""

    matrix: Matrix | None = None
    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    def upright(self, stored: Image) -> Image:
        """A stored picture (H, W, 3) as it is shown."""
        turned = stored.swapaxes(0, 1) if self.transposed else stored
        return np.ascontiguousarray(self._flipped(turned))

    def stored(self, upright: Image) -> Image:
        """The way back."""
        flipped = self._flipped(upright)
        return np.ascontiguousarray(flipped.swapaxes(0, 1) if self.transposed else flipped)

    def _flipped(self, image: Image) -> Image:
        return image[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]


UPRIGHT = Orientation()


def orientation_of(matrix: Matrix | None) -> Orientation:
    """The nearest of the eight ways; None is upright."""
    if matrix is None:
        return UPRIGHT
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    transposed = abs(b) > abs(a)
    across, down = (c, b) if transposed else (a, d)
    return Orientation(matrix, transposed, mirrored=across < 0, upside_down=down < 0)
