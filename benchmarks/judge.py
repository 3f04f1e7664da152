"""States as pictures, beside what was filmed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Judge:
    """Draws states and compares each with the filmed picture nearest to its time."""

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

    def psnr(self, times: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float64]:
        """[F] dB of states shown at times.  times: [F], less `shift`; values: [F, D]."""
        from render.metrics import psnr

        new = {row.tobytes(): row for row in values if row.tobytes() not in self._known}
        for key, picture in zip(new, self._renderer.pictures(new.values()), strict=True):
            self._known[key] = picture
        found = []
        for time, row in zip(times, values, strict=True):
            filmed = self._filmed[int(np.argmin(np.abs(self._times - time)))]
            found.append(psnr(filmed, self._known[row.tobytes()]))
        return np.array(found)
