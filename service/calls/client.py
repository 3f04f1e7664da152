"""A call without a browser: a camera or a file in, the other's avatar out, rendered here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from avatar.avatar import Avatar
from avatar.errors import AccessError, InputError
from service.calls.connection import drain, face_channel, new_connection, prompt, send, wait_open
from service.calls.face_end import FaceEnd
from service.calls.learning import learn, place
from service.calls.screen import Scene
from service.calls.spoken import Spoken
from service.calls.threads import drawer, filmer

_log = logging.getLogger("facewire.calls")
_TICK = 0.01  # seconds between two looks at what is due
_RETRY = 1.0  # seconds before a lost line is joined again, and between two attempts


@dataclass
class Line:
    """A place in a room of a server.  base: http://host:port.  Without `sound` and `heard` the
    call is one without sound.

    With `async with` it is joined and left.  Where the connection is lost meanwhile it is joined
    again, and the call goes on as after a long loss of packets.
    """

    base: str
    room: str
    token: str
    end: FaceEnd
    sound: Spoken | None = None  # what is said
    heard: Callable[[Any], None] | None = None  # is given each 20 ms of the other's sound
    begun: float = field(default_factory=time.monotonic)
    refused: AccessError | None = None  # the server's, when it takes the token no more

    @property
    def now(self) -> int:
        """Microseconds since it was made."""
        return int((time.monotonic() - self.begun) * 1e6)

    async def __aenter__(self) -> Line:
        self.lost = True  # until it is joined, and while it is joined again
        self._rejoining: asyncio.Task[None] | None = None
        self._connection: Any = None
        await self._join()
        self.lost = False
        self._ticker = asyncio.create_task(self._tick())
        self._beside = [asyncio.create_task(work(self.end)) for work in (learn, place)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._ticker, *self._beside, self._rejoining, self._listening):
            if task is not None:
                task.cancel()
        connection, self._connection = self._connection, None
        await connection.close()

    async def _join(self) -> None:
        from aiortc import RTCSessionDescription

        self._listening: asyncio.Task[None] | None = None
        self._member = ""
        self._connection = connection = new_connection()
        self._channel = face_channel(connection)
        self._channel.on("message", self._message)
        connection.on("track", self._track)
        connection.on("connectionstatechange", lambda: self._changed(connection))
        if self.sound is not None:
            connection.addTrack(self.sound.track())
        elif self.heard is not None:
            connection.addTransceiver("audio", direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        offer = {"sdp": connection.localDescription.sdp, "mode": "packets"}
        joined = await self._ask("POST", f"/v1/rooms/{self.room}/members", offer)
        self._member = joined["member"]
        await connection.setRemoteDescription(RTCSessionDescription(joined["sdp"], "answer"))
        await wait_open(self._channel)

    def _changed(self, connection: Any) -> None:
        gone = connection.connectionState in ("failed", "closed")
        if gone and connection is self._connection and not self.lost:
            self.lost = True
            self._rejoining = asyncio.create_task(self._rejoin())

    async def _rejoin(self) -> None:
        while self.lost:
            await asyncio.sleep(_RETRY)
            try:
                await self._leave()
                await self._join()
                self.lost = False
            except AccessError as error:  # another try would not be let in, either
                self.refused = error
                return
            except Exception as error:  # the network's, or a proxy's page in place of an answer
                _log.info("the line is not back yet: %s", type(error).__name__)

    async def _leave(self) -> None:
        """Gives the place in the room back, if the server still keeps it."""
        await self._connection.close()
        if self._member:
            with suppress(InputError):
                await self._ask("DELETE", f"/v1/rooms/{self.room}/members/{self._member}")

    def send(self, datagrams: list[bytes]) -> None:
        for data in datagrams:
            send(self._channel, data)

    def _message(self, data: bytes | str) -> None:
        if isinstance(data, bytes):
            self.end.receive(self.now, data)

    def _track(self, track: Any) -> None:
        prompt(self._connection, "audio")
        self._listening = asyncio.create_task(
            drain(track) if self.heard is None else drain(track, self.heard)
        )

    async def _tick(self) -> None:
        while True:
            self.send(self.end.poll(self.now))
            await asyncio.sleep(_TICK)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        import httpx

        async with httpx.AsyncClient(base_url=self.base, timeout=30) as client:
            headers = {"Authorization": f"Bearer {self.token}"}
            answer = await client.request(method, path, json=body, headers=headers)
        if answer.status_code < 400:
            return answer.json() if answer.content else None
        said = answer.json().get("detail", f"the server answers {answer.status_code}")
        if answer.status_code in (401, 403):
            raise AccessError(said, "Set FACEWIRE_TOKEN to a token with the scope calls.")
        raise InputError(said, "Ask for a new link to the room.")


async def take_part(
    line: Line,
    source: Any,
    mine: Avatar | None,
    draw: Callable[[Scene | None, int], Any],
    show: Callable[[Any, int], Awaitable[bool]],
    seconds: float,
    leave: asyncio.Event,
    fps: float = 25.0,
) -> None:
    """Films and shows for some seconds, until `leave` is set, or until nobody looks any more.

    source: a `Video`, None to look only; a file plays at its own pace, and the line's sound begins
    with it.  draw: of what there is to
    show and the time makes a picture, or None, beside what goes on.  show: takes that picture and
    its time; False from it ends the call."""
    from enroll.scene import TrackPrior
    from enroll.track_live import CausalTracker
    from service.latest import Latest

    loop = asyncio.get_running_loop()
    # A thread each: a slow picture must not hold up what is filmed.
    filming, drawing = filmer(), drawer()
    tracker: Any = None
    if mine is not None and source is not None:
        prior = TrackPrior.of(mine)
        tracker = await loop.run_in_executor(filming, lambda: CausalTracker(prior=prior))
    begin = None if line.sound is None else line.sound.begin
    frames = iter(Latest(source, begin)) if source is not None else None
    end = time.monotonic() + seconds

    def going() -> bool:
        return time.monotonic() < end and not leave.is_set()

    def film() -> list[bytes] | None:
        frame = next(frames, None) if frames is not None else None
        if frame is None:
            return None
        return line.end.film(line.now, frame, tracker, lambda: line.now)

    async def send_film() -> None:
        while frames is not None and going():
            datagrams = await loop.run_in_executor(filming, film)
            if datagrams is None:
                return
            line.send(datagrams)

    async def show_scenes() -> None:
        due = time.monotonic()
        while going():
            now = line.now
            picture = await loop.run_in_executor(drawing, draw, line.end.scene(now), now)
            if picture is not None and not await show(picture, now):
                leave.set()
                return
            # At a steady pace, but not faster afterwards where a picture came late.
            due = max(due + 1.0 / fps, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    try:
        await asyncio.gather(send_film(), show_scenes())
    finally:
        leave.set()
        if tracker is not None:
            filming.submit(tracker.close)
        filming.shutdown()
        drawing.shutdown()
