"""A call through a real server: signalled over HTTP, carried by WebRTC, shown at the other end."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("uvicorn")

from avatar.errors import AccessError, InputError
from enroll.capture import Frame
from service.calls.client import Line
from service.calls.face_end import FaceEnd
from service.watermark.mark import TURN


async def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.02)


async def filmed(line, tracker, width, value):
    """One frame whose state is `value` throughout."""
    frame = Frame(np.full(width, value, np.float32), line.now)
    line.send(line.end.film(line.now, frame, tracker))
    await asyncio.sleep(0.04)


def test_two_clients_see_each_other(live, ada, moving):
    server = live(workers=0)
    tokens = [server.user("ada"), server.user("bob")]
    room = server.call("POST", "/v1/rooms", tokens[0]).json()
    width = ada.layout.width

    async def call():
        first = Line(server.base, room["id"], tokens[0], FaceEnd(ada, [ada], room=room["id"]))
        second = Line(server.base, room["id"], tokens[1], FaceEnd(ada, [ada], room=room["id"]))
        async with first as one, second as two:
            assert sorted(server.call("GET", f"/v1/rooms/{room['id']}", tokens[0]).json()
                          ["members"]) == ["ada", "bob"]  # fmt: skip

            def seen(line):
                shown = line.end.show(line.now)
                return None if shown is None else float(shown.values.mean())

            end = time.monotonic() + 60
            while time.monotonic() < end:
                await filmed(one, moving, width, 0.7)
                await filmed(two, moving, width, -0.7)
                values = seen(one), seen(two)
                if None not in values and values[0] < -0.5 and values[1] > 0.5:
                    break
            assert values[0] == pytest.approx(-0.7, abs=0.2)
            assert values[1] == pytest.approx(0.7, abs=0.2)
            assert one.end.traffic.damaged == two.end.traffic.damaged == 0
            assert one.end.round_trip is not None
            # A token that ends ends what it began: its end is not let in again.
            (token,) = server.call("GET", "/v1/tokens", tokens[1]).json()
            gone = server.call("DELETE", f"/v1/tokens/{token['id']}", tokens[1])
            assert gone.status_code == 204
            await until(lambda: two.refused is not None)
            members = server.call("GET", f"/v1/rooms/{room['id']}", tokens[0]).json()["members"]
            assert members == ["ada"] and two.lost and not one.lost
        await until(
            lambda: not server.call("GET", f"/v1/rooms/{room['id']}", tokens[0]).json()["members"]
        )

    asyncio.run(call())


def test_a_line_that_is_lost_is_joined_again(live, ada, moving):
    """The server closes a member's connection in the middle of the call, twice."""
    server = live(workers=0)
    tokens = [server.user("ada"), server.user("bob")]
    room = server.call("POST", "/v1/rooms", tokens[0]).json()["id"]
    width = ada.layout.width

    async def seen(one, two, value):
        """Until what `one` films is shown at `two`."""
        shown, end = None, time.monotonic() + 60
        while shown is None or abs(float(shown.values.mean()) - value) > 0.2:
            assert time.monotonic() < end, "it is not seen"
            await filmed(one, moving, width, value)
            shown = two.end.show(two.now)

    async def call():
        first = Line(server.base, room, tokens[0], FaceEnd(ada, [ada], room=room))
        second = Line(server.base, room, tokens[1], FaceEnd(ada, [ada], room=room))
        async with first as one, second as two:
            await seen(one, two, 0.7)
            for token, line, value in ((tokens[1], two, -0.7), (tokens[0], one, 0.7)):
                gone = f"/v1/rooms/{room}/members/{line._member}"
                assert server.call("DELETE", gone, token).status_code == 204
                await until(lambda line=line: line.lost)
                await until(lambda line=line: not line.lost)
                await seen(one, two, value)
                await seen(two, one, -value)
            members = server.call("GET", f"/v1/rooms/{room}", tokens[0]).json()["members"]
            assert sorted(members) == ["ada", "bob"]

    asyncio.run(call())


def test_a_proxys_page_in_place_of_an_answer_ends_no_call(ada, monkeypatch):
    """While a server is begun anew, what stands before it answers in its own words."""
    from json import JSONDecodeError

    from service.calls import client

    monkeypatch.setattr(client, "_RETRY", 0.01)
    answers = [JSONDecodeError("no JSON", "<html>", 0), KeyError("member"), None]

    async def call():
        line = Line("http://nowhere", "room", "token", FaceEnd(ada))
        line.lost = True

        async def leave():
            pass

        async def join():
            answer = answers.pop(0)
            if answer is not None:
                raise answer

        monkeypatch.setattr(line, "_leave", leave)
        monkeypatch.setattr(line, "_join", join)
        await line._rejoin()
        assert not line.lost and not answers

    asyncio.run(call())


def test_strangers_and_rubbish_stay_outside(live, ada):
    server = live(workers=0)
    token = server.user("ada")
    room = server.call("POST", "/v1/rooms", token).json()["id"]

    async def join(room, token):
        async with Line(server.base, room, token, FaceEnd(ada)):
            pass

    with pytest.raises(AccessError):
        asyncio.run(join(room, "fw_nobody"))
    with pytest.raises(InputError):
        asyncio.run(join("0" * 32, token))
    for sdp in ("x", "v=0", "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nm=x 9 y z\r\n", "\x00" * 99):
        body = {"sdp": sdp, "mode": "packets"}
        answer = server.call("POST", f"/v1/rooms/{room}/members", token, json=body)
        assert answer.status_code == 422, (sdp, answer.text)
    assert server.call("GET", f"/v1/rooms/{room}", token).json()["members"] == []


class Flat:
    """A renderer whose picture is as bright as the state's first number says."""

    left_out = 0

    def __init__(self, avatar, view, device="auto", deadline=None):
        self._shape = (view.height, view.width, 3)

    def picture(self, values):
        return np.full(self._shape, int(np.clip(128 + 100 * values[0], 0, 255)), np.uint8)


class Remote:
    """Another member, who films."""

    id = user = name = "bob"
    mode = "packets"

    def __init__(self, end):
        self.end, self.begun = end, time.monotonic()

    @property
    def now(self):
        return int((time.monotonic() - self.begun) * 1e6)

    def forwarded(self, data):
        self.end.receive(self.now, data)

    def heard(self, sound):
        pass

    async def close(self):
        pass


def test_what_a_browser_is_shown_follows_permission_during_the_call(ada, moving, monkeypatch):
    """The store fails once, then there is no grant, then one, then it is taken back; then whoever
    looks is not let in any more."""
    from avatar.errors import StorageError
    from service import receiver
    from service.calls import gateway as gateways
    from service.calls import peer as peers
    from service.calls.drawing import Drawing
    from service.calls.rooms import Rooms
    from service.view import View

    monkeypatch.setattr(receiver, "Renderer", Flat)
    monkeypatch.setattr(gateways, "DrawingApart", Drawing)
    monkeypatch.setattr(gateways, "_AGAIN", 0.1)
    monkeypatch.setattr(peers, "_LOOK", 0.05)
    answers = [StorageError("the disk is away"), None, None, ada]
    allowed = {"avatar": True, "call": True}

    def fetch(digest):
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def call():
        room = Rooms().make("ada", 0.0)
        bob = Remote(FaceEnd(ada, room=room.id))
        room.enter(bob, 0.0)
        gateway = gateways.Gateway(
            room, "ada", "ada", time.monotonic, lambda: allowed["call"], mine=None, fetch=fetch,
            may=lambda digest: allowed["avatar"], view=View(128, 96),
        )  # fmt: skip
        room.enter(gateway, 0.0)
        gateway.begin(gateway._poll())
        gateway.begin(gateway._watch_over())

        async def until_it(condition):
            end = time.monotonic() + 30
            while not condition():
                assert time.monotonic() < end
                frame = Frame(np.full(ada.layout.width, 0.5, np.float32), bob.now)
                for data in bob.end.film(bob.now, frame, moving) + bob.end.poll(bob.now):
                    room.forward(bob, data)
                await asyncio.sleep(0.02)

        await until_it(lambda: gateway.report()["carried"] == "refused")
        await until_it(lambda: gateway._face.scene(gateway.now) is not None)
        assert gateway.report()["carried"] == "avatar" and not gateway.report()["refused"]
        allowed["avatar"] = False
        await until_it(lambda: gateway.report()["refused"])
        assert gateway._face.scene(gateway.now) is None and gateway._face.held == ()
        allowed["call"] = False
        await until(lambda: gateway.id not in room.members)

    asyncio.run(call())


def test_of_many_cameras_in_one_offer_one_is_tracked(ada):
    from types import SimpleNamespace

    from service.calls.gateway import Gateway
    from service.calls.rooms import Rooms
    from service.view import View

    async def call():
        room, begun = Rooms().make("ada", 0.0), []
        gateway = Gateway(
            room,
            "ada",
            "ada",
            time.monotonic,
            mine=ada,
            fetch=lambda digest: None,
            view=View(64, 64),
        )

        def begin(work):
            begun.append(work.__name__)
            work.close()

        gateway.begin = begin
        for _ in range(3):
            gateway._track_came(SimpleNamespace(kind="video"))
        assert sorted(begun) == ["_film", "drain", "drain", "drain"]
        await gateway.close()

    asyncio.run(call())


def test_a_browser_gets_video_with_a_badge(ada, moving, monkeypatch):
    """The server's half for a plain browser, in this process; the renderer is a stand-in."""
    from aiortc import RTCSessionDescription

    from service import receiver
    from service.calls import gateway as gateways
    from service.calls.connection import new_connection, wait_open
    from service.calls.drawing import Drawing
    from service.calls.gateway import Gateway
    from service.calls.rooms import Rooms
    from service.view import View

    monkeypatch.setattr(receiver, "Renderer", Flat)
    monkeypatch.setattr(gateways, "DrawingApart", Drawing)  # there it would be the real one

    async def call():
        room, asked = Rooms().make("ada", 0.0), []
        bob = Remote(FaceEnd(ada, room=room.id))
        room.enter(bob, 0.0)

        def fetch(digest):
            asked.append(digest)
            return ada

        gateway = Gateway(
            room, "ada", "ada", time.monotonic, mine=None, fetch=fetch, view=View(128, 96)
        )
        browser = new_connection()
        browser.addTransceiver("video", direction="recvonly")
        browser.addTransceiver("audio", direction="recvonly")
        tracks, told = {}, []
        browser.on("track", lambda track: tracks.setdefault(track.kind, track))
        status = browser.createDataChannel("status")
        status.on("message", told.append)
        await browser.setLocalDescription(await browser.createOffer())
        sdp = await gateway.answer(browser.localDescription.sdp)
        await browser.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        await wait_open(status)
        end = time.monotonic() + 60
        picture = None
        while time.monotonic() < end and (picture is None or picture[:40].mean() < 170):
            frame = Frame(np.full(ada.layout.width, 0.8, np.float32), bob.now)
            for data in bob.end.film(bob.now, frame, moving) + bob.end.poll(bob.now):
                room.forward(bob, data)
            async with asyncio.timeout(20):
                picture = (await tracks["video"].recv()).to_ndarray(format="rgb24")
        assert picture.shape == (96, 128, 3) and asked == [bytes.fromhex(ada.digest)[:16]]
        assert picture[:40].mean() == pytest.approx(208, abs=25)
        red, _, blue = picture[-3:, 1:4].reshape(-1, 3).mean(axis=0)
        assert red - blue > 80  # the badge, orange
        # The renderer's pictures are flat: what swings in them is the watermark.
        now = gateway.now
        one, other = [await gateway.picture(now + n * TURN) for n in range(2)]
        assert 4 <= np.ptp(one[:80].astype(int) - other[:80]) <= 24
        await until(lambda: told)
        assert '"protected": false' in told[-1] and '"bob"' in told[-1]
        assert '"identity": "unverified"' in told[-1] and '"stopped": false' in told[-1]
        await browser.close()
        await until(lambda: gateway.id not in room.members)

    asyncio.run(call())
