"""What a call under loss looks like: the pictures shown, beside what was filmed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.session.playout import Shown


class Judge:
    """Draws what was shown and compares it with the filmed picture nearest to its time."""

    def __init__(
        self,
        avatar: Path,
        track: Path,
        clip: Path,
        times: NDArray[np.int64],
        shift: int,
        size: int,
    ) -> None:
        """times: [F] microseconds in the clip, where it was tracked; shift: what the call's times
        are less than the clip's.  size: of the pictures, pixels each way."""
        from avatar.archive import read_avatar
        from avatar.track_file import read_track
        from enroll.capture import open_video
        from enroll.crops import cut_window
        from service.clip import pictures_at
        from service.receiver import Renderer
        from service.view import View

        window = read_track(track).window
        frames = list(pictures_at(open_video(clip), times))
        self._filmed = [cut_window(frame.image, window, size) for frame in frames]
        self._times = np.array([frame.time - shift for frame in frames])
        self._renderer = Renderer(read_avatar(avatar), View(size, size))
        self._known: dict[bytes, NDArray[np.uint8]] = {}

    def psnr(self, shown: Sequence[tuple[int, Shown]], start: int) -> float:
        """Mean over the pictures shown from `start` on, dB."""
        from render.metrics import psnr

        rows = [s for now, s in shown if now >= start]
        new = {s.values.tobytes(): s.values for s in rows if s.values.tobytes() not in self._known}
        for key, picture in zip(new, self._renderer.pictures(new.values()), strict=True):
            self._known[key] = picture
        found = []
        for row in rows:
            filmed = self._filmed[int(np.argmin(np.abs(self._times - row.time)))]
            found.append(psnr(filmed, self._known[row.values.tobytes()]))
        return float(np.mean(found))
