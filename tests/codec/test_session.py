from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar.errors import FormatError, InputError, StateError, StreamError
from bench.made_states import DIGEST
from bench.simulated_call import MS
from codec import call_codec
from codec.session import FaceReceiver, FaceSender, ReceiverSettings, SenderSettings
from codec.session.datagram import STOPPED, Answer, Datagram, Feedback, Message, Offer
from codec.session.events import Answered, FallbackData, HandOver, Offered
from codec.session.playout import Playout, PlayoutSettings
from tests.codec.session_pair import HEAD, PROMPT, STATES, STATISTICS, Pair

H264, MTTF = 16, 17
OFFER = Offer((1, 3), frozenset([H264, 31]), HEAD)


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("messages", [
    (Message(32, b"abc"),), (Message(39, b""), Message(0, b"x" * 300), Message(127, b"")),
])  # fmt: skip
def test_datagrams_come_back(messages: tuple[Message, ...], check: bool) -> None:
    datagram = Datagram(messages)
    data = datagram.to_bytes(check)
    assert Datagram.parse(data, check) == datagram
    assert len(Datagram((Message(32, b"abc"),)).to_bytes(check)) == 4 + 2 * check
    if check:
        for i in range(len(data)):
            with pytest.raises(StreamError):
                Datagram.parse(data[:i], check)
            with pytest.raises(StreamError, match="checksum"):
                Datagram.parse(data[:i] + bytes([data[i] ^ 0x40]) + data[i + 1 :], check)


@pytest.mark.parametrize("message", [
    OFFER,
    Answer(0, False, frozenset(), DIGEST),
    Answer(1, True, frozenset([16, 31]), DIGEST),
    Answer(1, False, frozenset(), DIGEST, 15),
    Feedback(None, key=True, offer=True),
    Feedback(255, 0b1010_0001, loss=17),
    Feedback(0),
])  # fmt: skip
def test_messages_come_back_and_prefixes_are_refused(message: Offer | Answer | Feedback) -> None:
    data = bytes(message)
    assert type(message).parse(data) == message
    for length in range(len(data)):
        with pytest.raises(StreamError) as caught:
            type(message).parse(data[:length])
        assert caught.value.field
    if not isinstance(message, Offer):
        with pytest.raises(StreamError, match="too many"):
            type(message).parse(data + b"\0")


@pytest.mark.parametrize(("kind", "data", "message"), [
    (Offer, b"\0\1" + bytes(OFFER)[2:], "versions"),
    (Offer, b"\2\1" + bytes(OFFER)[2:], "versions"),
    (Offer, bytes(OFFER)[:4] + b"\1" + bytes(OFFER)[5:], "fallback"),
    (Offer, bytes(OFFER)[:6] + bytes(replace(HEAD, profile=0)), "alone"),
    (Offer, bytes(OFFER) + b"\0", "alone"),
    (Answer, b"\1\2" + bytes(20), "holds 2"),
    (Feedback, b"\x10\0\0", "flags"),
    (Feedback, b"\4\1\0", "nothing"),
])  # fmt: skip
def test_wrong_messages_are_refused(kind: type, data: bytes, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        kind.parse(data)


def test_what_cannot_be_sent() -> None:
    for wrong in ((), (Message(128, b""),)):
        with pytest.raises(InputError, match="message"):
            Datagram(wrong)
    with pytest.raises(InputError, match="16 to 31"):
        bytes(Offer((1, 1), frozenset([32]), HEAD))
    with pytest.raises(InputError, match="frames"):
        FaceSender(STATISTICS, HEAD, SenderSettings(frames=6))
    with pytest.raises(InputError, match="digest"):
        FaceReceiver().hold("abcd", STATISTICS)
    pair = Pair()
    for _ in range(3):
        pair.step()
    values = STATES.values[0]
    with pytest.raises(StateError, match="number 1"):
        pair.sender.send(0, 10**7, np.where(np.arange(4) == 1, np.nan, values))
    with pytest.raises(StateError, match="does not follow"):
        pair.sender.send(0, 40_000, values)
    with pytest.raises(StateError, match="numbers"):
        pair.sender.send(0, 10**7, values[:2])
    with pytest.raises(InputError, match="not offered"):
        pair.sender.send_fallback(20, b"")
    pair.step()
    assert pair.theirs


def test_a_call_begins_with_an_offer_and_an_answer() -> None:
    pair = Pair()
    for _ in range(6):
        pair.step()
    assert pair.theirs == [Offered(DIGEST, frozenset()), HandOver("avatar", 40_000)]
    assert pair.ours[0] == Answered(1, True)
    assert [type(e) for e in pair.ours] == [Answered, HandOver]
    assert pair.sender.carries == {"avatar"}
    assert pair.sender.round_trip == 39 * MS
    kinds = [Datagram.parse(data, True).messages[0].kind for data in pair.sent]
    assert kinds == [Offer.kind, 32, 32, 32, 32, 32]
    assert all(len(data) < 20 for data in pair.sent[3:])


def test_the_fallback_carries_until_the_avatar_is_there_and_again_when_it_must_not_be() -> None:
    pair = Pair(held=False, fallback=frozenset([H264, MTTF]))
    for _ in range(4):
        pair.step(MTTF)
    assert pair.sender.carries == {"fallback"}
    assert pair.ours == [Answered(1, False)]
    assert pair.theirs[1:] == [FallbackData(MTTF, b"picture")] * 3
    assert pair.receiver.show(pair.now) is None
    pair.theirs.clear()
    pair.receiver.hold(DIGEST.hex(), STATISTICS)
    pair.step(MTTF)
    pair.step(MTTF)  # both: the avatar's first packet is not acknowledged yet
    pair.step(MTTF)
    kinds = [type(e) for e in pair.theirs]
    assert kinds == [FallbackData, HandOver, FallbackData]
    assert pair.sender.carries == {"avatar"}
    assert pair.receiver.show(pair.now + 20 * MS) is not None

    pair.theirs.clear()
    assert pair.sender.drive(False, pair.now) == [HandOver("fallback", pair.now)]
    for _ in range(10):
        pair.step(H264)
    assert HandOver("fallback", 240_000) in pair.theirs
    assert FallbackData(H264, b"picture") in pair.theirs
    pair.sender.drive(True, pair.now)
    pair.theirs.clear()
    for _ in range(4):
        pair.step(H264)
    assert any(isinstance(e, HandOver) and e.to == "avatar" for e in pair.theirs)


def test_a_receiver_that_began_anew_gets_an_offer_and_a_key() -> None:
    pair = Pair()
    for _ in range(8):
        pair.step()
    pair.receiver = FaceReceiver()
    pair.receiver.hold(DIGEST.hex(), STATISTICS)
    pair.theirs.clear()
    for _ in range(8):
        pair.step()
    assert [type(e) for e in pair.theirs] == [Offered, HandOver]
    assert pair.sender.carries == {"avatar"}


def test_a_sender_that_began_anew_is_followed() -> None:
    pair = Pair()
    for _ in range(200):
        pair.step(deliver=pair.frame < 5 or pair.frame > 190)
    pair.sender = FaceSender(STATISTICS, HEAD)
    before = pair.receiver.show(pair.now)
    for _ in range(12):
        pair.step()
    after = pair.receiver.show(pair.now + 20 * MS)
    assert before is not None and after is not None and after.how == "exact"
    assert after.time > before.time + 300 * MS


@pytest.mark.parametrize("before", [30, 90])
@pytest.mark.parametrize("clock", ["goes on", "begins anew", "is the same again"])
def test_no_key_of_a_sender_that_began_anew_is_taken_for_one_of_before(before, clock) -> None:
    """It begins with the numbers that were seen already, and with the same offer."""
    pair = Pair()
    for _ in range(before):
        pair.step()
    pair.sender = FaceSender(STATISTICS, HEAD)
    if clock != "goes on":
        pair.frame = 0
    if clock == "begins anew":
        pair.begun = 3 * MS
    began = pair.frame * 40_000
    for _ in range(10):
        pair.step()
    shown = pair.receiver.show(pair.now + 20 * MS)
    assert shown is not None and shown.how == "exact"
    assert began < shown.time <= pair.begun + pair.frame * 40_000
    assert pair.sender.carries == {"avatar"}  # and so the new ones are acknowledged


def test_a_key_that_comes_twice_is_taken_once() -> None:
    pair = Pair()
    pair.step()
    pair.step()
    (key,) = [d for d in pair.sent if d[0] == 32]
    for _ in range(8):
        pair.step()
    assert pair.receiver.receive(pair.now + 30 * MS, key) == []
    pair.step()
    assert pair.sent[-1][2] != 0  # no key was asked for


def test_lost_keys_are_sent_until_one_arrives() -> None:
    pair = Pair()
    pair.step()
    for _ in range(4):
        pair.step(deliver=False)
    sent = [Datagram.parse(d, True).messages[0].body for d in pair.sent[1:]]
    assert [body[1] for body in sent] == [0] * 4
    for _ in range(3):
        pair.step()
    assert pair.sent[-1][2] == 1  # leans on the one before


def test_a_newer_sender_is_answered_with_no_version() -> None:
    receiver = FaceReceiver(ReceiverSettings(check=False))
    receiver.hold(DIGEST.hex(), STATISTICS)
    newer = Offer((2, 3), frozenset([H264]), HEAD)
    events = receiver.receive(0, Datagram((Message(37, bytes(newer)),)).to_bytes(False))
    assert events == [Offered(DIGEST, frozenset([H264]))]
    (reply,) = receiver.poll(0)
    (message,) = Datagram.parse(reply, False).messages
    assert Answer.parse(message.body) == Answer(0, False, frozenset(), DIGEST)


def test_damage_is_refused_and_changes_nothing() -> None:
    pair = Pair()
    for _ in range(5):
        pair.step()
    before = pair.receiver.show(pair.now)
    for data in (b"", b"\x20", bytes(30), pair.sent[-1][:-1]):
        with pytest.raises(FormatError):
            pair.receiver.receive(pair.now, data)
        with pytest.raises(FormatError):
            pair.sender.receive(pair.now, data)
    assert before is not None
    np.testing.assert_array_equal(pair.receiver.show(pair.now).values, before.values)  # type: ignore[union-attr]


def test_concealment_holds_and_then_goes_to_neutral() -> None:
    neutral = np.zeros(2, np.float32)
    settings = PlayoutSettings()
    playout = Playout(neutral, 40_000, settings)
    assert playout.show(0) is None
    values = np.array([4.0, -8.0], np.float32)
    playout.add(0, values, True)
    playout.arrived(1_000_000, 0, 1, 0.0)
    late = [playout.show(1_040_000 + t) for t in range(0, 2_000_001, 100_000)]
    sizes = [float(np.abs(s.values).max()) for s in late if s is not None]
    assert sizes[:3] == [8.0] * 3 and sizes == sorted(sizes, reverse=True)
    assert sizes[5] == pytest.approx(4.0) and sizes[-1] < 0.2
    assert [s.how for s in late if s is not None][-1] == "neutral"
    # What comes then is blended in, and is right at its own time.
    playout.add(2_200_000, values, True)
    first = playout.show(1_040_000 + 2_150_000)
    assert first is not None and 0 < first.values[0] < 4.0
    last = playout.show(1_040_000 + 2_200_000)
    assert last is not None and last.how == "exact" and last.values[0] == 4.0


def arrivals(playout: Playout, transits: list[int], loss: float = 0.0) -> None:
    """Frames every 40 ms, each that long on its way, microseconds."""
    for i, transit in enumerate(transits):
        playout.add(40_000 * i, np.full(1, i, np.float32), True)
        playout.arrived(40_000 * i + transit, 40_000 * i, 1, loss)


def test_the_delay_waits_for_every_frame_and_mostly_for_the_next() -> None:
    """Of ten frames nine come at once and one 60 ms late: that one sets the delay, and its 60 ms
    are not asked for once more on top of the next frame's 40."""
    even, uneven, worse = (Playout(np.zeros(1, np.float32), 40_000) for _ in range(3))
    arrivals(even, [5_000] * 60)
    assert even.delay == 40_000
    arrivals(uneven, ([5_000] * 9 + [65_000]) * 6)
    assert 60_000 <= round(uneven._target) - 5_000 < 70_000
    arrivals(worse, ([5_000, 65_000]) * 30)  # often late: the next frame is waited for, too
    assert round(worse._target) - 5_000 == 100_000


def test_who_draws_more_rarely_than_frames_come_waits_less_for_them() -> None:
    """A picture every 100 ms of frames every 40, a half of them 60 ms late, which set 100."""
    often, rarely = (Playout(np.zeros(1, np.float32), 40_000) for _ in range(2))
    for playout, pitch in ((often, 40_000), (rarely, 100_000)):
        asked = 0
        for i in range(400):
            playout.add(40_000 * i, np.full(1, i, np.float32), True)
            playout.arrived(40_000 * i + 5_000 + 60_000 * (i % 2), 40_000 * i, 1, 0.0)
            while asked < 40_000 * i:
                playout.show(asked)
                asked += pitch
    assert round(often._target) - 5_000 == 100_000
    assert round(rarely._target) - 5_000 == pytest.approx(40_000, abs=500)


def test_a_frame_whose_next_is_late_stands_and_says_since_when() -> None:
    playout = Playout(np.zeros(1, np.float32), 40_000)
    arrivals(playout, ([5_000] * 9 + [65_000]) * 6)
    newest = 40_000 * 59
    shown = playout.show(newest + 200_000)
    assert shown is not None and shown.how == "held" and shown.values[0] == 59.0
    assert shown.since == newest < shown.time
    exact = Playout(np.zeros(1, np.float32), 40_000)
    arrivals(exact, [5_000] * 60)
    between = exact.show(newest + 20_000)
    assert between is not None and between.how == "exact" and between.since == between.time


def test_who_takes_over_begins_where_the_other_stands_and_catches_up() -> None:
    playout = Playout(np.zeros(1, np.float32), 40_000)
    playout.meet(0, -500_000)  # there is nothing to show yet: nothing happens
    for i in range(100):
        playout.add(40_000 * i, np.full(1, i, np.float32), True)
        playout.arrived(40_000 * i, 40_000 * i, 1, 0.0)
    end = 40_000 * 99
    assert playout.show(end).time == end - 40_000  # type: ignore[union-attr]
    playout.meet(end, end - 20_000)  # sooner than it can: it stays
    assert playout.show(end).time == end - 40_000  # type: ignore[union-attr]
    playout.meet(end, end - 440_000)
    shown = playout.show(end)
    assert shown is not None and shown.time == end - 440_000 and shown.values[0] == 88.0
    later = [playout.show(end + t) for t in range(0, 12_000_000, 500_000)]
    lags = [end + t - s.time for t, s in zip(range(0, 12_000_000, 500_000), later) if s]
    assert lags == sorted(lags, reverse=True) and lags[-1] == 40_000
    assert max(a - b for a, b in zip(lags, lags[1:])) <= 25_000  # a twentieth faster


def test_frames_a_packet_change_during_a_call() -> None:
    sender = FaceSender(STATISTICS, HEAD, SenderSettings(acknowledged=False))
    sent = []
    for i in range(24):
        if i in (4, 16):
            sender.bundle(3 if i == 4 else 1)
        sent.append(len(sender.send(40_000 * i, 40_000 * i, np.asarray(STATISTICS.mean))))
    assert sent == [1] * 4 + [0, 0, 1] * 4 + [1] * 8
    with pytest.raises(InputError, match="6 frames"):
        sender.bundle(6)


def test_a_face_that_goes_is_not_bridged() -> None:
    playout = Playout(np.zeros(1, np.float32), 40_000)
    for i, seen in enumerate((True, False, True)):
        playout.add(40_000 * i, np.full(1, i, np.float32), seen)
        playout.arrived(40_000 * i, 40_000 * i, 1, 0.0)
    shown = [playout.show(40_000 + t) for t in (20_000, 60_000)]
    assert [(s.visible, s.values[0]) for s in shown if s is not None] == [(True, 0.0), (False, 1.0)]


def test_exact_frames_replace_coarse_ones() -> None:
    playout = Playout(np.zeros(1, np.float32), 40_000)
    one = np.ones(1, np.float32)
    playout.add(0, one, True)
    playout.add(80_000, 3 * one, True, exact=False)
    playout.arrived(80_000, 80_000, 1, 0.0)
    shown = playout.show(80_000)
    assert shown is not None and shown.how == "coarse"
    playout.add(82_000, 5 * one, True)
    playout.add(60_000, 9 * one, True, exact=False)
    shown = playout.show(120_000)
    assert shown is not None and shown.how == "bridged"
    assert shown.values[0] == pytest.approx(1 + 4 * 80 / 82)


def test_feedback_rides_with_a_face() -> None:
    pair, other = Pair(), Pair()
    for _ in range(6):
        pair.step()
        other.step()
    now = pair.now + 25 * MS
    sent = pair.sender.send(now, 400_000, STATES.values[0])
    pair.receiver.receive(now, sent[0])
    assert pair.receiver.poll(now) == []  # too early for a datagram of its own
    riding = pair.receiver.riding
    together = other.sender.send(now, 400_000, STATES.values[0], along=riding)
    alone = other.sender.send(now, 440_000, STATES.values[0], along=riding)
    assert [m.kind for m in Datagram.parse(together[0], True).messages] == [Feedback.kind, 32]
    assert [m.kind for m in Datagram.parse(alone[0], True).messages] == [32]
    assert pair.sender.receive(now, together[0]) == []


def test_feedback_is_thin_until_packets_are_missing() -> None:
    pair = Pair(receiver=ReceiverSettings())
    for _ in range(30):
        pair.step()
    assert len(pair.answers) <= 30 * 40 // 120 + 2
    for _ in range(5):
        pair.step(deliver=False)
        before = len(pair.answers)
        pair.step()
        assert len(pair.answers) == before + 1


def test_a_stop_is_told_at_once_and_now_and_then_until_the_owner_is_back() -> None:
    pair = Pair()
    for _ in range(30):
        pair.step()
    assert pair.receiver.show(pair.now) is not None and not pair.receiver.stopped
    pair.sender.drive(False, pair.now)
    pair.sent.clear()
    for _ in range(25):  # a second
        pair.step()
        assert pair.receiver.stopped
    kinds = [Datagram.parse(data, True).messages[0].kind for data in pair.sent]
    assert kinds == [STOPPED] * 5
    pair.sender.drive(True, pair.now)
    for _ in range(3):
        pair.step()
    assert not pair.receiver.stopped


def test_what_is_not_at_hand_is_learned_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_codec, "_ready", {})
    pair = Pair(receiver=replace(PROMPT, learns=False))
    call_codec._ready.clear()  # of the sender
    for _ in range(5):
        pair.step()
    assert pair.receiver.unlearned is not None
    assert pair.receiver.unlearned == (STATISTICS, HEAD) and pair.receiver.show(pair.now) is None
    call_codec.CallCodec.ready(STATISTICS, HEAD)
    pair.receiver.learned(pair.receiver.unlearned)
    for _ in range(5):
        pair.step()
    assert pair.receiver.unlearned is None and pair.receiver.show(pair.now) is not None


def test_what_cannot_be_learned_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_codec, "_ready", {})
    pair = Pair(receiver=replace(PROMPT, learns=False))
    call_codec._ready.clear()
    pair.step()
    assert pair.receiver.unlearned is not None
    pair.receiver.learned(pair.receiver.unlearned)
    for _ in range(5):
        pair.step()
    assert pair.receiver.unlearned is None and pair.receiver.show(pair.now) is None


def test_an_offer_that_comes_while_another_is_learned_is_learned_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_codec, "_ready", {})
    receiver = FaceReceiver(replace(PROMPT, learns=False))
    receiver.hold(DIGEST.hex(), STATISTICS)
    other = replace(HEAD, quality=2 * HEAD.quality)
    wanted = []
    for header in (HEAD, other):
        offer = Offer((1, 3), frozenset(), header)
        receiver.receive(0, Datagram((Message(Offer.kind, bytes(offer)),)).to_bytes(True))
        wanted.append(receiver.unlearned)
    assert wanted[0] is not None and wanted[1] is not None
    call_codec.CallCodec.ready(*wanted[0])
    receiver.learned(wanted[0])
    assert receiver.unlearned == (STATISTICS, other)
    call_codec.CallCodec.ready(*wanted[1])
    receiver.learned(wanted[1])
    assert receiver.unlearned is None
