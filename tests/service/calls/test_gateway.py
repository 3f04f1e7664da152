"""A browser's member whose parts fail: what goes on, what ends, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("aiortc")

from avatar.errors import MismatchError, StorageError
from service.calls import gateway as gateways
from service.calls import peer as peers
from service.calls.connection import new_connection
from service.calls.gateway import Gateway
from service.calls.learning import learn
from service.calls.rooms import Rooms
from service.view import View


class Easel:
    """In place of a process that draws."""

    closed = False
    surroundings = None

    def __init__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def member(mine=None, fetch=lambda digest: None):
    room = Rooms().make("ada", 0.0)
    return Gateway(
        room, "ada", "ada", time.monotonic, mine=mine, fetch=fetch, view=View(64, 64), device="cpu"
    )  # fmt: skip


async def soon(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def easel(monkeypatch):
    monkeypatch.setattr(gateways, "DrawingApart", Easel)


def test_a_browser_that_never_connects_leaves_nothing(monkeypatch):
    monkeypatch.setattr(peers, "_PATIENCE", 0.1)

    async def call():
        gateway, browser = member(), new_connection()
        browser.addTransceiver("video", direction="recvonly")
        await browser.setLocalDescription(await browser.createOffer())
        await gateway.answer(browser.localDescription.sdp)
        assert gateway.id in gateway.room.members
        await soon(lambda: gateway._drawing.closed)
        assert gateway.id not in gateway.room.members
        async with asyncio.timeout(10):
            await gateway.close()  # again
        await soon(lambda: not gateway._tasks)
        assert gateway.connection.connectionState == "closed"
        await browser.close()

    asyncio.run(call())


def test_work_that_fails_ends_the_call_so_that_it_is_joined_again():
    async def call():
        gateway = member()
        gateway.room.enter(gateway, 0.0)

        async def fails():
            raise KeyError

        gateway.begin(fails())
        await soon(lambda: gateway._drawing.closed)
        assert gateway.id not in gateway.room.members

    asyncio.run(call())


def test_the_last_picture_stands_while_some_fail_and_not_for_ever(monkeypatch):
    picture = np.full((64, 64, 3), 77, np.uint8)

    async def call():
        gateway, fails = member(), [False]

        def draw(scene, now):
            if fails[0]:
                raise StorageError("it cannot be")
            return picture

        monkeypatch.setattr(gateway._face, "scene", lambda now: object())
        monkeypatch.setattr(gateway._screen, "picture", draw)
        assert await gateway.picture(0) is picture
        for _ in range(3):
            fails[0] = True
            assert await gateway.picture(0) is picture
            fails[0] = False
            assert await gateway.picture(0) is picture
        fails[0] = True
        for _ in range(50):
            assert await gateway.picture(0) is picture
        with pytest.raises(StorageError):
            await gateway.picture(0)
        await gateway.close()

    asyncio.run(call())


def test_a_frame_that_cannot_be_tracked_is_left_out_and_a_blind_tracker_ends_the_call(
    ada, monkeypatch
):
    monkeypatch.setattr(gateways, "TrackerApart", Easel)
    frame = SimpleNamespace(width=64, height=64)
    frame.reformat = lambda *size, format: SimpleNamespace(
        to_ndarray=lambda: np.zeros((64, 64, 3), np.uint8)
    )

    async def call():
        gateway, looks = member(ada), []

        def film(now, image, tracker, clock):
            looks.append(now)
            if len(looks) % 2 or len(looks) > 8:
                raise ValueError
            return [b"datagram"]

        sent = []
        monkeypatch.setattr(gateway._face, "film", film)
        monkeypatch.setattr(gateway.room, "forward", lambda sender, data: sent.append(data))
        gateway.begin(gateway._film())
        while not gateway._drawing.closed:
            gateway._filmed(frame)
            await asyncio.sleep(0.005)
        assert len(sent) == 4 and 58 <= len(looks) <= 61

    asyncio.run(call())


def test_an_avatar_that_does_not_fit_its_offer_is_asked_for_again(ada, monkeypatch):
    monkeypatch.setattr(gateways, "get_ready", lambda avatar: None)
    digest = bytes.fromhex(ada.digest)[:16]

    def refuse(avatar):
        raise MismatchError("the stream's states have other numbers")

    async def call():
        gateway = member(fetch=lambda digest: ada)
        monkeypatch.setattr(gateway._drawing, "picture", lambda *_: None, raising=False)
        monkeypatch.setattr(gateway._face, "hold", refuse)
        gateway._asked = digest
        await gateway._get(digest)
        assert gateway._asked is None and not gateway._may_ask(digest)
        await gateway.close()

    asyncio.run(call())


def test_what_is_offered_is_learned_beside_the_call_and_not_without_end(monkeypatch):
    import threading

    from service.calls import learning

    learned, threads = [], []

    def ready(statistics, header):
        threads.append(threading.current_thread())
        if header == 0:
            raise MismatchError("the header is another's")

    class End:
        """Another header whenever one is learned."""

        @property
        def unlearned(self):
            return None, len(learned)

        def learned(self, what):
            assert what == (None, len(learned))
            learned.append(len(threads))

    monkeypatch.setattr(learning.CallCodec, "ready", ready)
    asyncio.run(learn(End()))
    assert learned == list(range(1, 9))
    assert threading.main_thread() not in threads
