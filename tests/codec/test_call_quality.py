"""A call that changes its quality: docs/bitstream.md, section 10.9."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar.errors import FormatError, InputError, StreamError
from bench.made_states import DIGEST, SMALL, person, talking
from codec.call_codec import CallCodec
from codec.call_packet import CALL_KINDS, CallPacket
from codec.header import PROFILE_CALL, StreamHeader
from codec.session import FaceReceiver, FaceSender, SenderSettings
from codec.session.datagram import Datagram, Offer

MS = 1000
HEAD = StreamHeader(DIGEST, SMALL, quality=128, profile=PROFILE_CALL, coarser=(512, 2048))
STATISTICS = person(SMALL, history=8)
STATES = talking(120, SMALL)


class Line:
    """A sender and a receiver, 40 ms a frame, 50 ms each way."""

    def __init__(self, settings: SenderSettings | None = None) -> None:
        self.sender = FaceSender(STATISTICS, HEAD, settings or SenderSettings())
        self.receiver = FaceReceiver()
        self.receiver.hold(DIGEST.hex(), STATISTICS)
        self.now, self.frame = 0, 0
        self.forth: list[tuple[int, bytes]] = []
        self.back: list[tuple[int, bytes]] = []
        self.packets: list[CallPacket] = []
        self.shown: list[tuple[str, float]] = []  # how, and the error

    def run(self, frames: int, lost: tuple[int, ...] = ()) -> None:
        """lost: which of the face packets sent in these frames."""
        sent = 0
        for _ in range(4 * frames):
            self.now += 10 * MS
            for data in self.sender.poll(self.now):
                self.forth.append((self.now + 50 * MS, data))
            if self.now % (40 * MS) == 0:
                for data in self.sender.send(
                    self.now, self.frame * 40 * MS, STATES.values[self.frame]
                ):
                    message = Datagram.parse(data, True).messages[-1]
                    assert message.kind in CALL_KINDS
                    self.packets.append(CallPacket.parse(message.kind, message.body))
                    if sent not in lost:
                        self.forth.append((self.now + 50 * MS, data))
                    sent += 1
                self.frame += 1
            while self.forth and self.forth[0][0] <= self.now:
                self.receiver.receive(self.now, self.forth.pop(0)[1])
            for data in self.receiver.poll(self.now):
                self.back.append((self.now + 50 * MS, data))
            while self.back and self.back[0][0] <= self.now:
                self.sender.receive(self.now, self.back.pop(0)[1])
            if self.now % (40 * MS) == 0 and (shown := self.receiver.show(self.now)) is not None:
                truth = np.array([np.interp(shown.time, np.arange(120) * 40 * MS, column)
                                  for column in STATES.values.T])  # fmt: skip
                error = float(np.sqrt(((shown.values - truth) ** 2).mean()))
                self.shown.append((shown.how, error))

    def last(self, frames: int) -> float:
        return float(np.mean([error for _, error in self.shown[-frames:]]))

    @property
    def keys(self) -> int:
        return sum(packet.key for packet in self.packets)


def test_the_quality_changes_without_a_gap() -> None:
    line = Line()
    line.run(40)
    before, keys = len(line.shown), line.keys
    fine, fine_bytes = line.last(15), sum(len(p.payload) for p in line.packets[-15:])
    line.sender.choose(2)
    line.run(40)
    assert line.sender.level == 2
    coarse, coarse_bytes = line.last(15), sum(len(p.payload) for p in line.packets[-15:])
    assert coarse > 5 * fine and coarse_bytes < 0.4 * fine_bytes
    line.sender.choose(0)
    line.run(35)
    assert line.last(10) < 1.2 * fine
    assert all(how == "exact" for how, _ in line.shown[before:])
    assert line.keys - keys == 2  # one a change, though it takes a round trip to be known


@pytest.mark.parametrize("settings", [SenderSettings(), SenderSettings(acknowledged=False)])
def test_a_change_whose_key_packet_is_lost_comes_about_later(settings: SenderSettings) -> None:
    line = Line(settings)
    line.run(40)
    line.sender.choose(1)
    fine = line.last(10)
    line.run(50, lost=(0,))
    assert line.last(10) > 2 * fine
    if settings.acknowledged:  # the packets around it lean on the old quality
        assert sum(how != "exact" for how, _ in line.shown[-50:]) <= 2


def test_a_receiver_says_what_it_wants() -> None:
    line = Line()
    line.receiver.want(15)
    line.run(40)
    assert line.sender.level == 2
    coarse = line.last(10)
    line.receiver.want(1)
    line.run(40)
    assert line.sender.level == 1
    assert line.last(10) < 0.6 * coarse
    line.sender.choose(2)
    assert line.sender.level == 2
    line.receiver.want(0)
    line.run(20)
    assert line.sender.level == 2


def test_a_header_has_its_qualities_in_order() -> None:
    assert StreamHeader.parse(bytes(HEAD)) == (HEAD, len(bytes(HEAD)))
    assert HEAD.qualities == (128, 512, 2048)
    for wrong in ((128,), (512, 512), (512, 300), (70_000,), tuple(range(200, 216))):
        with pytest.raises(InputError, match="qualities"):
            replace(HEAD, coarser=wrong)
    with pytest.raises(InputError, match="qualities"):
        replace(HEAD, profile=0)
    with pytest.raises(InputError, match="qualities"):
        replace(HEAD, codec=1)
    offer = bytes(Offer((1, 1), frozenset(), HEAD))
    assert Offer.parse(offer).header == HEAD
    for length in range(len(offer)):
        with pytest.raises(FormatError):
            Offer.parse(offer[:length])


def test_a_quality_that_is_not_there() -> None:
    sender, receiver = FaceSender(STATISTICS, HEAD), FaceReceiver()
    with pytest.raises(InputError, match="quality 3"):
        sender.choose(3)
    with pytest.raises(InputError, match="quality 16"):
        receiver.want(16)
    codec = CallCodec(STATISTICS, HEAD)
    row = codec.quantizers[0].symbols(STATES.values[0])
    with pytest.raises(InputError, match="quality 3"):
        codec.encode(0, [(0, row)], level=3)
    packet, _ = CallCodec(STATISTICS, replace(HEAD, coarser=(512, 1024, 2048))).encode(
        0, [(0, row)], level=3
    )
    with pytest.raises(StreamError, match="quality 3"):
        codec.decode(packet, 0)
