"""Where a call is made, told until it is held."""

from __future__ import annotations

from dataclasses import replace

import pytest

from avatar.errors import StreamError
from bench.made_states import DIGEST
from bench.simulated_call import MS
from codec.packet import BackgroundPacket, LightPacket, PosturePacket
from codec.session import FaceReceiver
from codec.session.datagram import Datagram, Message, Offer
from codec.session.surroundings import HeldMessage, SurroundingsMessage
from tests.codec.session_pair import HEAD, STATISTICS, Pair

DUSK = LightPacket((-32, -32, 16), (10, 4, -6))
ROOM = BackgroundPacket(2, 64, b"picture")
LEANING = PosturePacket(3, 1, (0, 0, 0, 0, 0, -9))
ELSEWHERE = SurroundingsMessage(DUSK, LEANING, ROOM)


@pytest.mark.parametrize("message", [
    SurroundingsMessage(), SurroundingsMessage(DUSK), SurroundingsMessage(background=ROOM),
    SurroundingsMessage(posture=LEANING), ELSEWHERE,
])  # fmt: skip
def test_surroundings_come_back_and_what_is_none_is_refused(message: SurroundingsMessage) -> None:
    data = bytes(message)
    assert SurroundingsMessage.parse(data) == message
    held = HeldMessage.of(message)
    assert HeldMessage.parse(bytes(held)) == held
    for wrong in (
        b"",
        b"\x08" + data[1:],
        b"\1" + bytes(5),
        b"\2\1",
        b"\4\3\3\1\1",
        bytes(SurroundingsMessage()) + b"x",
    ):
        with pytest.raises(StreamError):
            SurroundingsMessage.parse(wrong)
    with pytest.raises(StreamError):
        HeldMessage.parse(bytes(held)[:3])
    with pytest.raises(StreamError, match="257 pixels"):
        SurroundingsMessage.parse(bytes(SurroundingsMessage(background=replace(ROOM, side=257))))


def told(pair: Pair, since: int = 0) -> list[int]:
    """Which of the datagrams say where the sender is."""
    kinds = [Datagram.parse(data, True).messages[0].kind for data in pair.sent[since:]]
    return [n for n, kind in enumerate(kinds) if kind == SurroundingsMessage.kind]


def test_surroundings_are_told_until_they_are_held_and_again_to_who_began_anew() -> None:
    pair = Pair()
    pair.sender.surround(ELSEWHERE)  # before anybody has answered
    for n in range(20):
        pair.step(deliver=n != 1)
    assert pair.receiver.surroundings == ELSEWHERE and len(told(pair)) == 2
    for other in (SurroundingsMessage(DUSK), SurroundingsMessage()):
        pair.sender.surround(other)
        pair.step()
        assert pair.receiver.surroundings == other
    since = len(pair.sent)
    # One that the network has kept back is no later one.
    data = Datagram((Message(ELSEWHERE.kind, bytes(ELSEWHERE)),)).to_bytes(True)
    pair.receiver.receive(pair.now, data)
    for _ in range(4):
        pair.step()
    assert pair.receiver.surroundings == SurroundingsMessage() and len(told(pair, since)) == 1

    pair.sender.surround(ELSEWHERE)
    pair.step()
    pair.receiver = FaceReceiver()
    pair.receiver.hold(DIGEST.hex(), STATISTICS)
    for _ in range(8):
        pair.step()
    assert pair.receiver.surroundings == ELSEWHERE


def test_who_never_heard_of_surroundings_is_told_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = Pair()
    pair.sender.surround(ELSEWHERE)
    monkeypatch.setattr(SurroundingsMessage, "kind", 49)  # of no kind that a receiver knows
    pair.receiver = FaceReceiver()
    pair.receiver.hold(DIGEST.hex(), STATISTICS)
    for _ in range(1500):  # a minute
        monkeypatch.setattr(SurroundingsMessage, "kind", 46)
        out = pair.sender.poll(pair.now)
        monkeypatch.setattr(SurroundingsMessage, "kind", 49)
        pair.sent += out
        for data in out:
            pair.receiver.receive(pair.now, data)
        for data in pair.receiver.poll(pair.now):
            pair.sender.receive(pair.now, data)
        pair.now += 40 * MS
    monkeypatch.undo()
    assert 8 <= len(told(pair)) <= 12


def test_anothers_offer_is_not_in_the_surroundings_of_the_last() -> None:
    pair = Pair()
    pair.sender.surround(ELSEWHERE)
    for _ in range(4):
        pair.step()
    other = Offer((1, 1), frozenset(), replace(HEAD, digest=bytes(16)))
    pair.receiver.receive(pair.now, Datagram((Message(37, bytes(other)),)).to_bytes(True))
    assert pair.receiver.surroundings == SurroundingsMessage()
