"""Key frames over a line that loses, doubles and turns round: docs/mttf.md, section 8."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar.errors import StreamError
from codec.mttf.call_keys import KeyReceiver, KeyReport, KeySender, Named, Piece
from codec.mttf.packet import MTTF_KEY, MTTF_REFERENCE, KeyFrame, Reference

MS = 1000
TICK = 20 * MS


def key(slot: int, size: int = 2500) -> KeyFrame:
    return KeyFrame(0, slot, 2, 256, bytes([slot]) * size)


def run(sender, receiver, begin, ticks, lose=lambda: False):
    """Bytes that were sent on the way there."""
    sent = 0
    for now in range(begin, begin + ticks * TICK, TICK):
        for message in sender.poll(now):
            sent += len(message.body)
            if not lose():
                receiver.take(message.kind, message.body)
        for message in receiver.poll(now):
            if not lose():
                sender.reported(KeyReport.parse(message.body), now)
    return sent


def test_frames_are_made_from_what_was_named_for_their_time() -> None:
    sender, receiver = KeySender(), KeyReceiver()
    assert receiver.at(0) is None
    sender.add(key(0), 0)
    run(sender, receiver, 0, 3)
    sender.add(key(1), 400 * MS)
    run(sender, receiver, 400 * MS, 3)
    sender.add(Reference(0, 0), 800 * MS)
    run(sender, receiver, 800 * MS, 3)
    slots = [receiver.at(time * MS)[1].slot for time in (0, 399, 400, 799, 800, 5000)]
    assert slots == [0, 0, 1, 1, 0, 0]
    assert run(sender, receiver, 1_000 * MS, 200) == 0  # known, so nothing more is said


@pytest.mark.parametrize("seed", range(5))
def test_what_is_lost_is_asked_for_and_nothing_else(seed) -> None:
    rng = random.Random(seed)
    sender, receiver = KeySender(), KeyReceiver()
    sent = 0
    for slot in range(4):
        sender.add(key(slot, 6500), slot * 1_000 * MS)
        sent += run(sender, receiver, slot * 1_000 * MS, 50, lambda: rng.random() < 0.3)
        number, held = receiver.at(slot * 1_000 * MS)
        assert (held.slot, held.data) == (slot, key(slot, 6500).data)
    assert sent < 2.2 * 4 * 6500


def test_who_comes_late_asks_for_what_is_used() -> None:
    sender, early, late = KeySender(), KeyReceiver(), KeyReceiver()
    sender.add(key(0), 0)
    sender.add(key(1), 40 * MS)
    run(sender, early, 0, 20)
    sender.renew()
    sent = run(sender, late, 1_000 * MS, 40)
    assert late.at(1_000 * MS)[1].slot == 1 and sent < 2 * 2500


def test_a_slot_is_used_again_and_numbers_come_round() -> None:
    sender, receiver = KeySender(), KeyReceiver()
    for n in range(300):
        sender.add(key(n % 4, 100 + n), n * 100 * MS)
        run(sender, receiver, n * 100 * MS, 2)
        number, held = receiver.at(n * 100 * MS)
        assert number == n % 256 and len(held.data) == 100 + n
    receiver.drop(number)
    assert receiver.at(299 * 100 * MS)[0] != number
    run(sender, receiver, 40_000 * MS, 20)  # it is asked for again
    assert receiver.at(299 * 100 * MS)[0] == number


@settings(max_examples=200)
@given(st.sampled_from([MTTF_KEY, MTTF_REFERENCE]), st.binary(max_size=40))
def test_arbitrary_messages_raise_only_what_is_declared(kind: int, body: bytes) -> None:
    try:
        KeyReceiver().take(kind, body)
        KeyReport.parse(body)
    except StreamError:
        pass


def test_messages_are_inverses() -> None:
    for message in (Piece(7, 3, 2, b"data"), Named(1 << 31, 255)):
        assert type(message).parse(bytes(message)) == message
    for report in (KeyReport(9, True), KeyReport(9, False), KeyReport(9, False, (0, 3))):
        assert KeyReport.parse(bytes(report)) == report
    for body in (b"\0\2", b"\0\1\5", b""):
        with pytest.raises(StreamError):
            KeyReport.parse(body)
