"""Type aliases for sizes, colours and arrays."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

IGNORED = 255

Size = tuple[int, int]
Color = tuple[int, int, int]
ClassMap = NDArray[np.uint8]
Image = NDArray[np.uint8]
Counts = dict[str, NDArray[Any]]
Arithmetic = Literal["fp32", "fp16", "bf16", "int8"]
