"""What a call shows, as pictures: the avatar, the fallback, or one turning into the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from codec.session.playout import Shown
from render.lanczos import lanczos
from service.calls.badge import badged
from service.calls.fallback_end import FallbackEnd
from service.calls.hand_over import blended
from service.fallback.receiver import placed
from service.view import View
from service.watermark.mark import Watermark
from service.watermark.payload import NO_AVATAR

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """What there is to show at one moment.  share: of the avatar, 0 to 1, the rest of the
    fallback; what has no share need not be there."""

    share: float
    avatar: tuple[Avatar, Shown] | None = None
    fallback: tuple[FallbackEnd, Shown] | None = None


class Screen:
    """Scenes -> pictures [H, W, 3] RGB with the badge and the watermark, as one view wants
    them.  deadline: as `Renderer` has it."""

    def __init__(self, view: View, device: str = "auto", deadline: float | None = None) -> None:
        self._view = view
        self._device = device
        self._deadline = deadline
        self._renderer: tuple[Avatar, Any] | None = None
        self._mark: tuple[str, Watermark] | None = None

    def picture(self, scene: Scene, time: int) -> Picture:
        """time: at which it is shown, microseconds, from any beginning.  During a cross-fade the
        watermark is the avatar's."""
        avatar = fallback = None
        if scene.fallback is not None and scene.share < 1:
            end, vectors = scene.fallback
            square = end.picture(vectors)
            fallback = None if square is None else fitted(square, self._view)
        if scene.avatar is not None and (scene.share > 0 or fallback is None):
            avatar = self._rendered(*scene.avatar)
        if avatar is None and fallback is None:
            return self.blank()
        if avatar is None or fallback is None:
            picture = badged(fallback if avatar is None else avatar)  # type: ignore[arg-type]
        else:
            picture = badged(blended(fallback, avatar, scene.share))
        drawn = scene.avatar[0].digest if avatar is not None and scene.avatar else NO_AVATAR
        return self._marked(picture, drawn, time)

    @property
    def left_out(self) -> int:
        """Steps down from the avatar's best picture."""
        return self._renderer[1].left_out if self._renderer else 0

    def forget(self) -> None:
        """Lets go of the avatar that was shown last.  On the thread that draws."""
        self._renderer = None

    def blank(self) -> Picture:
        """While nobody is there."""
        return np.full((self._view.height, self._view.width, 3), 96, np.uint8)

    def _marked(self, picture: Picture, digest: str, time: int) -> Picture:
        if self._mark is None or self._mark[0] != digest:
            self._mark = digest, Watermark(digest)
        return self._mark[1].on(picture, time)

    def _rendered(self, avatar: Avatar, shown: Shown) -> Picture:
        from service.receiver import Renderer

        if self._renderer is None or self._renderer[0] is not avatar:
            self._renderer = avatar, Renderer(avatar, self._view, self._device, self._deadline)
        return np.asarray(self._renderer[1].picture(shown.values), np.uint8)


def fitted(square: Picture, view: View) -> Picture:
    """A square picture where the avatar's square lies in the view: in the middle, as large as fits
    into it with black beside it, or as covers it."""
    if view.fit != "cover":
        return placed(square, view.width, view.height)
    side = max(view.width, view.height)
    left, top = (side - view.width) // 2, (side - view.height) // 2
    covering = lanczos(square, side, side)
    return np.ascontiguousarray(covering[top : top + view.height, left : left + view.width])
