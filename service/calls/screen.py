"""What a call shows, as pictures: the avatar, the fallback, or one turning into the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.avatar import Avatar
from codec.session.playout import Shown
from render.lanczos import lanczos
from service.calls.badge import badged
from service.calls.drawing import Drawing, Picture
from service.calls.fallback_end import FallbackEnd
from service.calls.hand_over import blended
from service.fallback.receiver import placed
from service.view import View
from service.watermark.mark import Watermark
from service.watermark.payload import NO_AVATAR


@dataclass(frozen=True)
class Scene:
    """What there is to show at one moment.  share: of the avatar, 0 to 1, the rest of the
    fallback; what has no share need not be there."""

    share: float
    avatar: tuple[Avatar, Shown] | None = None
    fallback: tuple[FallbackEnd, Shown] | None = None


class Screen:
    """Scenes -> pictures [H, W, 3] RGB with the badge and the watermark, as one view wants
    them.  drawing: of the avatar; None: on the thread that asks, in whatever time it takes."""

    def __init__(self, view: View, drawing: Drawing | None = None) -> None:
        self._view = view
        self._drawing = drawing or Drawing(view)
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
            whose, shown = scene.avatar
            avatar = self._drawing.picture(whose, shown.values)
        if avatar is None and fallback is None:
            return self.blank()
        if avatar is None or fallback is None:
            picture = badged(fallback if avatar is None else avatar)  # type: ignore[arg-type]
        else:
            picture = badged(blended(fallback, avatar, scene.share))
        drawn = scene.avatar[0].digest if avatar is not None and scene.avatar else NO_AVATAR
        return self._marked(picture, drawn, time)

    def start(self) -> None:
        """Gets ready beforehand what the avatar's first picture needs, on any thread."""
        self._drawing.start()

    @property
    def left_out(self) -> int:
        """Steps down from the avatar's best picture."""
        return self._drawing.left_out

    def forget(self) -> None:
        """Lets go of the avatar that was shown last.  On the thread that draws."""
        self._drawing.forget()

    def blank(self) -> Picture:
        """While nobody is there."""
        return np.full((self._view.height, self._view.width, 3), 96, np.uint8)

    def _marked(self, picture: Picture, digest: str, time: int) -> Picture:
        if self._mark is None or self._mark[0] != digest:
            self._mark = digest, Watermark(digest)
        return self._mark[1].on(picture, time)


def fitted(square: Picture, view: View) -> Picture:
    """A square picture where the avatar's square lies in the view: in the middle, as large as fits
    into it with black beside it, or as covers it."""
    if view.fit != "cover":
        return placed(square, view.width, view.height)
    side = max(view.width, view.height)
    left, top = (side - view.width) // 2, (side - view.height) // 2
    covering = lanczos(square, side, side)
    return np.ascontiguousarray(covering[top : top + view.height, left : left + view.width])
