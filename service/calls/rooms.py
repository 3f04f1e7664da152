"""Rooms: who is in a call, and the way of a datagram from one to the others, undecoded."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Protocol

from avatar.errors import InputError, TakenError

_MOST_MEMBERS = 2


class Member(Protocol):
    """Someone in a room, whatever they are joined by."""

    id: str
    user: str
    name: str
    mode: str  # "packets": renders on their own machine; "video": this server does

    def forwarded(self, data: bytes) -> None:
        """A datagram of another member."""

    def heard(self, frame: object) -> None:
        """20 ms of another member's sound."""

    async def close(self) -> None: ...


@dataclass
class Room:
    """relayed: datagrams that went through."""

    id: str
    owner: str
    created: float
    used: float
    members: dict[str, Member] = field(default_factory=dict)
    relayed: int = 0

    def enter(self, member: Member, now: float) -> None:
        """Raises TakenError when it is full.  Who comes again takes their own place."""
        if len(self.members) >= _MOST_MEMBERS:
            raise TakenError("two people are in this room already", "Make another room.")
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

    def hear(self, sender: Member, frame: object) -> None:
        for other in self.others(sender):
            other.heard(frame)

    def others(self, member: Member) -> list[Member]:
        return [other for id, other in self.members.items() if id != member.id]


class Rooms:
    """Of one process.  most: rooms at the same time.  idle: seconds after which an empty one
    goes.  shard: 1 to 255 where this process is one of several, 0 where it is the only one: the
    first two digits of its rooms' ids, by which a balancer finds the way back to it."""

    def __init__(self, most: int = 1000, idle: float = 86_400.0, shard: int = 0) -> None:
        if not 0 <= shard <= 255:
            raise InputError(f"{shard} is no number of a process", "Choose one from 1 to 255.")
        self._rooms: dict[str, Room] = {}
        self._most, self._idle = most, idle
        self._mark = f"{shard:02x}" if shard else ""

    def make(self, owner: str, now: float) -> Room:
        for id, room in list(self._rooms.items()):
            if not room.members and now - room.used > self._idle:
                del self._rooms[id]
        if len(self._rooms) >= self._most:
            raise TakenError("there are as many rooms as there may be", "Try again later.")
        id = self._mark + secrets.token_hex(16)[len(self._mark) :]
        room = Room(id, owner, now, now)
        self._rooms[room.id] = room
        return room

    def find(self, id: str) -> Room | None:
        return self._rooms.get(id)

    def is_elsewhere(self, id: str) -> bool:
        """Whether another process of this service makes rooms with such an id."""
        return not id.startswith(self._mark)

    @property
    def counts(self) -> tuple[int, int]:
        """Rooms and members."""
        return len(self._rooms), sum(len(room.members) for room in self._rooms.values())

    async def close(self) -> None:
        """Ends every call."""
        for room in self._rooms.values():
            for member in list(room.members.values()):
                await member.close()
