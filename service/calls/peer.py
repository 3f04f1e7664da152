"""A member who renders on their own machine: the server passes their datagrams on, unread."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from avatar.errors import InputError
from service.calls.allowance import Allowance
from service.calls.connection import CHANNEL, drain, new_connection, send
from service.calls.relayed_sound import SoundPacket, listen, relayed_sound
from service.calls.rooms import Room
from service.calls.threads import aside

_PATIENCE = 30.0  # seconds in which a connection has to come about
_LOOK = 2.0  # seconds between two looks at whether who is here still may be
_OFFER = "Send a WebRTC offer with all its candidates."
_log = logging.getLogger("facewire.calls")


def _always() -> bool:
    return True


class Peer:
    """clock: seconds.  stands: whether who is here still may be; is asked on any thread."""

    mode = "packets"

    def __init__(
        self,
        room: Room,
        user: str,
        name: str,
        clock: Callable[[], float],
        stands: Callable[[], bool] = _always,
    ) -> None:
        self.id = secrets.token_hex(16)
        self.user, self.name = user, name
        self.room = room
        self.clock = clock
        self._stands = stands
        self.connection = new_connection()
        self._channel: Any = None
        self.dropped = 0
        self._allowance = Allowance()
        self._sound = relayed_sound()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None

    async def answer(self, sdp: str) -> str:
        """Takes an offer, gives the answer, and is in the room from then on.

        Raises TakenError; InputError for what is no offer.
        """
        from aiortc import RTCSessionDescription

        connection = self.connection
        connection.on("datachannel", self._channel_came)
        connection.on("track", self._track_came)
        connection.on("connectionstatechange", self._changed)
        self.room.enter(self, self.clock())
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            self._give_tracks()
            await connection.setLocalDescription(await connection.createAnswer())
        except Exception as error:  # aiortc's parser raises whatever it stumbles over
            _log.info("an offer was refused: %s", type(error).__name__)
            raise InputError("the sdp is no offer that can be answered", _OFFER) from None
        if not connection.getTransceivers() and connection.sctp is None:
            raise InputError("the sdp offers nothing", _OFFER)
        self.begin(self._come())
        self.begin(self._watch_over())
        return str(connection.localDescription.sdp)

    async def _come(self) -> None:
        """Gives the place in the room back where no connection comes about."""
        await asyncio.sleep(_PATIENCE)
        if self.connection.connectionState != "connected":
            await self.close()

    async def _watch_over(self) -> None:
        """Ends the call for who may not be in it any more."""
        while await self._may_stay():
            await asyncio.sleep(_LOOK)
        await self.close()

    async def _may_stay(self) -> bool:
        try:
            return await aside(self._stands)
        except Exception as error:  # a database that does not answer ends nobody's call
            _log.error("a member was not looked at: %s", type(error).__name__)
            return True

    def _give_tracks(self) -> None:
        if any(t.kind == "audio" for t in self.connection.getTransceivers()):
            self.connection.addTrack(self._sound)

    def _channel_came(self, channel: Any) -> None:
        if channel.label == CHANNEL:
            self._channel = channel
            channel.on("message", self._message)

    def _message(self, data: bytes | str) -> None:
        if isinstance(data, bytes) and self._allowance.take(time.monotonic(), len(data)):
            self.room.forward(self, data)

    def _track_came(self, track: Any) -> None:
        if track.kind == "audio":
            for receiver in self.connection.getReceivers():
                if receiver.track is track:
                    listen(receiver, lambda sound: self.room.hear(self, sound))
        self.begin(drain(track))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Work beside the call, that ends with it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a member's work ended: %s", type(error).__name__)
            self._close()  # one that stands still says nothing; one that has ended is joined again

    async def _changed(self) -> None:
        if self.connection.connectionState in ("failed", "closed"):
            await self.close()

    def forwarded(self, data: bytes) -> None:
        self.dropped += not send(self._channel, data)

    def heard(self, sound: SoundPacket) -> None:
        self._sound.push(sound)

    async def close(self) -> None:
        """Again is no fault."""
        await asyncio.shield(self._close())

    def _close(self) -> asyncio.Task[None]:
        # A task of its own: a connection says half way that it is closed, and whoever asked for it
        # may be what ends with it.
        if self._closing is None:
            self.room.leave(self, self.clock())
            self._closing = asyncio.create_task(self._end())
        return self._closing

    async def _end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await self.connection.close()
