"""The WebSockets, before whoever comes: who is let in, what is taken from them, when they end.

What a picture is looked at with is left out: the tracker has tests of its own.
"""

from __future__ import annotations

import io
import struct
import time
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")
pytest.importorskip("PIL")

from service.api import capture, sockets
from service.jpeg import read_jpeg

PASSWORD = "correct horse battery"
WISH = {
    "name": "Ada",
    "guided": True,
    "consent": {"subject": "self", "purpose": "tests", "version": "1", "agreed": True},
}
CLOSED = "websocket.close"
REFUSED, BUSY, NOT_SO = 4401, 4503, 1008


class Guide:
    """Looks at nothing but the picture's size."""

    def __init__(self, order):
        self.order = order

    def step(self, data):
        return {"shape": read_jpeg(data).shape}


class Door:
    """A server with ada and bob, ada with a guided enrolment."""

    def __init__(self, folder, **settings):
        from starlette.testclient import TestClient

        from service.api.app import make_app
        from service.api.settings import ServiceSettings

        easy = {"rate": 1e6, "sign_in_rate": 1e6, "password_passes": 1, "password_memory": 16}
        self.now = 1e6
        app = make_app(ServiceSettings(data=folder, **easy | settings), clock=lambda: self.now)
        self.client = TestClient(app)

    def sign_in(self):
        self.ada, self.bob = self._user("ada"), self._user("bob")
        asked = self.call("POST", "/v1/enrolments", self.ada, json=WISH)
        self.hello = {"token": self.ada, "enrolment": asked.json()["id"]}

    def _user(self, name):
        who = {"name": name, "password": PASSWORD}
        self.client.post("/v1/accounts", json=who)
        return self.client.post("/v1/sessions", json=who).json()["token"]

    def call(self, method, path, token, **more):
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.request(method, path, headers=headers, **more)

    @contextmanager
    def at(self, path="/v1/capture"):
        # The test client cancels a server that has not noticed yet that nobody is there any more,
        # and on a busy machine that cancellation is what it then finds.
        with suppress(CancelledError), self.client.websocket_connect(path) as socket:
            yield socket

    def end(self, path="/v1/capture", **hello):
        """How a socket ends that begins so."""
        with self.at(path) as socket:
            socket.send_json(hello)
            return ended(socket)


def ended(socket):
    said = socket.receive()
    assert said["type"] == CLOSED, said
    return said["code"], said["reason"]


@pytest.fixture
def door(tmp_path, monkeypatch):
    monkeypatch.setattr(capture, "Guide", Guide)
    monkeypatch.setattr(sockets, "_LOOK", 0.02)
    with ExitStack() as stack:

        def make(**settings):
            made = Door(tmp_path / "data", **settings)
            stack.enter_context(made.client)
            made.sign_in()
            return made

        yield make


def jpeg(width, height):
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(out, "JPEG")
    return out.getvalue()


def bomb():
    data = bytearray(jpeg(64, 64))
    at = data.find(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65500, 65500)
    return bytes(data)


def test_nobody_comes_in_without_a_sound_token(door, archive):
    door = door()
    wish = {"scopes": ["account"], "days": 1}
    narrow = door.call("POST", "/v1/tokens", door.ada, json=wish).json()["token"]
    for hello in ({}, {"token": None}, {"token": "fw_x"}, {"token": "\0"}, {"token": narrow}):
        for path in ("/v1/capture", "/v1/mirror"):
            assert door.end(path, **hello)[0] == REFUSED, hello
    for text in ("", "x", "[]", "[" * 5000, '"token"'):
        with door.at() as socket:
            socket.send_text(text)
            assert ended(socket)[0] == REFUSED
    adas = door.call("POST", "/v1/avatars", door.ada, content=archive).json()["id"]
    for id in (adas, "0" * 32, "", "a\0b", 5, ["x"], None):
        code, why = door.end("/v1/mirror", token=door.bob, avatar=id, size=64)
        assert (code, "no such avatar" in why) == (NOT_SO, True), id
    for id in (door.hello["enrolment"], "0" * 32, "a\0b", {}, None):
        code, why = door.end(token=door.bob, enrolment=id)
        assert (code, "no guided enrolment of yours" in why) == (NOT_SO, True), id


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"", "no picture"), (b"\xff" * 1000, "no picture"), (jpeg(64, 64)[:300], "no picture"),
     (bomb(), "no picture"), (jpeg(1281, 64), "cannot be taken"),
     (jpeg(64, 16), "cannot be taken")],
)  # fmt: skip
def test_what_is_no_picture_is_refused_in_words(door, data, why):
    door = door()
    with door.at() as socket:
        socket.send_json(door.hello)
        socket.send_bytes(jpeg(64, 48))
        assert socket.receive_json() == {"shape": [48, 64, 3]}
        socket.send_bytes(data)
        code, reason = ended(socket)
        assert code == NOT_SO and why in reason and "JPEG" in reason


def test_who_says_nothing_takes_nobodys_place(door, monkeypatch):
    monkeypatch.setattr(sockets, "_HELLO", 0.5)
    door = door(visits=1)
    with ExitStack() as stack:
        silent = [stack.enter_context(door.at()) for _ in range(6)]
        with door.at() as socket:
            socket.send_json(door.hello)
            socket.send_bytes(jpeg(64, 64))
            assert "shape" in socket.receive_json()
        assert {ended(one)[0] for one in silent} == {NOT_SO}


def test_an_address_keeps_so_many_who_say_nothing(door):
    door = door()
    with ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(door.at())
        with door.at() as socket:
            assert ended(socket)[0] == BUSY


def test_one_user_does_not_take_all_places(door):
    door = door(visits=2, user_visits=1)
    bobs = door.call("POST", "/v1/enrolments", door.bob, json=WISH).json()["id"]
    with door.at() as first, door.at() as other:
        first.send_json(door.hello)
        first.send_bytes(jpeg(64, 64))
        first.receive_json()
        code, why = door.end(**door.hello)
        assert (code, "already" in why) == (BUSY, True)
        other.send_json({"token": door.bob, "enrolment": bobs})
        other.send_bytes(jpeg(64, 64))
        assert "shape" in other.receive_json()


@pytest.mark.parametrize("how", ["expires", "revoked", "erased", "late"])
def test_what_goes_on_ends_with_its_token_and_after_a_while(door, how):
    door = door(visit_minutes=1.0 if how == "late" else 1e6)
    with door.at() as socket:
        socket.send_json(door.hello)
        socket.send_bytes(jpeg(64, 64))
        socket.receive_json()
        if how == "expires":
            door.now += 86_400
        elif how == "late":
            door.now += 61
        elif how == "revoked":
            (token,) = door.call("GET", "/v1/tokens", door.ada).json()
            door.call("DELETE", f"/v1/tokens/{token['id']}", door.ada)
        else:
            door.call("POST", "/v1/account/erasure", door.ada, json={"password": PASSWORD})
        code, why = ended(socket)
    assert (code, "long" in why) == ((NOT_SO, True) if how == "late" else (REFUSED, False))


def test_pictures_are_taken_at_a_pace_and_sockets_at_a_rate(door):
    from starlette.testclient import WebSocketDenialResponse

    door = door(rate=24.0)  # of which an address has 96 a minute, and 16 at once
    with door.at() as socket:
        socket.send_json(door.hello)
        begun = time.monotonic()
        for _ in range(7):
            socket.send_bytes(jpeg(64, 64))
        for _ in range(7):
            socket.receive_json()
        assert time.monotonic() - begun >= 6 / 30
    with pytest.raises(WebSocketDenialResponse) as refused:
        for _ in range(16):
            with door.at():
                pass
    assert refused.value.status_code == 429
    assert refused.value.headers["content-type"] == "application/problem+json"
