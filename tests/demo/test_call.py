"""`facewire call` whole: two programs and a server, a video in and a video out at either end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.demo.badge import has_badge
from tests.service.live import NEEDS, LiveServer, settings
from tests.service.tones import RATE, heard_in, moments, tones

_COMMAND = "import sys; from demo.cli import main; sys.exit(main())"
_PATIENCE = 240.0  # seconds


@pytest.fixture
def server(tmp_path):
    for package in ("aiortc", *NEEDS):
        pytest.importorskip(package)
    made = LiveServer(tmp_path / "data", settings(workers=0))
    yield made
    made.stop()


def write_film(clip, path, said=None) -> Path:
    """The clip over and over: a minute.  said: its sound, [samples]."""
    import av

    with av.open(str(clip)) as source:
        pictures = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.height, stream.width = pictures[0].shape[:2]
        sound = None if said is None else out.add_stream("aac", rate=RATE)
        for picture in pictures * 30:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
        if sound is not None:
            flat = said.astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(flat, format="fltp", layout="mono")
            frame.sample_rate = RATE
            out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    return path


def begin(link, token, folder, me, film, *more):
    words = ["call", link, "--camera", film, "--avatar", f"{me}.avatar"]
    words += ["-o", f"{me}-saw.mp4", "--size", "128", *more]
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *map(str, words)],
        cwd=folder,
        env={**os.environ, "FACEWIRE_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process) -> str:
    out, said = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0, said
    return out


def saw_an_avatar(path) -> None:
    import av

    with av.open(str(path)) as file:
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert pictures and pictures[0].shape == (128, 128, 3)
    assert has_badge(pictures[-1])
    # And a picture, not a flat grey: hair and wall are in these rows.
    assert np.ptp(pictures[-1][40:90].astype(int)) > 60


def heard_tones(path) -> None:
    """What is said at the other end, at its pace."""
    found = moments(heard_in(path))
    assert len(found) >= 4, found
    whole = sorted(found.items())[1:-1]  # the first and the last may have been heard in part
    seconds, middles = np.array(whole).T
    assert np.ptp(middles - seconds) < 0.4, found


def test_two_programs_see_and_hear_each_other(server, fitted, clip, tmp_path):
    from avatar.archive import write_avatar
    from codec.signature import public_key
    from service.signing import keep_seed

    for name, seed in (("ada", bytes(range(32))), ("bob", bytes(range(32, 64)))):
        keep_seed(tmp_path / f"{name}.key", seed)
        signer = public_key(seed)
        write_avatar(replace(fitted, name=name, signer=signer), tmp_path / f"{name}.avatar")
    film = write_film(clip, tmp_path / "silent.mp4")
    said = write_film(clip, tmp_path / "said.mp4", tones(60))
    tokens = {name: server.user(name) for name in ("ada", "bob")}
    room = server.call("POST", "/v1/rooms", tokens["ada"]).json()
    link = server.base + room["link"]
    # Ada has Bob's avatar; Bob knows Ada's key, and gets her avatar by grant.
    data = (tmp_path / "ada.avatar").read_bytes()
    kept = server.call("POST", "/v1/avatars", tokens["ada"], content=data).json()["id"]
    grant = {"holder": "bob", "days": 1}
    given = server.call("POST", f"/v1/avatars/{kept}/grants", tokens["ada"], json=grant)
    assert given.status_code == 201
    (tmp_path / "bob").mkdir()
    for suffix in ("avatar", "key"):
        shutil.copy(tmp_path / f"bob.{suffix}", tmp_path / "bob")
    known = ("--theirs", "bob.avatar", "--seconds", "600")
    ada = begin(link, tokens["ada"], tmp_path, "ada", said, *known)
    try:
        end = time.monotonic() + _PATIENCE
        while not server.call("GET", f"/v1/rooms/{room['id']}", tokens["ada"]).json()["members"]:
            assert ada.poll() is None, told(ada)
            assert time.monotonic() < end, "ada does not join"
            time.sleep(0.2)
        known = ("--their-key", public_key(bytes(range(32))), "--seconds", "24")
        bob = told(begin(link, tokens["bob"], tmp_path / "bob", "bob", film, *known))
        ada.send_signal(signal.SIGINT)
        assert "ada-saw.mp4: " in (said := told(ada)) and " 0 pictures" not in said
    finally:
        if ada.poll() is None:
            ada.kill()
    assert "bob-saw.mp4: " in bob and "received 0.00" not in bob
    assert bob.endswith("the other is verified\n") and said.endswith("the other is verified\n")
    saw_an_avatar(tmp_path / "ada-saw.mp4")
    saw_an_avatar(tmp_path / "bob" / "bob-saw.mp4")
    heard_tones(tmp_path / "bob" / "bob-saw.mp4")
    left = {path.name for path in (tmp_path / "bob").iterdir()}
    assert left == {"bob.avatar", "bob.key", "bob-saw.mp4"}  # what was lent stays in memory
    assert np.abs(heard_in(tmp_path / "ada-saw.mp4")).max(initial=0.0) < 0.01
