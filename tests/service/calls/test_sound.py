"""Sound of a call without a browser: what is said by a film, what is kept of what is heard."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("av")

from avatar.errors import InputError
from enroll.capture import Frame
from service.audio import BLOCK
from service.calls.client import Line, take_part
from service.calls.connection import BUFFER
from service.calls.face_end import FaceEnd
from service.calls.heard import HeardClock, SoundLine
from service.calls.outputs import file_output
from service.calls.relayed_sound import SoundPacket, listen, relayed_sound
from service.calls.spoken import FilmSound, MicrophoneSound, framed
from tests.service.tones import RATE, heard_in, moments, write_tones

SECONDS = 50  # a free machine needs a tenth of them
MS = 1000


@dataclass
class Film:
    """Pictures that are states."""

    width: int
    info = SimpleNamespace(live=False)

    def __iter__(self):
        for n in range(SECONDS * 25):
            yield Frame(np.full(self.width, 0.1, np.float32), n * 40 * MS)


def test_a_films_sound_is_heard_with_its_pictures(live, ada, moving, monkeypatch, tmp_path):
    """Through a real server, from one end's film into the other's file."""
    from enroll import scene, track_live

    monkeypatch.setattr(track_live, "CausalTracker", lambda prior: moving)
    monkeypatch.setattr(scene.TrackPrior, "of", lambda avatar: None)
    server = live(workers=0)
    tokens = [server.user("ada"), server.user("bob")]
    room = server.call("POST", "/v1/rooms", tokens[0]).json()["id"]

    begins, loud = [], []  # of the film by each picture; blocks of a tone

    def draw(scene, now):
        if scene is None or scene.avatar is None:
            return None
        begins.append(now - scene.avatar[1].time)
        return np.zeros((64, 64, 3), np.uint8)

    async def call(output):
        film = FilmSound(write_tones(tmp_path / "tones.wav", SECONDS), 0, SECONDS)
        one = Line(server.base, room, tokens[0], FaceEnd(ada, room=room), film)
        two = Line(server.base, room, tokens[1], FaceEnd(None, [ada], room=room))
        enough, first = asyncio.Event(), []

        def hear(frame):
            output.hear(frame, two.now)
            if first and np.abs(frame.to_ndarray()).max() > 6000:
                loud.append(frame.pts)

        async def show(picture, now):
            first.append(now)
            if len(begins) >= 50 and len(loud) >= 100:
                enough.set()
            return await output.show(picture, now)

        two.heard = hear
        source = Film(ada.layout.width)
        async with one, two:
            await asyncio.gather(
                take_part(two, None, None, draw, show, SECONDS, enough),
                take_part(one, source, ada, lambda *_: None, show, SECONDS, enough),
            )
        film.close()
        return first[0]

    with file_output(tmp_path / "seen.mp4", 64, sound=True) as output:
        first = asyncio.run(call(output))
    tone = moments(heard_in(tmp_path / "seen.mp4"))
    assert len(begins) > 2 and len(tone) >= 2, (len(begins), len(loud), tone)
    pictures = (np.median(begins) - first) / 1e6
    sound = np.median([time - (second + 0.75) for second, time in tone.items()])
    print(f"the film begins at {pictures:.3f} s by its pictures, {sound:.3f} s by its sound")
    # Rough, for a machine that is short of time shows pictures late.
    assert abs(sound - pictures) < 1.5


def test_a_films_sound_follows_the_clock_of_its_pictures(tmp_path):
    film = FilmSound(write_tones(tmp_path / "tones.wav", 2), 0, 2)
    try:
        assert not film.block(5.0).any()  # the pictures have not begun
        film._begun = 10.0
        first = [film.block(10.003 + n * 0.02) for n in range(50)]
        loud = [np.abs(block).max() > 8000 for block in first]
        assert loud == [False] * 25 + [True] * 25
        assert not film.block(10.5).any()  # a moment that was given out
        assert np.abs(film.block(11.6)).max() > 8000  # the line was away for half a second
        assert not film.block(12.1).any() and not film.block(12.2).any()  # the end
    finally:
        film.close()


@pytest.mark.skipif(sys.platform != "linux", reason="ALSA is of Linux")
def test_a_microphone_is_heard(monkeypatch, tmp_path):
    """ALSA's device that reads a file stands for one; it does not wait, so blocks are missing."""
    raw, device = tmp_path / "tone.raw", tmp_path / "alsa.conf"
    tone = 16000 * np.sin(2 * np.pi * 700 * np.arange(60 * RATE) / RATE)
    np.repeat(tone.astype("<i2"), 2).tofile(raw)
    device.write_text(
        f'pcm.!default {{ type file slave.pcm nothing file /dev/null infile "{raw}" format raw }}\n'
        "pcm.nothing { type null }\n"
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(device))

    async def listen():
        microphone = MicrophoneSound()
        try:
            track = microphone.track()
            async with asyncio.timeout(60):
                while not (block := (await track.recv()).to_ndarray()).any():
                    pass
        finally:
            microphone.close()
        return block

    block = asyncio.run(listen())
    assert block.shape == (1, 2 * BLOCK)
    assert np.abs(np.fft.rfft(block[0, ::2] * np.hanning(BLOCK))).argmax() * 50 == 700


def test_no_microphone_is_said_and_how_to_do_without(monkeypatch):
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(InputError, match="plan9") as said:
        MicrophoneSound()
    assert "--camera VIDEO" in said.value.cure


def test_what_is_heard_lies_where_the_quickest_packets_say():
    clock = HeardClock()
    late = [30 * MS if n % 3 else 0 for n in range(100)]
    times = [clock.time(7_000_000 + n * 20 * MS + late[n], n * BLOCK) for n in range(100)]
    assert times == [7_000_000 + n * 20 * MS for n in range(100)]
    # From now on the network takes longer; after a second of it that is the lag.
    slow = [clock.time(9_100_000 + n * 20 * MS, (100 + n) * BLOCK) for n in range(60)]
    assert slow[0] == 9_000_000 and slow[-1] == 9_100_000 + 59 * 20 * MS
    # Another line counts from its own beginning.
    assert clock.time(20_000_000, 0) == 20_000_000


def test_sound_has_no_holes_and_no_overlaps():
    line, ones = SoundLine(), np.ones((BLOCK, 2), np.float32)
    assert list(line.add(-30 * MS, ones)) == []  # before the beginning
    first = list(line.add(-10 * MS, ones))  # half of it
    after = list(line.add(10 * MS + 100, ones))  # on time, as clocks go
    hole = list(line.add(70 * MS, ones))  # two blocks are missing
    doubled = list(line.add(70 * MS, ones))  # again
    more = list(line.add(90 * MS, ones))
    assert first == [] and len(after) == 1 and len(hole) == 3 and doubled == []
    got = np.concatenate([*after, *hole, *more])
    expected = np.ones((len(got), 2), np.float32)
    expected[30 * 48 : 70 * 48] = 0
    assert len(got) == 5 * BLOCK and np.array_equal(got, expected)


def test_a_file_has_what_was_heard_beside_what_was_seen(tmp_path):
    async def call(output):
        film = FilmSound(write_tones(tmp_path / "tones.wav", 3), 0, 3)
        film._begun = 0.0
        try:
            for n in range(75):
                for k in (2 * n, 2 * n + 1):
                    frame = framed(film.block(k * 0.02))
                    frame.pts = k * BLOCK
                    output.hear(frame, 4_000_000 + k * 20 * MS + (k % 3) * 5 * MS)
                if n >= 10:  # the other is seen after 0.4 s
                    await output.show(np.zeros((64, 64, 3), np.uint8), 4_000_000 + n * 40 * MS)
        finally:
            film.close()

    with file_output(tmp_path / "seen.mp4", 64, sound=True) as output:
        assert output.hears
        asyncio.run(call(output))
    got = moments(heard_in(tmp_path / "seen.mp4"))
    assert sorted(got) == [0, 1, 2]
    for second, time in got.items():
        assert time == pytest.approx(second + 0.75 - 0.4, abs=0.03)


def test_a_file_of_a_call_without_sound_has_none(tmp_path):
    import av

    async def call(output):
        await output.show(np.zeros((64, 64, 3), np.uint8), 0)

    with file_output(tmp_path / "seen.mp4", 64) as output:
        assert not output.hears
        asyncio.run(call(output))
    with av.open(str(tmp_path / "seen.mp4")) as file:
        assert not file.streams.audio


def test_sound_is_given_out_as_it_comes():
    """aiortc holds four packets back, and for good sixteen once one is lost."""
    from aiortc.rtp import RtpPacket

    from service.calls.connection import sound_buffer

    buffer = sound_buffer()

    def add(number):
        packet = RtpPacket(payload_type=96, sequence_number=number % 65536, timestamp=960 * number)
        packet._data = bytes([number % 256])
        frame = buffer.add(packet)[1]
        return None if frame is None else frame.data[0]

    assert [add(n) for n in (65534, 65535, 65536)] == [254, 255, 0]  # the count begins anew
    assert [add(n) for n in (65538, 65537, 65539)] == [None, 1, 2]  # one came late
    assert add(65540) == 3
    # 65543 is lost: three later ones do not wait for it any longer, and then it is too late.
    assert [add(n) for n in (65541, 65542, 65544, 65545, 65546)] == [4, 5, 6, None, 8]
    assert [add(n) for n in (65547, 65543, 65548)] == [9, None, 10]
    assert [add(n) for n in (65560, 65561, 65562, 65563)] == [11, 12, 24, 25]


def packet(number, timestamp, data, payload_type=96):
    from aiortc.rtp import RtpPacket

    made = RtpPacket(payload_type, sequence_number=number, timestamp=timestamp)
    made._data = data
    return made


def test_sound_is_tapped_in_order_and_what_waited_comes_at_once():
    heard = []
    opus, other = (SimpleNamespace(mimeType=f"audio/{name}") for name in ("opus", "PCMU"))
    receiver = SimpleNamespace(_RTCRtpReceiver__codecs={96: opus, 0: other})
    listen(receiver, heard.append)
    buffer = getattr(receiver, BUFFER)

    def add(*numbers, payload_type=96):
        heard.clear()
        for n in numbers:
            made = packet(n, 960 * n, bytes([n]), payload_type)
            assert buffer.add(made) == (False, None)  # nothing is left to decode
        return [sound.data[0] for sound in heard]

    assert add(1, 2) == [1, 2] and heard[1] == SoundPacket(b"\2", 1920)
    assert add(4) == [] and add(3) == [3, 4]
    assert add(6, 7) == [] and add(8) == [6, 7, 8]  # 5 is lost
    assert add(9, payload_type=0) == []
    assert add(10, 11, 12) == [10, 11, 12]


def test_relayed_packets_keep_their_time_from_one_another():
    now = 100.0
    track = relayed_sound(lambda: now)

    async def given(*sounds):
        for timestamp, data in sounds:
            track.push(SoundPacket(data, timestamp))
        return [await asyncio.wait_for(track.recv(), 5) for _ in sounds]

    async def all_given():
        nonlocal now
        wrap = (1 << 32) - 960
        got = await given((wrap, b"a"), (0, b"b"), (1920, b"c"))  # one between them was lost
        now += 2.5
        return got + await given((3_000_000_000, b"d"), (3_000_000_960, b"e"))  # another's count

    got = asyncio.run(all_given())
    assert [bytes(each) for each in got] == [b"a", b"b", b"c", b"d", b"e"]
    assert [each.pts for each in got] == [0, 960, 2880, 2880 + 120_000, 2880 + 120_960]


def test_of_relayed_packets_that_stand_the_newest_are_kept():
    track = relayed_sound()
    for n in range(25):
        track.push(SoundPacket(bytes([n]), 960 * n))

    async def rest():
        return [bytes(await asyncio.wait_for(track.recv(), 5))[0] for _ in range(10)]

    assert asyncio.run(rest()) == [*range(15, 25)]
