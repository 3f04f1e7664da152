"""Two ends on a made-up line: what is filmed at one is shown at the other."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from codec.packet import LightPacket
from enroll.capture import Frame
from service.calls.badge import badged
from service.calls.face_end import FaceEnd
from service.surroundings import Surroundings

TICK = 40_000  # us


def run(sender, receiver, tracker, width, lost=frozenset(), frames=60):
    shown = []
    for n in range(frames):
        now = n * TICK
        values = np.full(width, 0.5 * np.sin(n / 10), np.float32)
        out = sender.film(now, Frame(values, now), tracker) + sender.poll(now)
        for data in out if n not in lost else []:
            receiver.receive(now + 5_000, data)
        for data in receiver.poll(now + 6_000):
            sender.receive(now + 10_000, data)
        shown.append(receiver.show(now + 20_000))
    return shown


def test_what_is_filmed_here_is_shown_there(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    shown = run(sender, receiver, moving, ada.layout.width)
    assert shown[0] is None and receiver.theirs is ada and receiver.wanting is None
    last = shown[-1]
    assert np.abs(last.values - 0.5 * np.sin(last.time / TICK / 10)).max() < 0.15
    assert receiver.carried == "avatar" and receiver.traffic.damaged == 0
    assert sender.round_trip is not None and 0 < receiver.traffic.received.now < 20


def test_a_round_trip_does_not_count_the_tracking(ada, moving):
    """Some frames take seconds, as the first does; what is sent of them is sent afterwards."""
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    now = 0
    for n in range(60):
        values = np.full(ada.layout.width, 0.01 * n, np.float32)
        begun, tracked = now, now + (5_000_000 if n in (0, 40) else 10_000)
        out = sender.film(begun, Frame(values, begun), moving, lambda done=tracked: done)
        for data in out + sender.poll(tracked):
            receiver.receive(tracked + 5_000, data)
        for data in receiver.poll(tracked + 6_000):
            sender.receive(tracked + 10_000, data)
            assert sender.round_trip is None or sender.round_trip < 100_000
        now = tracked + TICK
    assert sender.round_trip is not None


def test_figures_are_told_while_another_thread_films(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    run(sender, receiver, moving, ada.layout.width)
    told, done = [], threading.Event()

    def tell():
        while not done.is_set():
            told.append((sender.kbps, sender.round_trip, sender.loss, sender.delay))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    telling = ThreadPoolExecutor(1)
    try:
        ended = telling.submit(tell)
        values = np.zeros(ada.layout.width, np.float32)
        for now in range(60 * TICK, 360 * TICK, TICK):
            sender.film(now, Frame(values, now), moving)
    finally:
        done.set()
        sys.setswitchinterval(before)
        telling.shutdown()
    ended.result()
    assert told


class Elsewhere:
    """In place of what looks around: says once where it is."""

    def __init__(self, found):
        self.found = found

    def step(self, frame, track, states):
        found, self.found = self.found, None
        return found


def test_an_avatar_is_drawn_where_its_owner_is(ada, moving):
    where = Surroundings(None, LightPacket((-32, 0, 32), (10, 4, -6)))
    sender = FaceEnd(ada, surroundings=Elsewhere(where))
    receiver = FaceEnd(None, [ada])
    run(sender, receiver, moving, ada.layout.width)
    assert receiver.unplaced == (ada, where.message)
    now = 59 * TICK + 30_000
    assert receiver.scene(now).avatar[0] is ada  # until it is made
    drawn = replace(ada, name="lit")
    receiver.place(receiver.unplaced, drawn)
    assert receiver.unplaced is None and receiver.scene(now).avatar[0] is drawn
    assert receiver.theirs is ada

    # Who comes anew is told, too; a better archive is drawn there; what is taken away is gone.
    other = FaceEnd(None, [ada])
    run(sender, other, moving, ada.layout.width)
    assert other.unplaced == (ada, where.message)
    better = replace(ada)
    receiver.hold(better)
    assert receiver.unplaced == (better, where.message)
    receiver.drop(bytes.fromhex(ada.digest)[:16])
    assert receiver.unplaced is None and receiver.scene(now) is None


def test_losses_are_survived_and_reported(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    lost = set(range(12, 200, 9))
    shown = run(sender, receiver, moving, ada.layout.width, lost, frames=200)
    assert shown[-1] is not None and 0.02 < receiver.loss < 0.3


def test_an_avatar_that_is_not_at_hand_is_wanted_and_then_shown(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None)
    assert run(sender, receiver, moving, ada.layout.width, frames=10)[-1] is None
    assert receiver.wanting == bytes.fromhex(ada.digest)[:16] and receiver.theirs is None
    receiver.hold(ada)
    assert receiver.wanting is None


def test_another_face_before_the_camera_stops_the_avatar(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    run(sender, receiver, moving, ada.layout.width)
    sender.drive(False, 60 * TICK)
    values = np.zeros(ada.layout.width, np.float32)
    assert sender.film(60 * TICK, Frame(values, 60 * TICK), moving) == []


def test_a_watch_stops_the_avatar_for_a_stranger_and_lets_its_owner_go_on(ada, moving):
    class Watch:
        owner = True

        def step(self, now, image, points):
            return self.owner

    watch = Watch()
    sender, receiver = FaceEnd(ada, watch=watch), FaceEnd(None, [ada])
    run(sender, receiver, moving, ada.layout.width)
    before = receiver.show(60 * TICK)
    watch.owner = False
    assert film(sender, moving, 60) == [] and sender.owner is False and before is not None
    watch.owner = True
    assert film(sender, moving, 61) + film(sender, moving, 62)


def film(end, tracker, tick):
    return end.film(tick * TICK, Frame(np.zeros(end._mine.layout.width, np.float32), tick * TICK),
                    tracker)  # fmt: skip


def test_rubbish_is_counted_and_harms_nothing(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(ada, [ada])
    run(sender, receiver, moving, ada.layout.width)
    for data in (b"", b"\xff" * 40, b"\x25", bytes(range(60))):
        receiver.receive(60 * TICK, data)
    assert receiver.traffic.damaged >= 3
    assert receiver.show(61 * TICK) is not None


@pytest.mark.parametrize("size", [16, 64, 256])
def test_every_picture_carries_the_badge(size):
    grey = np.full((size, size, 3), 96, np.uint8)
    marked = badged(grey)
    assert (grey == 96).all() and (marked[-2:, :4] == (180, 83, 9)).all()
    assert (marked[: size // 3] == 96).all()


ADA, EVE = bytes(range(32)), bytes(range(32, 64))  # signing keys


@pytest.fixture
def signed(ada):
    """Ada's avatar, whose archive names her key."""
    from avatar.archive import avatar_bytes, parse_avatar
    from codec.signature import public_key

    return parse_avatar(avatar_bytes(replace(ada, signer=public_key(ADA))))


def test_a_stream_that_its_owner_signed_is_verified_and_shown(signed, moving):
    sender = FaceEnd(signed, room="r", seed=ADA)
    receiver = FaceEnd(None, [signed], room="r")
    assert receiver.identity == "unknown"
    assert run(sender, receiver, moving, signed.layout.width)[-1] is not None
    assert receiver.identity == "verified" and sender.identity == "unknown"


def test_an_avatar_without_a_key_is_shown_and_said_to_be_unverified(ada, moving):
    sender, receiver = FaceEnd(ada, seed=ADA), FaceEnd(None, [ada])
    assert run(sender, receiver, moving, ada.layout.width)[-1] is not None
    assert receiver.identity == "unverified"


@pytest.mark.parametrize("seed", [b"", EVE])
def test_whoever_holds_the_avatar_but_not_its_key_is_not_shown(signed, moving, seed):
    sender, receiver = FaceEnd(signed, room="r", seed=seed), FaceEnd(None, [signed], room="r")
    assert not any(run(sender, receiver, moving, signed.layout.width))
    assert receiver.identity == "mismatch" and receiver.carried == "nothing"


def test_a_signature_for_another_avatar_does_not_do(signed, moving):
    """Eve is enrolled and signs for herself, and offers Ada's avatar."""
    from codec.session.protection import ProtectedEnd

    sender, receiver = FaceEnd(signed, room="r"), FaceEnd(None, [signed], room="r")
    sender._line = ProtectedEnd("r", bytes(32 * [7]), b"\x01" * 32, ADA)
    assert not any(run(sender, receiver, moving, signed.layout.width))
    assert receiver.identity == "mismatch"


def test_what_was_signed_in_another_room_does_not_do(signed, moving):
    """The server could carry datagrams from one room to another: they do not open."""
    sender, receiver = FaceEnd(signed, room="r", seed=ADA), FaceEnd(None, [signed], room="s")
    assert not any(run(sender, receiver, moving, signed.layout.width))
    assert receiver.identity == "unknown" and receiver.traffic.damaged


def test_a_greeting_that_was_overheard_makes_nobody_ada(signed, moving):
    """Eve repeats Ada's greeting of this room, and goes on with datagrams of her own."""
    ada, eve = FaceEnd(signed, room="r", seed=ADA), FaceEnd(signed, room="r")
    receiver = FaceEnd(None, [signed], room="r")
    (overheard,) = ada.poll(0)

    class Eve:
        def film(self, now, frame, tracker):
            return eve.film(now, frame, tracker)

        def poll(self, now):
            return [overheard] + [data for data in eve.poll(now) if data[:1] != b"\xff"]

        def receive(self, now, data):
            eve.receive(now, data)

    assert not any(run(Eve(), receiver, moving, signed.layout.width))
    assert receiver.identity != "verified"


def test_the_next_one_at_the_other_end_is_judged_by_themselves(signed, moving):
    receiver = FaceEnd(None, [signed], room="r")
    run(FaceEnd(signed, room="r", seed=ADA), receiver, moving, signed.layout.width)
    assert receiver.identity == "verified"
    late = run(FaceEnd(signed, room="r"), receiver, moving, signed.layout.width)
    assert receiver.identity == "mismatch" and late[-1] is None
    back = run(FaceEnd(signed, room="r", seed=ADA), receiver, moving, signed.layout.width)
    assert receiver.identity == "verified" and back[-1] is not None


def test_the_other_side_is_told_that_somebody_else_is_there(signed, moving):
    sender, receiver = FaceEnd(signed, room="r", seed=ADA), FaceEnd(None, [signed], room="r")
    run(sender, receiver, moving, signed.layout.width)
    assert not receiver.stopped
    sender.drive(False, 60 * TICK)
    for data in sender.poll(60 * TICK):
        receiver.receive(60 * TICK, data)
    assert receiver.stopped and receiver.show(61 * TICK) is None
    assert sender.poll(61 * TICK) == [] and sender.poll(66 * TICK)  # now and then, not always
    sender.drive(None, 67 * TICK)  # nobody looks any more
    for tick in range(67, 70):
        for data in film(sender, moving, tick):
            receiver.receive(tick * TICK, data)
    assert not receiver.stopped and receiver.show(70 * TICK) is not None


class Alone:
    """Stands before a part of an end, and fails where two threads are in any of them at once."""

    inside = threading.Lock()
    met: list[str] = []

    def __init__(self, part):
        self._part = part

    def __getattr__(self, name):
        found = getattr(self._part, name)
        if not callable(found):
            return found

        def alone(*arguments, **more):
            mine = threading.get_ident() == getattr(Alone, "holder", None)
            if not mine and not Alone.inside.acquire(blocking=False):
                Alone.met.append(name)
                return found(*arguments, **more)
            Alone.holder = threading.get_ident()
            try:
                time.sleep(0.0005)  # long enough for the other thread to come by
                return found(*arguments, **more)
            finally:
                if not mine:
                    Alone.holder = None
                    Alone.inside.release()

        return alone


def test_one_thread_films_while_another_receives_and_shows(ada, moving):
    end, other = FaceEnd(ada, [ada]), FaceEnd(ada, [ada])
    run(end, other, moving, ada.layout.width, frames=10)
    end._sender, end._receiver, end._line = map(Alone, (end._sender, end._receiver, end._line))
    sent = []

    def filming():
        for tick in range(10, 60):
            sent.extend(film(end, moving, tick))

    thread = threading.Thread(target=filming)
    thread.start()
    tick = 10
    while thread.is_alive():
        end.poll(tick * TICK)
        for data in film(other, moving, tick) + other.poll(tick * TICK):
            end.receive(tick * TICK, data)
        end.choose(tick % 2)
        end.scene(tick * TICK)
        tick += 1
    thread.join()
    assert Alone.met == [] and len(sent) >= 45 and end.traffic.damaged == 0


def test_what_comes_does_not_wait_for_the_tracker(ada, moving):
    end = FaceEnd(ada, [ada])

    class Slow:
        def step(self, frame):
            looking = threading.Thread(target=end.poll, args=(0,))
            looking.start()
            looking.join(10.0)
            assert not looking.is_alive()
            return moving.step(frame)

    film(end, Slow(), 1)


def test_an_avatar_that_is_taken_away_is_shown_no_more_and_asked_for_again(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    assert run(sender, receiver, moving, ada.layout.width)[-1] is not None
    receiver.drop(bytes.fromhex(ada.digest)[:16])
    assert receiver.scene(60 * TICK) is None and receiver.theirs is None
    assert receiver.wanting == bytes.fromhex(ada.digest)[:16]
    for data in receiver.poll(60 * TICK):
        sender.receive(60 * TICK, data)
    assert sender._sender.carries == {"fallback"}  # it is not sent any more, either


def test_a_better_avatar_takes_the_place_of_a_coarse_one_without_a_gap(ada, moving):
    sender, receiver = FaceEnd(ada), FaceEnd(None, [ada])
    before = run(sender, receiver, moving, ada.layout.width)[-1]
    better = replace(ada)
    receiver.hold(better)
    scene = receiver.scene(59 * TICK + 20_000)
    assert scene.avatar[0] is better and scene.avatar[1].time == before.time


def test_nothing_goes_to_another_than_the_one_who_is_called(signed, moving):
    """The server greets with a key of its own, as if it were whom we call."""
    from codec.signature import public_key

    called = {public_key(ADA)}
    for seed in (b"", EVE):
        me, server = FaceEnd(signed, known=called), FaceEnd(signed, [signed], seed=seed)
        run(me, server, moving, signed.layout.width)
        assert me.stranger and not server.stranger
        assert server.offered is None and server.traffic.damaged == 0  # greetings alone
        run(server, me, moving, signed.layout.width)
        assert me.offered is None
    me, friend = FaceEnd(signed, seed=ADA, known=called), FaceEnd(signed, [signed], seed=ADA)
    assert run(me, friend, moving, signed.layout.width)[-1] is not None and not me.stranger
