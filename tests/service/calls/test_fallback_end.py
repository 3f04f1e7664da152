"""A call that begins without the avatar, goes over to it, and back."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")

from avatar.archive import avatar_bytes, parse_avatar  # noqa: E402
from avatar.face import FaceStates, Window  # noqa: E402
from codec.mttf.network import Mttf  # noqa: E402
from codec.mttf.vectors import statistics_of  # noqa: E402
from codec.mttf.weights import Weights  # noqa: E402
from codec.signature import public_key  # noqa: E402
from enroll.capture import Frame  # noqa: E402
from service.calls import face_end, fallback_end, screen  # noqa: E402
from service.calls.face_end import FaceEnd  # noqa: E402
from service.calls.fallback_end import CallFallback, FallbackEnd  # noqa: E402
from service.calls.hand_over import blended  # noqa: E402
from service.calls.screen import Screen  # noqa: E402
from service.view import View  # noqa: E402
from service.watermark.payload import NO_AVATAR  # noqa: E402
from service.watermark.reader import WatermarkReader  # noqa: E402
from tests.codec.mttf.conftest import TINY, scene  # noqa: E402
from tests.service.calls.test_face_end import Alone  # noqa: E402

MS = 1000
TICK = 40 * MS
WAY = 30 * MS
SIDE = 64
KEY = bytes(range(32))  # that signs


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Untrained: every frame shows the key frame."""
    torch.manual_seed(0)
    tensors = {name: t.numpy() for name, t in Mttf(TINY).state_dict().items()}
    rows = np.random.default_rng(0).normal(size=(9, TINY.numbers))
    return Weights(TINY, tensors, statistics_of(rows), "ab" * 32, {})


def fallback(weights, **settings) -> FallbackEnd:
    return FallbackEnd(weights, CallFallback(side=SIDE, qp=20, **settings))


@dataclass
class Tracked:
    row: object
    points: object = None


@dataclass
class Row:
    time: int
    window: Window
    seen: bool


class Tracker:
    seen = True

    def step(self, frame):
        return Tracked(Row(frame.time, Window(0.0, 0.0, SIDE, SIDE, SIDE), self.seen))


@pytest.fixture
def tracker(monkeypatch):
    class States:
        def __init__(self, avatar, refiner):
            self._layout = avatar.layout

        def step(self, frame, row, looks):
            values = np.zeros((1, self._layout.width), np.float32)
            return FaceStates(np.array([row.time]), values, np.array([row.seen]), self._layout)

    monkeypatch.setattr(face_end, "LiveStates", States)
    return Tracker()


class Call:
    """One who films and one who looks, 30 ms apart; a picture at every tick."""

    def __init__(self, sender, receiver, tracker, lose=lambda: False):
        self.sender, self.receiver, self.tracker, self.lose = sender, receiver, tracker, lose
        self.now = 0
        self.line: list[tuple[int, bool, bytes]] = []
        self.scenes: list[object] = []
        self.shift = 0.0

    def run(self, frames, filming=True):
        first = len(self.scenes)
        for _ in range(4 * frames):
            self.now += TICK // 4
            out = self.sender.poll(self.now)
            if filming and self.now % TICK == 0:
                frame = Frame(scene(self.shift), self.now)
                out += self.sender.film(self.now, frame, self.tracker)
            self.line += [(self.now + WAY, True, d) for d in out if not self.lose()]
            back = self.receiver.poll(self.now)
            self.line += [(self.now + WAY, False, d) for d in back if not self.lose()]
            due = [each for each in self.line if each[0] <= self.now]
            self.line = [each for each in self.line if each[0] > self.now]
            for _, forth, data in due:
                (self.receiver if forth else self.sender).receive(self.now, data)
            if self.now % TICK == 0:
                self.scenes.append(self.receiver.scene(self.now))
        return self.scenes[first:]


def test_without_any_avatar_there_is_a_face_at_once(weights) -> None:
    call = Call(*(FaceEnd(None, fallback=fallback(weights)) for _ in range(2)), None)
    shown = call.run(25)
    first = next(i for i, each in enumerate(shown) if each is not None)
    assert first <= 10  # 400 ms, of which the line takes 90: offer, answer, picture
    assert all(each is not None and each.share == 0 for each in shown[first:])
    assert call.receiver.carried == "fallback"
    assert call.receiver.traffic.damaged == call.sender.traffic.damaged == 0
    picture = Screen(View(SIDE, SIDE)).picture(shown[-1], 0)
    error = np.abs(picture.astype(int) - scene(0.0))[: SIDE // 2]
    assert error.mean() < 20  # the key frame, as an untrained network shows it
    steady = call.sender.traffic.sent
    call.run(50)
    assert steady.now < 12 and call.sender.round_trip is not None


def test_without_weights_at_the_other_end_only_offers_go_out(weights) -> None:
    call = Call(FaceEnd(None, fallback=fallback(weights)), FaceEnd(None), None)
    assert call.run(25) == [None] * 25
    assert call.sender.traffic.sent.overall < 4


@pytest.mark.parametrize("loss", [0.05, 0.1])
def test_losses_are_survived(weights, loss) -> None:
    for seed in range(2):
        rng = random.Random(seed)
        ends = [FaceEnd(None, fallback=fallback(weights, kbps=50.0)) for _ in range(2)]
        call = Call(*ends, None, lambda rng=rng: rng.random() < loss)
        call.run(25)
        for step in range(4):  # what the key frame does not explain: another one
            call.shift = 0.12 * step
            shown = call.run(15)
            assert all(each is not None for each in shown)
            end, vectors = shown[-1].fallback
            assert end._keys_in.at(vectors.time)[0] == call.sender._fallback._keys_out._next - 1
        assert sum(each.fallback[1].how in ("exact", "bridged") for each in shown) >= 13
        assert 0 < call.receiver.loss < 0.3 and call.receiver.traffic.damaged == 0


def test_who_joins_late_sees_a_face_too(weights) -> None:
    call = Call(*(FaceEnd(None, fallback=fallback(weights)) for _ in range(2)), None)
    call.run(30)
    call.receiver = FaceEnd(None, fallback=fallback(weights))
    shown = call.run(25)
    assert shown[-1] is not None and None not in shown[15:]


def test_one_thread_films_and_one_draws_while_another_does_the_rest(weights) -> None:
    call = Call(*(FaceEnd(None, fallback=fallback(weights)) for _ in range(2)), None)
    end, other = call.sender, call.receiver
    call.run(15)
    back = Call(other, end, None)  # both ways
    back.now, back.line = call.now, []
    back.run(15)
    fb = end._fallback
    Alone.met.clear()
    for part in ("_sender", "_receiver", "_keys_out", "_keys_in"):
        setattr(fb, part, Alone(getattr(fb, part)))
    begun, shown = back.now, fb.show(back.now)
    films = [end.film(begun, Frame(scene(0.0), begun), None)]  # once before they are many

    def filming():
        for n in range(1, 12):
            films.append(end.film(begun + n * TICK, Frame(scene(0.0), begun + n * TICK), None))

    def drawing():
        for _ in range(12):
            fb.picture(shown)

    threads = [threading.Thread(target=work) for work in (filming, drawing)]
    for thread in threads:
        thread.start()
    now = begun
    while any(thread.is_alive() for thread in threads):
        now += TICK // 4
        film = other.film(now, Frame(scene(0.0), now), None) if now % TICK == 0 else []
        for data in film + other.poll(now):
            end.receive(now, data)
        for data in end.poll(now):
            other.receive(now, data)
        end.scene(now)
    assert Alone.met == [] and all(films) and end.traffic.damaged == 0


class Drawn:
    """A renderer that draws what the fallback shows, three pixels to the right."""

    base = np.zeros((SIDE, SIDE, 3), np.uint8)

    left_out = 0

    def __init__(self, avatar, view, device="auto", deadline=None):
        pass

    def picture(self, values):
        return np.roll(self.base, 3, axis=1)


def test_two_pictures_meet_half_way_and_nothing_is_seen_twice() -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (SIDE, 2 * SIDE, 3)).astype(np.float32)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.0), None, 0, 255, cv2.NORM_MINMAX)
    wide = wide.astype(np.uint8)
    first, second, middle = (
        np.ascontiguousarray(wide[:, 32 - shift : 96 - shift]) for shift in (0, 2, 1)
    )
    error = np.abs(blended(first, second, 0.5).astype(int) - middle)[:, 4:-4].mean()
    plain = np.abs(0.5 * first + 0.5 * second - middle)[:, 4:-4].mean()
    assert error < 0.5 * plain and (blended(first, second, 1.0) == second).all()


@pytest.mark.parametrize("side", [64, 256])
def test_a_picture_with_nothing_in_it_moves_nothing(side) -> None:
    """A grey one, a slope of light, noise: what phase correlation finds there is chance."""
    rng = np.random.default_rng(0)
    face = cv2.resize(scene(0.0), (side, side))
    slope = np.broadcast_to(np.linspace(0, 255, side)[:, None], (side, side, 3)).astype(np.uint8)
    grey = np.full_like(face, 96)
    noise = [np.clip(96 + rng.normal(0, 8, face.shape), 0, 255).astype(np.uint8) for _ in range(9)]
    pairs = [(grey, slope), (grey, face), (slope, face), *((face, each) for each in noise)]
    for first, second in [*pairs, *zip(noise, noise[1:], strict=False)]:
        for fallback, avatar in ((first, second), (second, first)):
            plain = cv2.addWeighted(fallback, 0.5, avatar, 0.5, 0.0)
            assert (blended(fallback, avatar, 0.5) == plain).all()


def test_the_avatar_takes_over_without_a_gap_or_a_jump(ada, tracker, weights, monkeypatch) -> None:
    from service import receiver

    monkeypatch.setattr(receiver, "Renderer", Drawn)
    monkeypatch.setattr(screen, "badged", lambda picture: picture)
    monkeypatch.setattr(Screen, "_marked", lambda self, picture, digest, time: picture)
    here, there = fallback(weights), fallback(weights)
    call = Call(FaceEnd(ada, fallback=here), FaceEnd(None, fallback=there), tracker)
    call.run(15)
    assert call.receiver.carried == "fallback" and call.receiver.wanting is not None
    Drawn.base = Screen(View(SIDE, SIDE)).picture(call.scenes[-1], 0)
    call.receiver.hold(ada)
    shown = call.run(35)
    assert None not in shown and call.receiver.carried == "avatar"
    shares = [each.share for each in shown]
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares)
    assert sum(0 < share < 1 for share in shares) >= 8  # a cross-fade
    at = places([Screen(View(SIDE, SIDE)).picture(each, 0) for each in shown], Drawn.base)
    assert at[-1] - at[0] == pytest.approx(3.0, abs=0.6)  # the renderer's, and no more
    assert np.abs(np.diff(at)).max() < 1.0
    before = call.sender.traffic.sent.now
    call.run(60)
    assert call.sender.traffic.sent.now < before  # the fallback is not sent any more
    assert call.sender._sender.carries == {"avatar"}


def test_a_hand_over_leaves_out_no_moment(ada, tracker, weights, monkeypatch) -> None:
    """The fallback is shown 300 ms later than the avatar has to be."""
    playout = replace(fallback_end._RECEIVING.playout, least=300 * MS)
    monkeypatch.setattr(
        fallback_end, "_RECEIVING", replace(fallback_end._RECEIVING, playout=playout)
    )
    here, there = fallback(weights), fallback(weights)
    call = Call(FaceEnd(ada, fallback=here), FaceEnd(None, fallback=there), tracker)
    call.run(25)
    call.receiver.hold(ada)
    times, apart = [], []
    for each in call.run(90):
        ways = [way[1].time for way in (each.fallback, each.avatar) if way is not None]
        times.append(ways[0] if each.share == 0 else ways[-1])
        apart += [abs(ways[1] - ways[0])] if 0 < each.share < 1 else []
    assert call.receiver.carried == "avatar" and len(apart) >= 8 and max(apart) < TICK
    assert 0 < min(np.diff(times)) and max(np.diff(times)) < 1.5 * TICK
    assert call.receiver.delay < 300 * MS  # it has begun to catch up


def places(pictures, base) -> np.ndarray:
    """[F] pixels that each lies to the right of the base: the shift that fits best."""
    shifts = np.arange(-1.0, 5.0, 0.1)
    inner = slice(8, -8)
    moved = np.stack([
        cv2.warpAffine(base, np.array([[1, 0, s], [0, 1, 0]], np.float32), (SIDE, SIDE))[:, inner]
        for s in shifts
    ]).astype(float)  # fmt: skip
    return np.array(
        [shifts[np.abs(moved - p[:, inner]).mean((1, 2, 3)).argmin()] for p in pictures]
    )


def test_a_lost_face_and_a_stranger_go_back_to_the_fallback(ada, tracker, weights) -> None:
    here, there = fallback(weights), fallback(weights)
    call = Call(FaceEnd(ada, fallback=here), FaceEnd(None, [ada], fallback=there), tracker)
    call.run(25)
    assert call.receiver.carried == "avatar"
    for begin, end in (
        (lambda: setattr(tracker, "seen", False), lambda: setattr(tracker, "seen", True)),
        (lambda: call.sender.drive(False, call.now), lambda: call.sender.drive(None, call.now)),
    ):
        begin()
        shown = call.run(40)
        assert None not in shown and call.receiver.carried == "fallback"
        assert shown[-1].share == 0 and shown[-1].fallback[1].how in ("exact", "bridged")
        end()
        shown = call.run(40)
        assert None not in shown and call.receiver.carried == "avatar"
        assert shown[-1].share == 1


@pytest.mark.parametrize("mine", [False, True])
def test_who_begins_anew_is_seen_at_once(ada, tracker, weights, mine) -> None:
    """The same offers and the same numbers again: nothing is taken for what was there before."""
    made = lambda: FaceEnd(ada if mine else None, fallback=fallback(weights))  # noqa: E731
    call = Call(made(), FaceEnd(None, [ada], fallback=fallback(weights)), tracker)
    call.run(30)
    call.shift = 0.3  # somewhere else in the picture: another key frame
    call.sender = made()
    shown = call.run(25)
    assert None not in shown[12:] and call.receiver.carried == ("avatar" if mine else "fallback")
    ways = [each.avatar if mine else each.fallback for each in shown[12:]]
    assert all(way[1].how in ("exact", "bridged") for way in ways)
    if not mine:
        picture = Screen(View(SIDE, SIDE)).picture(shown[-1], 0)[: SIDE // 2]
        now, before = (np.abs(picture.astype(int) - scene(x)[: SIDE // 2]).mean() for x in (0.3, 0))
        assert now < 0.5 * before
    assert call.receiver.traffic.damaged <= 5  # what was sealed for the end before


def test_whoever_does_not_sign_is_shown_by_the_fallback_alone(ada, tracker, weights) -> None:
    signed = parse_avatar(avatar_bytes(replace(ada, signer=public_key(KEY))))
    for seed, carried in ((KEY, "avatar"), (bytes(32), "fallback")):
        here, there = fallback(weights), fallback(weights)
        sender = FaceEnd(signed, room="r", seed=seed, fallback=here)
        call = Call(sender, FaceEnd(None, [signed], room="r", fallback=there), tracker)
        shown = call.run(40)
        assert call.receiver.carried == carried
        assert shown[-1] is not None and (shown[-1].avatar is None) == (carried == "fallback")
    assert call.receiver.identity == "mismatch" and not any(s and s.avatar for s in shown)


def test_a_lost_face_is_not_said_to_be_a_strangers(ada, tracker, weights) -> None:
    here, there = fallback(weights), fallback(weights)
    call = Call(FaceEnd(ada, fallback=here), FaceEnd(None, [ada], fallback=there), tracker)
    call.run(25)
    tracker.seen = False
    call.run(40)
    assert not call.receiver.stopped and call.receiver.carried == "fallback"
    tracker.seen = True
    call.sender.drive(False, call.now)
    call.run(10)
    assert call.receiver.stopped and call.scenes[-1].avatar is None


def test_the_watermark_says_by_what_a_picture_was_made(ada, tracker, weights, monkeypatch) -> None:
    from service import receiver

    monkeypatch.setattr(receiver, "Renderer", Drawn)
    here, there = fallback(weights), fallback(weights)
    call = Call(FaceEnd(ada, fallback=here), FaceEnd(None, fallback=there), tracker)
    shown = call.run(25)[-1]
    call.receiver.hold(ada)
    for scene_, digest in ((shown, NO_AVATAR), (call.run(35)[-1], ada.digest)):
        reader, view = WatermarkReader(), Screen(View(256, 256))
        for time in range(0, 4_000_000, TICK):
            reader.add(view.picture(scene_, time), time)
        assert reader.read().prefix == digest[:8]


def test_qualities_can_be_chosen_and_wished_for(ada, tracker) -> None:
    call = Call(FaceEnd(ada), FaceEnd(None, [ada]), tracker)
    call.run(15)
    assert call.sender.level == 0
    call.sender.choose(1)
    call.receiver.want(2)
    assert None not in call.run(15)
    assert call.sender.level == 2


def test_a_damaged_key_frame_is_asked_for_again(weights) -> None:
    call = Call(*(FaceEnd(None, fallback=fallback(weights)) for _ in range(2)), None)
    shown = call.run(25)
    end, vectors = shown[-1].fallback
    number, key = end._keys_in.at(vectors.time)
    end._keys_in._held[key.slot] = number, type(key)(key.frame, key.slot, key.codec, SIDE, b"no")
    assert end.picture(vectors) is None and end.damaged == 1
    assert Screen(View(SIDE, SIDE)).picture(shown[-1], 0).std() == 0  # grey, not an error
