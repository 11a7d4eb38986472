"""The measures of the plot, in SVG units."""

WIDTH = 640
LEFT, RIGHT, TOP, BOTTOM = 68, 628, 14, 320
LETTER = 6.8
"""Width of a letter, of a wide font."""
RADIUS = 6.5
"""Of a mark."""
