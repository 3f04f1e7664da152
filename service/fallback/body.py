"""How a person's shoulders move in the coded square: four marks that go along with them.

No mesh tells of shoulders.  What does is the registration that the avatar's torso moves by
(`enroll.torso`), against the first picture that shows a face; it says how the torso has moved
since then, by shift, roll and scale.  Four marks that are at rest there stand for that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.face import Window
from codec.mttf.guide import BODY
from enroll.crops import cut_window
from enroll.matte import MatteSource
from enroll.torso import SIZE, TorsoRegistration, TorsoSettings, torso_reference

Array = NDArray[Any]
_CHIN = 152  # of the mesh
_AGREEMENT = TorsoSettings.agreement  # 0.2 to 0.7 with things held up, 0.74 and more without


class BodyReader:
    """Takes the frames in order."""

    def __init__(self, matte: MatteSource | None = None) -> None:
        """matte: MediaPipe's by default, made for the one picture that is needed of it."""
        self._matte = matte
        self._registration: TorsoRegistration | None = None

    def see(self, image: NDArray[np.uint8], mesh: Array, window: Window) -> Array:
        """The marks [4, 2] in a frame, 0 .. 1 of the window, as `guide.BODY` where nothing moved
        or no torso is seen.  mesh: [478, 2] of the frame, the same."""
        small = cut_window(image, window, SIZE)
        if self._registration is None:
            self._registration = registration(small, self._mask(small), mesh)
        return moved(self._registration, grey(small))

    def _mask(self, small: NDArray[np.uint8]) -> Array:
        from enroll.matte import SelfieMatte

        matte = self._matte or SelfieMatte()
        try:
            mask = matte.matte(small)
        finally:
            matte.close()
        step = max(1, len(mask) // SIZE)
        return np.round(255 * np.clip(mask[::step, ::step][:SIZE, :SIZE], 0, 1)).astype(np.uint8)


def bodies(pictures: Array, mattes: Array, meshes: Array) -> Array:
    """The same of a clip's pictures [F, S, S, 3] in order, with mattes [F, M, M] uint8 at hand ->
    [F, 4, 2] float32; at rest in the middle picture, from which it goes both ways."""
    import cv2

    small = [cv2.resize(p, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for p in pictures]
    middle = len(small) // 2
    mask = cv2.resize(mattes[middle], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    torso = registration(small[middle], mask, meshes[middle])
    found = np.empty((len(small), *BODY.shape), np.float32)
    for rows in (range(middle, len(small)), range(middle, -1, -1)):
        torso.reset()
        for row in rows:
            found[row] = moved(torso, grey(small[row]))
    return found


def registration(small: NDArray[np.uint8], mask: Array, mesh: Array) -> TorsoRegistration:
    """small: [64, 64, 3], mask: [64, 64] uint8 of the picture in which the torso is at rest."""
    return TorsoRegistration(torso_reference(grey(small), mask, float(mesh[_CHIN, 1])))


def moved(torso: TorsoRegistration, picture: Array) -> Array:
    """[4, 2] the marks in a grey picture [64, 64]; at rest where what is seen there is not the
    torso: something that is held before it would take them along."""
    across, down, roll, scale = torso.step(picture)
    if torso.agreement < _AGREEMENT:
        return BODY.copy()
    turn = np.exp(scale) * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    middle = (np.array(torso.middle) + 0.5) / SIZE
    placed: Array = (BODY - middle) @ turn.T + middle + [across, down]
    return placed.astype(np.float32)


def grey(picture: NDArray[np.uint8]) -> Array:
    import cv2

    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
