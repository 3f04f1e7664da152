"""Rooms: who is in a call, and the way of a datagram from one to the others, undecoded."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from avatar.errors import InputError, TakenError
from service.calls.relayed_sound import SoundPacket

_MOST_MEMBERS = 2


class Member(Protocol):
    """Someone in a room, whatever they are joined by."""

    id: str
    user: str
    name: str
    mode: str  # "packets": renders on their own machine; "video": this server does

    def forwarded(self, data: bytes) -> None:
        """A datagram of another member."""

    def heard(self, sound: SoundPacket) -> None:
        """A packet of another member's sound."""

    async def close(self) -> None: ...


@dataclass
class Room:
    """relayed: datagrams that went through.  admit: raises TakenError where a user may not come
    in by a mode, whatever place there is."""

    id: str
    owner: str
    created: float
    used: float
    members: dict[str, Member] = field(default_factory=dict)
    relayed: int = 0
    admit: Callable[[str, str], None] = lambda user, mode: None

    def check(self, user: str, mode: str) -> None:
        """Raises TakenError when it is full."""
        if len(self.members) >= _MOST_MEMBERS:
            raise TakenError("two people are in this room already", "Make another room.")
        self.admit(user, mode)

    def enter(self, member: Member, now: float) -> None:
        """Raises as `check`."""
        self.check(member.user, member.mode)
        self.members[member.id] = member
        self.used = now

    def leave(self, member: Member, now: float) -> None:
        """Again is no fault."""
        if self.members.pop(member.id, None) is not None:
            self.used = now

    def forward(self, sender: Member, data: bytes) -> None:
        for other in self.others(sender):
            other.forwarded(data)
            self.relayed += 1

    def hear(self, sender: Member, sound: SoundPacket) -> None:
        for other in self.others(sender):
            other.heard(sound)

    def others(self, member: Member) -> list[Member]:
        return [other for id, other in self.members.items() if id != member.id]


def _last_used(room: Room) -> float:
    return room.used


class Rooms:
    """Of one process.  most: rooms at the same time.  idle: seconds after which an empty one goes.
    spared: seconds for which it stays even where all places are taken.  shard: 1 to 255 where this
    process is one of several, 0 where it is the only one: the first two digits of its rooms' ids,
    by which a balancer finds the way back to it.  each: rooms of one user.  browsers,
    user_browsers: members that are drawn for here, and of one user."""

    def __init__(
        self,
        most: int = 1000,
        idle: float = 86_400.0,
        spared: float = 600.0,
        shard: int = 0,
        each: int = 20,
        browsers: int = 8,
        user_browsers: int = 2,
    ) -> None:
        if not 0 <= shard <= 255:
            raise InputError(f"{shard} is no number of a process", "Choose one from 1 to 255.")
        self._rooms: dict[str, Room] = {}
        self._most, self._idle, self._spared, self._each = most, idle, spared, each
        self._browsers, self._user_browsers = browsers, user_browsers
        self._mark = f"{shard:02x}" if shard else ""

    def make(self, owner: str, now: float) -> Room:
        """Raises TakenError where there are too many.  The owner's oldest that is empty goes; of
        a full house somebody else's, so that nobody keeps all of it with rooms that stand empty."""
        full = len(self._rooms) >= self._most
        for room in sorted(self._rooms.values(), key=_last_used):
            unused = 0.0 if room.members else now - room.used
            if unused > self._idle or (full and unused > self._spared):
                del self._rooms[room.id]
                full = False
        own = [room for room in self._rooms.values() if room.owner == owner]
        if len(own) >= self._each:
            empty = min((room for room in own if not room.members), key=_last_used, default=None)
            if empty is None:
                raise TakenError("you have as many rooms as you may", "Leave one of them first.")
            del self._rooms[empty.id]
        if len(self._rooms) >= self._most:
            raise TakenError("there are as many rooms as there may be", "Try again later.")
        id = self._mark + secrets.token_hex(16)[len(self._mark) :]
        room = Room(id, owner, now, now, admit=self._admit)
        self._rooms[room.id] = room
        return room

    def find(self, id: str) -> Room | None:
        return self._rooms.get(id)

    def is_elsewhere(self, id: str) -> bool:
        """Whether another process of this service makes rooms with such an id."""
        return not id.startswith(self._mark)

    def _admit(self, user: str, mode: str) -> None:
        if mode != "video":
            return
        rooms = self._rooms.values()
        drawn = [m.user for room in rooms for m in room.members.values() if m.mode == mode]
        if drawn.count(user) >= self._user_browsers:
            raise TakenError("you are in as many calls by browser as you may", "Leave one first.")
        if len(drawn) >= self._browsers:
            raise TakenError(
                "this server draws for as many browsers as it can",
                "Try again later, or call with facewire call.",
            )

    @property
    def counts(self) -> tuple[int, int]:
        """Rooms and members; on any thread."""
        rooms = list(self._rooms.values())
        return len(rooms), sum(len(room.members) for room in rooms)

    async def close(self) -> None:
        """Ends every call."""
        members = [one for room in self._rooms.values() for one in room.members.values()]
        await asyncio.gather(*(one.close() for one in members), return_exceptions=True)
