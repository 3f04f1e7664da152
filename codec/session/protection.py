"""A call's datagrams between its two ends, sealed with keys that the two agreed on themselves.

    end = ProtectedEnd(room, private)            # private: 32 random bytes, of this call alone
    for data in end.poll(now): ...               # greetings, to the other end as they are
    data = end.seal(datagram)                    # once end.ready
    datagram = end.open(now, data)               # None: it was a greeting

No I/O and no clock; times are microseconds; sections are those of docs/bitstream.md.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from avatar.errors import MissingError, StreamError
from codec.bits import varint
from codec.session.greeting import MARK, Greeting
from codec.sframe import SFrameReceiver, SFrameSender

_SUITE = 3
_KEY = b"facewire call 1 key\0"


@dataclass(frozen=True)
class ProtectionSettings:
    """repeat: between greetings until there is one of the other end's.  answer: between two that
    it asks for.  deaf: for how long nothing that comes can be opened, until it is greeted anew; all
    in microseconds.  most: other ends that are met in one call, as one that comes again is new."""

    repeat: int = 200_000
    answer: int = 50_000
    deaf: int = 1_000_000
    most: int = 256


class ProtectedEnd:
    """digest, seed: of the avatar whose states are sent, 32 bytes, and its owner's signing key;
    without them the end signs nothing."""

    def __init__(
        self,
        room: str,
        private: bytes,
        digest: bytes = b"",
        seed: bytes = b"",
        settings: ProtectionSettings = ProtectionSettings(),
    ) -> None:
        self.room = room
        self._settings = settings
        self._private = _x25519().X25519PrivateKey.from_private_bytes(private)
        self._public = bytes(self._private.public_key().public_bytes_raw())
        greeting = Greeting(self._public, True)
        if seed:
            greeting = Greeting.signed(self._public, True, digest, seed, room)
        self._greeting = greeting
        self.peer: Greeting | None = None  # the other end's, whose keys are in use
        self._lost = True  # without a key of the other end's, or with one that opens nothing
        self._sender: SFrameSender | None = None
        self._receiver: SFrameReceiver | None = None
        # By the other's key: one that comes again goes on counting where it stopped, for a counter
        # that begins anew under the same key would give the datagrams away.
        self._met: dict[bytes, tuple[SFrameSender, SFrameReceiver]] = {}
        self._greeted: int | None = None
        self._asked = False
        self._opened = 0

    @property
    def ready(self) -> bool:
        """Whether there are keys to seal with."""
        return self._sender is not None

    def seal(self, datagram: bytes) -> bytes:
        assert self._sender is not None
        return self._sender.seal(datagram)

    def open(self, now: int, data: bytes) -> bytes | None:
        """The datagram in what came; None for a greeting.  Raises StreamError, VersionError."""
        if data[:1] == bytes([MARK]):
            self._meet(Greeting.parse(data), now)
            return None
        if self._receiver is None:
            raise StreamError("call: sealed before there was a key", "Nothing has to be done.")
        try:
            datagram = self._receiver.open(data)
        except StreamError:
            if now - self._opened > self._settings.deaf:
                self._lost = True  # the other end may have begun anew
            raise
        self._lost, self._opened = False, now
        return datagram

    def poll(self, now: int) -> list[bytes]:
        """Greetings that are due."""
        wait = self._settings.answer if self._asked else self._settings.repeat
        if not (self._lost or self._asked):
            return []
        if self._greeted is not None and now - self._greeted < wait:
            return []
        self._greeted, self._asked = now, False
        mine = self._greeting
        return [bytes(Greeting(mine.public, self._lost, mine.digest, mine.signature))]

    def _meet(self, greeting: Greeting, now: int) -> None:
        if greeting.public == self._public:
            raise StreamError("greeting: it is this end's own", field="public", offset=3)
        self._asked = self._asked or greeting.asks
        known = self.peer
        if known is not None and known.public == greeting.public:
            if not known.signature:
                self.peer = greeting
            return
        if greeting.public not in self._met:
            self._met[greeting.public] = self._agreed(greeting.public)
        self._sender, self._receiver = self._met[greeting.public]
        self.peer, self._lost, self._opened = greeting, False, now

    def _agreed(self, public: bytes) -> tuple[SFrameSender, SFrameReceiver]:
        """For an end that was not met before."""
        if len(self._met) >= self._settings.most:
            raise StreamError("greeting: too many came", "Join anew.", field="public", offset=3)
        theirs = _x25519().X25519PublicKey.from_public_bytes(public)
        try:
            shared = bytes(self._private.exchange(theirs))
        except ValueError:
            raise StreamError("greeting: its key is none", field="public", offset=3) from None
        sender = SFrameSender(self._key(shared, self._public, public), suite=_SUITE)
        key = self._key(shared, public, self._public)
        return sender, SFrameReceiver({0: key}, suite=_SUITE)

    def _key(self, shared: bytes, sender: bytes, receiver: bytes) -> bytes:
        """Section 15.2: HKDF with SHA-256 and no salt (RFC 5869), 32 bytes."""
        name = self.room.encode()
        info = _KEY + varint(len(name)) + name + sender + receiver
        secret = hmac.new(bytes(32), shared, hashlib.sha256).digest()
        return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()


def _x25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import x25519
    except ImportError as error:
        raise MissingError(
            "a call needs the package cryptography", "pip install 'facewire[service]'"
        ) from error
    return x25519
