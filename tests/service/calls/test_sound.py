"""Sound of a call without a browser: what is said by a film, what is kept of what is heard."""

from __future__ import annotations

import asyncio
import wave
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("aiortc")
av = pytest.importorskip("av")

from enroll.capture import Frame
from service.audio import BLOCK, RATE
from service.calls.client import Line, take_part
from service.calls.face_end import FaceEnd
from service.calls.heard import HeardClock, SoundLine
from service.calls.outputs import file_output
from service.calls.spoken import FilmSound, framed

SECONDS = 8
MS = 1000


def pitch(second: int) -> float:
    """Hz, another for each second: which one is heard tells which second it is."""
    return 400.0 + 100.0 * second


def tones(path, seconds=SECONDS, rate=RATE):
    """A sound file: in the second half of each second its tone."""
    t = np.arange(seconds * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * (400.0 + 100.0 * np.floor(t)) * t) * (t % 1 >= 0.5)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((tone * 32767).astype("<i2").tobytes())
    return path


def heard_in(path) -> np.ndarray:
    """The sound of a file on its pictures' clock, mono."""
    with av.open(str(path)) as file:
        first = float(next(file.decode(video=0)).time)
    with av.open(str(path)) as file:
        frames = [(float(f.time) - first, f.to_ndarray()[0]) for f in file.decode(audio=0)]
    sound = np.zeros(round((frames[-1][0] + 1) * RATE), np.float32)
    for time, samples in frames:
        skip = max(0, round(-time * RATE))
        at = max(0, round(time * RATE))
        sound[at : at + len(samples) - skip] = samples[skip:]
    return sound


def onsets(sound: np.ndarray) -> dict[int, float]:
    """Second of the film -> when in the file its tone begins."""
    level = np.sqrt((sound[: len(sound) // 480 * 480].reshape(-1, 480) ** 2).mean(axis=1))
    loud = level > 0.15
    found = {}
    for at in np.flatnonzero(loud[1:] & ~loud[:-1]) + 1:
        part = sound[(at + 5) * 480 : (at + 25) * 480]
        if loud[at : at + 25].all() and len(part) == 20 * 480:
            spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
            hertz = spectrum.argmax() * RATE / len(part)
            second = round((hertz - 400) / 100)
            assert abs(hertz - pitch(second)) < 10
            found[second] = at / 100
    return found


@dataclass
class Film:
    """Pictures that are states: 0.7 throughout while there is a tone, else -0.7."""

    width: int
    info = SimpleNamespace(live=False)

    def __iter__(self):
        for n in range(SECONDS * 25):
            value = 0.7 if n % 25 >= 13 else -0.7  # 12.5: between two pictures
            yield Frame(np.full(self.width, value, np.float32), n * 40 * MS)


def test_a_films_sound_is_heard_with_its_pictures(live, ada, moving, monkeypatch, tmp_path):
    """Through a real server, from one end's film into the other's file."""
    from enroll import scene, track_live

    monkeypatch.setattr(track_live, "CausalTracker", lambda prior: moving)
    monkeypatch.setattr(scene.TrackPrior, "of", lambda avatar: None)
    server = live(workers=0)
    tokens = [server.user("ada"), server.user("bob")]
    room = server.call("POST", "/v1/rooms", tokens[0]).json()["id"]

    def draw(scene, now):
        if scene is None or scene.avatar is None:
            return None
        values = scene.avatar[1].values
        return np.full((64, 64, 3), 128 + int(120 * np.clip(values.mean(), -1, 1)), np.uint8)

    async def call(output):
        film = FilmSound(tones(tmp_path / "tones.wav"), 0, SECONDS)
        one = Line(server.base, room, tokens[0], FaceEnd(ada, room=room), film)
        two = Line(server.base, room, tokens[1], FaceEnd(None, [ada], room=room))
        two.heard = lambda frame: output.hear(frame, two.now)
        leave = asyncio.Event()

        async def unseen(picture, now):
            return True

        async with one, two:
            looking = take_part(two, None, None, draw, output.show, 60, leave)
            looks = asyncio.create_task(looking)
            await asyncio.sleep(1)
            source = Film(ada.layout.width)
            await take_part(one, source, ada, lambda *_: None, unseen, SECONDS + 1, asyncio.Event())
            leave.set()
            await looks
        film.close()

    with file_output(tmp_path / "seen.mp4", 64, sound=True) as output:
        asyncio.run(call(output))
    with av.open(str(tmp_path / "seen.mp4")) as file:
        frames = [(f.time, f.to_ndarray(format="gray").mean()) for f in file.decode(video=0)]
    times, bright = np.array(frames).T
    rising = times[1:][(bright[1:] > 128) & (bright[:-1] <= 128)]
    tone = onsets(heard_in(tmp_path / "seen.mp4"))
    print("pictures", rising, "tones", tone)
    offsets = [t - rising[np.abs(rising - t).argmin()] for t in tone.values()]
    print("sound late by", np.round(offsets, 3))
    assert 0
