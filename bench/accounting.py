"""Every byte of a call: what the codec wrote, what the network adds, and the avatar's download.

A rate without the avatar and a rate with it are two figures, and so are bytes in a file and bytes
on the wire.  Rates are in kbit/s of 1000 bits, times in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from avatar.errors import InputError


@dataclass(frozen=True)
class Carriage:
    """What a network adds to a packet, in bytes.  Link layers are left out: they differ by hop.

    fixed: headers and tags of each packet.  grain: payloads are padded to a multiple of it.
    """

    name: str
    fixed: int
    grain: int = 1

    def on_wire(self, payload: int, packets: int) -> int:
        """Bytes of `packets` packets that hold `payload` bytes together.  Without each packet's
        own size the padding is its upper bound, grain - 1 a packet."""
        return payload + packets * (self.fixed + self.grain - 1)


IPV4 = 20  # RFC 791, without options
IPV6 = 40  # RFC 8200
UDP = 8  # RFC 768
RTP = 12  # RFC 3550, 5.1, without extensions
SRTP_TAG = 10  # RFC 3711, 5.2: HMAC-SHA1 cut to 80 bits; the cipher adds nothing
DTLS = 13 + 8 + 16  # RFC 6347, 4.1: record header; RFC 5288, 3: explicit nonce and tag of AES-GCM
SCTP = 12 + 16  # RFC 9260, 3.1 and 3.3.1: common header and one DATA chunk's, padded to 4

CARRIAGES = {
    "srtp": Carriage("IPv4, UDP, SRTP", IPV4 + UDP + RTP + SRTP_TAG),
    "srtp6": Carriage("IPv6, UDP, SRTP", IPV6 + UDP + RTP + SRTP_TAG),
    "data": Carriage("IPv4, UDP, DTLS, SCTP data channel", IPV4 + UDP + DTLS + SCTP, grain=4),
    "data6": Carriage("IPv6, UDP, DTLS, SCTP data channel", IPV6 + UDP + DTLS + SCTP, grain=4),
}


@dataclass(frozen=True)
class Account:
    """A coded clip.  parts: bytes by what they are for (header, key frames, states, redundancy,
    checksums ...), all that was written and nothing left out.  packets: in how many it is sent.
    seconds: of the clip.  archive: bytes that the receiver needs once, before the first call."""

    parts: Mapping[str, int]
    packets: int
    seconds: float
    archive: int = 0

    def __post_init__(self) -> None:
        whole = all(size >= 0 for size in self.parts.values())
        lasts = math.isfinite(self.seconds) and self.seconds > 0
        if not (self.parts and whole and lasts and self.packets >= 1 and self.archive >= 0):
            raise InputError(
                f"{self.packets} packets in {self.seconds} s are no account of a call",
                "Give the bytes of every part, one packet or more, and the clip's length.",
            )

    @property
    def payload(self) -> int:
        """Bytes that the codec wrote."""
        return sum(self.parts.values())

    @property
    def kbps(self) -> float:
        """The codec's own rate."""
        return _kbps(self.payload, self.seconds)

    def wire_kbps(self, carriage: Carriage) -> float:
        """The same with what the network adds.  Few bytes a packet make this the larger part."""
        return _kbps(carriage.on_wire(self.payload, self.packets), self.seconds)

    def amortised_kbps(self, call_seconds: float) -> float:
        """The codec's rate with the archive's download spread over calls of this length
        together."""
        if not call_seconds > 0:
            raise InputError(
                f"a call of {call_seconds} s has no rate", "Give a length above 0 seconds."
            )
        return self.kbps + _kbps(self.archive, call_seconds)

    def break_even(self, rival: Account) -> float:
        """Seconds of call after which archive and call together took fewer bytes than the rival's
        (its own archive counted); 0 where they do from the start, infinity where they never do."""
        first = (self.archive - rival.archive) * 8 / 1000  # kbit to make up for
        saved = rival.kbps - self.kbps
        if first <= 0:
            return 0.0 if saved >= 0 else math.inf
        return first / saved if saved > 0 else math.inf


def _kbps(size: int, seconds: float) -> float:
    return size * 8 / 1000 / seconds
