"""The first thing that two ends of a call say: a key for this call, signed by who was enrolled
(docs/bitstream.md, section 15.1)."""

from __future__ import annotations

from dataclasses import dataclass

from avatar.errors import InputError, VersionError
from codec.bits import ByteReader, varint
from codec.signature import SIGNATURE, sign, verifies

MARK = 0xFF  # no SFrame message with a key id below 8 begins so
VERSION = 1
PUBLIC = 32  # bytes of an X25519 key
DIGEST = 32  # of an avatar, whole
_TEXT = b"facewire call 1 greeting\0"


@dataclass(frozen=True)
class Greeting:
    """public: the end's X25519 key.  asks: for the other's greeting.  digest: of the avatar whose
    states it will send, and signature: its owner's; both empty for an end that signs nothing."""

    public: bytes
    asks: bool
    digest: bytes = b""
    signature: bytes = b""

    @classmethod
    def signed(cls, public: bytes, asks: bool, digest: bytes, seed: bytes, room: str) -> Greeting:
        """seed: the private key of the avatar's owner.  room: of the call."""
        return cls(public, asks, digest, sign(seed, _text(public, digest, room)))

    @classmethod
    def parse(cls, data: bytes) -> Greeting:
        reader = ByteReader(data, "greeting")
        if reader.integer(1, "mark") != MARK:
            raise reader.fail("this is none", "mark", 0)
        version, flags = reader.integer(1, "version"), reader.integer(1, "flags")
        if version > VERSION:
            raise VersionError(
                f"greeting: of version {version}; this Facewire reads up to {VERSION}",
                "Update Facewire: pip install --upgrade facewire",
            )
        if version != VERSION or flags > 3:
            raise reader.fail(f"version {version}, flags {flags}", "flags", 2)
        public = reader.take(PUBLIC, "public")
        digest = reader.take(DIGEST, "digest") if flags & 1 else b""
        signature = reader.take(SIGNATURE, "signature") if flags & 1 else b""
        reader.end("signature")
        return cls(public, bool(flags & 2), digest, signature)

    def __bytes__(self) -> bytes:
        flags = bool(self.signature) | self.asks << 1
        return bytes([MARK, VERSION, flags]) + self.public + self.digest + self.signature

    def of(self, digest: bytes, signer: str, room: str) -> bool:
        """Whether the holder of the public key `signer` speaks here, in this room, for the avatar
        of this digest."""
        text = _text(self.public, digest, room)
        return self.digest == digest and verifies(signer, self.signature, text)

    def __post_init__(self) -> None:
        signs = (len(self.digest), len(self.signature))
        if len(self.public) != PUBLIC or signs not in ((0, 0), (DIGEST, SIGNATURE)):
            raise InputError(f"greeting: {len(self.public)}, {signs} bytes")


def _text(public: bytes, digest: bytes, room: str) -> bytes:
    """What is signed."""
    name = room.encode()
    return _TEXT + varint(len(name)) + name + public + digest
