"""Which landmarks of the face mesh outline what people look at in a face."""

from __future__ import annotations

LIPS = (0, 17, 37, 39, 40, 61, 84, 91, 146, 181, 185, 267, 269, 270, 291, 314, 321, 375, 405, 409)
# The subject's right eye and left one: corners and lids.
RIGHT_EYE = (33, 133, 145, 159, 160, 144, 158, 153)
LEFT_EYE = (263, 362, 374, 386, 387, 373, 385, 380)
EYES = RIGHT_EYE + LEFT_EYE
