"""Pictures of whichever avatar a call shows, by the thread that asks or by a process apart."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from service.apart import Apart, EndedError
from service.calls.threads import yielding
from service.view import View

Picture = NDArray[np.uint8]


class Drawing:
    """view, device, deadline: as `service.receiver.Renderer` has them."""

    def __init__(self, view: View, device: str = "auto", deadline: float | None = None) -> None:
        self._making = view, device, deadline
        self._renderer: tuple[Avatar, Any] | None = None

    def start(self) -> None:
        """Gets ready beforehand what the first picture needs, on any thread."""
        from render import portrait  # noqa: F401  takes seconds to import
        from render.start import get_ready

        get_ready()

    def picture(self, avatar: Avatar, values: NDArray[np.float32]) -> Picture:
        """One state row [D] -> [height, width, 3] RGB.  Raises StateError."""
        from service.receiver import Renderer

        if self._renderer is None or self._renderer[0].digest != avatar.digest:
            self._renderer = avatar, Renderer(avatar, *self._making)
        elif self._renderer[0] is not avatar:
            self._renderer[1].take(avatar)
            self._renderer = avatar, self._renderer[1]
        return np.asarray(self._renderer[1].picture(values), np.uint8)

    @property
    def left_out(self) -> int:
        """Steps down from the best picture, by the last one."""
        return self._renderer[1].left_out if self._renderer else 0

    def forget(self) -> None:
        """Lets go of the avatar that was drawn last."""
        self._renderer = None

    def close(self) -> None:
        """On any thread."""


class DrawingApart(Drawing):
    """The same in a process of its own.  One that dies is begun anew."""

    def __init__(self, view: View, device: str = "auto", deadline: float | None = None) -> None:
        super().__init__(view, device, deadline)
        self._apart = Apart(_Easel, view, device, deadline)
        self._avatar: Avatar | None = None  # that it has
        self._left_out = 0
        # An avatar is drawn once before a call shows it, beside the thread that draws: what it has
        # taken and what it draws must not be two people's.
        self._drawing = threading.Lock()

    def start(self) -> None:
        self._apart.start()

    def picture(self, avatar: Avatar, values: NDArray[np.float32]) -> Picture:
        """Raises EndedError where the process dies of this picture twice, or is closed, too."""
        with self._drawing:
            try:
                return self._drawn(avatar, values)
            except EndedError:
                self._avatar = None
                return self._drawn(avatar, values)

    def _drawn(self, avatar: Avatar, values: NDArray[np.float32]) -> Picture:
        if self._avatar is not avatar:
            self._apart.call("take", avatar)
            self._avatar = avatar
        picture, self._left_out = self._apart.call("draw", values)
        return np.asarray(picture, np.uint8)

    @property
    def left_out(self) -> int:
        return self._left_out

    def forget(self) -> None:
        with self._drawing:
            if self._avatar is not None:
                self._avatar = None
                self._apart.call("take", None)

    def close(self) -> None:
        self._apart.close()


class _Easel:
    """What draws, in that process."""

    def __init__(self, view: View, device: str, deadline: float | None) -> None:
        yielding()
        self._drawing = Drawing(view, device, deadline)
        self._drawing.start()
        self._avatar: Avatar | None = None

    def take(self, avatar: Avatar | None) -> None:
        self._avatar = avatar
        if avatar is None:
            self._drawing.forget()

    def draw(self, values: NDArray[np.float32]) -> tuple[Picture, int]:
        assert self._avatar is not None
        return self._drawing.picture(self._avatar, values), self._drawing.left_out
