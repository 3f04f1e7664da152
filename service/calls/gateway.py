"""A member with a plain browser: this server tracks, encodes, decodes and renders for them.

Such a call is not end-to-end protected: camera and picture are seen here.  Nothing is kept.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from enroll.identity import IdentityWatch
from service.calls.connection import drain, prompt
from service.calls.drawing import DrawingApart
from service.calls.face_end import FaceEnd, get_ready
from service.calls.failures import Failures
from service.calls.fallback_end import FallbackEnd
from service.calls.frame_wish import FrameWish
from service.calls.hand_over import NOTHING
from service.calls.learning import learn, place
from service.calls.peer import Peer
from service.calls.screen import Screen
from service.calls.shown_at_once import show_at_once
from service.calls.threads import aside, drawer, filmer
from service.calls.tracking_apart import TrackerApart
from service.surroundings_watch import WatchSettings
from service.view import View

_log = logging.getLogger("facewire.calls")
STATUS = "status"
_TICK = 0.02  # seconds between two looks at what is due
_RATE = 25  # pictures a second
_SHARE = 0.9  # of a picture's time that may go into rendering
_TELL = 1.0  # seconds between two reports to the page
_LARGEST = 1280  # pixels a side of a frame that is tracked
_SURROUNDINGS = WatchSettings()
_AGAIN = 3.0  # seconds after which an avatar that was not given is asked for again


class Gateway(Peer):
    """mine: the avatar of who is filmed.  fetch: gives the avatar of a digest (16 bytes) if this
    member may have it, else None.  may: whether they still may.  watch, seed, fallback: as
    `FaceEnd` has them.  surroundings: what is sent of where they are."""

    mode = "video"

    def __init__(
        self,
        *who: Any,
        mine: Avatar | None,
        fetch: Callable[[bytes], Avatar | None],
        may: Callable[[bytes], bool] = lambda digest: True,
        view: View,
        device: str = "auto",
        watch: IdentityWatch | None = None,
        seed: bytes = b"",
        fallback: FallbackEnd | None = None,
        surroundings: WatchSettings = _SURROUNDINGS,
    ) -> None:
        super().__init__(*who)
        self._mine = mine
        self._fetch, self._may = fetch, may
        self._films = mine is not None or fallback is not None
        self._filmed_by: Any = None  # the first track that came with a picture; others are not seen
        self._tracker = None if mine is None else TrackerApart(mine, surroundings)
        self._face = FaceEnd(
            mine,
            watch=watch,
            room=self.room.id,
            seed=seed,
            fallback=fallback,
            surroundings=None if self._tracker is None else self._tracker.surroundings,
        )
        self._begun = time.monotonic()
        self._newest: Any = None
        self._fresh = asyncio.Event()
        self._wish = FrameWish()
        self._refused: bytes | None = None
        self._asked: bytes | None = None  # digest of the avatar that is being fetched
        self._tried: tuple[bytes, float] | None = None  # the last one, and when it may be again
        self._drawing = DrawingApart(view, device, _SHARE / _RATE)
        self._screen = Screen(view, self._drawing)
        self._status: Any = None
        # A thread each: a slow picture must not hold up what is filmed.
        self._filming = filmer()
        self._rendering = drawer()
        self._shown: NDArray[np.uint8] | None = None
        self._unseen, self._undrawn = Failures("a frame was not tracked"), Failures("not drawn")
        self.pictures = 0

    @property
    def now(self) -> int:
        return int((time.monotonic() - self._begun) * 1e6)

    async def answer(self, sdp: str) -> str:
        answer = await super().answer(sdp)
        self._rendering.submit(self._drawing.start)
        self.begin(self._poll())
        self.begin(learn(self._face))
        self.begin(place(self._face))
        self.begin(self._tell())
        return answer

    def _give_tracks(self) -> None:
        super()._give_tracks()
        self.connection.addTrack(_rendered(self))
        show_at_once(self.connection)
        for line in self.connection.getTransceivers():
            if line.kind == "video" and not self._films:
                line.direction = "sendonly"  # a camera that nobody looks at need not be sent

    def _channel_came(self, channel: Any) -> None:
        if channel.label == STATUS:
            self._status = channel

    def _track_came(self, track: Any) -> None:
        if track.kind == "video" and self._films and self._filmed_by is None:
            self._filmed_by = track
            prompt(self.connection, "video")
            self.begin(drain(track, self._filmed))
            self.begin(self._film())
        else:
            super()._track_came(track)

    def _filmed(self, frame: Any) -> None:
        """Keeps the newest frame; older ones are dropped."""
        self._newest = frame
        self._fresh.set()

    async def _film(self) -> None:
        from enroll.capture import Frame

        loop = asyncio.get_running_loop()
        size: tuple[int, int] | None = None  # a browser changes it with the line; a track does not
        try:
            while True:
                await self._fresh.wait()
                self._fresh.clear()
                frame, now = self._newest, self.now
                size = size or _filmed_size(frame.width, frame.height)

                def step(
                    frame: Any = frame, now: int = now, size: tuple[int, int] = size
                ) -> list[bytes]:
                    image = frame.reformat(*size, format="rgb24").to_ndarray()
                    return self._face.film(now, Frame(image, now), self._tracker, lambda: self.now)

                begun = time.monotonic()
                try:
                    datagrams = await loop.run_in_executor(self._filming, step)
                    self._unseen.fine()
                except Exception as error:  # of one frame
                    self._unseen.failed(error)
                    continue
                for data in datagrams:
                    self.room.forward(self, data)
                self._wish.looked(time.monotonic() - begun)
        finally:
            if self._tracker is not None:
                self._tracker.close()

    async def _poll(self) -> None:
        while True:
            for data in self._face.poll(self.now):
                self.room.forward(self, data)
            wanted = self._face.wanting
            if wanted is not None and self._asked is None and self._may_ask(wanted):
                self._asked = wanted
                self.begin(self._get(wanted))
            await asyncio.sleep(_TICK)

    def _may_ask(self, digest: bytes) -> bool:
        tried = self._tried
        return tried is None or tried[0] != digest or time.monotonic() >= tried[1]

    async def _get(self, digest: bytes) -> None:
        """Fetches an avatar while the call goes on."""

        def fetch() -> Avatar | None:
            found = self._fetch(digest)
            if found is not None:
                get_ready(found)
                # The first picture takes seconds, in which the fallback would stand still.
                self._drawing.picture(found, found.statistics.mean)
            return found

        try:
            avatar = await aside(fetch)
            self._refused = digest if avatar is None else None
            if avatar is not None:
                self._face.hold(avatar)
        except Exception as error:  # the store's, or the archive's: another try may do
            _log.error("an avatar was not fetched: %s", type(error).__name__)
        finally:
            self._asked, self._tried = None, (digest, time.monotonic() + _AGAIN)

    async def _may_stay(self) -> bool:
        """Takes away what may not be shown any more, too."""
        for digest in self._face.held:
            try:
                may = await aside(self._may, digest)
            except Exception as error:
                _log.error("a permission was not looked at: %s", type(error).__name__)
                continue
            if not may:
                self._face.drop(digest)
                self._refused, self._shown = digest, None
                self._rendering.submit(self._screen.forget)
        return await super()._may_stay()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL)
            if self._status is not None and self._status.readyState == "open":
                self._status.send(json.dumps(self.report()))

    def report(self) -> dict[str, Any]:
        """What the page shows of the call."""
        end = self._face
        others = self.room.others(self)
        came, sent = end.kbps
        refused = self._refused is not None and self._refused == end.wanting
        return {
            "others": [other.name for other in others],
            "protected": False,  # this server sees the pictures
            "carried": "refused" if refused and end.carried == NOTHING else end.carried,
            "refused": refused,
            "kbps_in": round(came, 2),
            "kbps_out": round(sent, 2),
            "delay_ms": round(end.delay / 1000),
            "round_trip_ms": None if end.round_trip is None else round(end.round_trip / 1000),
            "loss": round(end.loss, 3),
            "pictures": self.pictures,
            "saving": end.saving,
            "frames_wanted": self._wish.rate,
            "left_out": self._screen.left_out,
            "owner": end.owner,
            "identity": end.identity,
            "stopped": end.stopped,
        }

    def forwarded(self, data: bytes) -> None:
        self._face.receive(self.now, data)

    async def picture(self, now: int) -> NDArray[np.uint8]:
        """What to show: the other with the badge and the watermark, or grey while nobody is
        there."""
        scene = self._face.scene(now)
        if scene is None:
            return self._screen.blank()
        self.pictures += 1
        loop = asyncio.get_running_loop()
        try:
            drawn = loop.run_in_executor(self._rendering, self._screen.picture, scene, now)
            self._shown = await drawn
            self._undrawn.fine()
        except Exception as error:  # of one picture; the last one stands meanwhile
            self._undrawn.failed(error)
        return self._screen.blank() if self._shown is None else self._shown

    async def _end(self) -> None:
        try:
            await super()._end()
        finally:
            self._drawing.close()
            self._filming.shutdown(wait=False)
            self._rendering.shutdown(wait=False)


def _filmed_size(width: int, height: int) -> tuple[int, int]:
    """In which a camera's frames are looked at, whatever it sends."""
    scale = min(1.0, _LARGEST / max(width, height))
    return max(2, round(width * scale)), max(2, round(height * scale))


def _rendered(gateway: Gateway) -> Any:
    """The video track that a browser gets."""
    from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
    from av import VideoFrame

    class Rendered(MediaStreamTrack):
        kind = "video"
        _next = 0.0

        async def recv(self) -> Any:
            wait = self._next - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self._next = max(self._next, time.monotonic() - 1.0 / _RATE) + 1.0 / _RATE
            try:
                picture = await gateway.picture(gateway.now)
            except Exception as error:  # so many in a row that no other will do
                await gateway.close()
                raise MediaStreamError(type(error).__name__) from None
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            # As of now that it is sent: what one picture takes longer than another to draw would
            # be jitter to a browser, which would hold all of them back by the longest.
            frame.pts, frame.time_base = gateway.now * 9 // 100, Fraction(1, 90_000)
            return frame

    return Rendered()
