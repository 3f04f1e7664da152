"""Calls over real WebRTC on this machine: what one sends, the other gets, as it was."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("aiortc")

from avatar.errors import InputError, TakenError
from service.calls.connection import face_channel, new_connection, wait_open
from service.calls.peer import Peer
from service.calls.rooms import Room, Rooms


async def joined(room, name):
    """A client's connection and channel, with what it gets."""
    from aiortc import RTCSessionDescription

    connection = new_connection()
    channel = face_channel(connection)
    connection.addTransceiver("audio", direction="recvonly")
    got: list[bytes] = []
    channel.on("message", got.append)
    await connection.setLocalDescription(await connection.createOffer())
    peer = Peer(room, name, name, time.monotonic)
    sdp = await peer.answer(connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    await wait_open(channel)
    return connection, channel, got, peer


def test_two_members_get_each_others_datagrams():
    async def call():
        room = Rooms().make("ada", 0.0)
        ada, ada_line, ada_got, _ = await joined(room, "ada")
        bob, bob_line, bob_got, _ = await joined(room, "bob")
        assert not ada_line.ordered and ada_line.maxRetransmits == 0
        for n in range(50):
            ada_line.send(b"a%d" % n)
            bob_line.send(b"b%d" % n)
            await asyncio.sleep(0.01)
        end = time.monotonic() + 20
        while (len(ada_got), len(bob_got)) != (50, 50) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        assert set(bob_got) == {b"a%d" % n for n in range(50)}
        assert set(ada_got) == {b"b%d" % n for n in range(50)}
        assert room.relayed == 100
        await ada.close()
        end = time.monotonic() + 20
        while len(room.members) > 1 and time.monotonic() < end:
            await asyncio.sleep(0.05)
        assert [m.name for m in room.members.values()] == ["bob"]
        await bob.close()

    asyncio.run(call())


def test_a_room_holds_two_and_makes_room_again():
    async def call():
        room = Rooms().make("ada", 0.0)
        one = await joined(room, "ada")
        two = await joined(room, "bob")
        with pytest.raises(TakenError):
            await joined(room, "eve")
        assert len(room.members) == 2
        await two[3].close()
        await two[3].close()
        assert len(room.members) == 1
        for connection in (one[0], two[0]):
            await connection.close()

    asyncio.run(call())


class Someone:
    def __init__(self, name):
        self.id = self.user = self.name = name
        self.mode = "packets"
        self.got, self.sounds, self.closed = [], [], False

    def forwarded(self, data):
        self.got.append(data)

    def heard(self, audio):
        self.sounds.append(audio)

    async def close(self):
        self.closed = True


def test_sound_reaches_the_other_and_not_its_maker():
    room = Room("r", "ada", 0.0, 0.0)
    ada, bob = Someone("ada"), Someone("bob")
    room.enter(ada, 1.0)
    room.enter(bob, 2.0)
    room.hear(ada, "20 ms")
    assert (bob.sounds, ada.sounds) == (["20 ms"], [])
    room.leave(bob, 3.0)
    room.leave(bob, 3.0)
    room.hear(ada, "20 ms")
    assert bob.sounds == ["20 ms"]


def test_a_forwarded_track_is_steady_and_never_far_behind():
    from av import AudioFrame

    from service.calls.connection import forwarded_audio

    async def listen():
        track = forwarded_audio()
        first = await track.recv()
        for n in range(25):  # half a second at once: more than may wait
            frame = AudioFrame(format="s16", layout="stereo", samples=960)
            frame.planes[0].update(bytes([n]) * frame.planes[0].buffer_size)
            track.push(frame)
        return [first] + [await track.recv() for _ in range(12)]

    got = asyncio.run(listen())
    assert [frame.pts for frame in got] == [960 * n for n in range(13)]
    marks = [bytes(frame.planes[0])[0] for frame in got]
    assert marks == [0, *range(15, 25), 0, 0]


def test_a_forwarded_track_uses_up_what_always_waits():
    """Five blocks that came at once are not heard late for ever."""
    from av import AudioFrame

    from service.calls.connection import forwarded_audio

    async def listen():
        track, delays = forwarded_audio(), []
        for n in range(105):
            for mark in range(5) if n == 0 else (n + 4,):
                frame = AudioFrame(format="s16", layout="stereo", samples=960)
                frame.planes[0].update(bytes([mark]) * frame.planes[0].buffer_size)
                track.push(frame)
            delays.append(n + 4 - bytes((await track.recv()).planes[0])[0])
        return delays

    delays = asyncio.run(listen())
    assert delays[:50] == [4] * 50 and delays[50:] == [1] * 55


def test_a_track_that_is_too_late_leaves_some_out():
    from service.calls.connection import SoundPace

    async def given():
        now = 10.0
        pace = SoundPace(lambda: now)
        first = await pace.next()
        now = 10.3
        second = await pace.next()  # late, but heard
        now = 11.0
        return first, second, await pace.next()

    first, second, third = asyncio.run(given())
    assert first == (0, 10.0) and second == (960, pytest.approx(10.02))
    assert third == (50 * 960, pytest.approx(11.0))


def test_rooms_that_nobody_uses_go():
    rooms = Rooms(most=2, idle=10.0)
    first = rooms.make("ada", 0.0)
    kept = rooms.make("ada", 5.0)
    with pytest.raises(TakenError):
        rooms.make("ada", 9.0)
    kept.enter(Someone("ada"), 9.0)
    third = rooms.make("ada", 30.0)
    assert rooms.find(first.id) is None and rooms.find(kept.id) and rooms.find(third.id)
    assert rooms.counts == (2, 1)


def test_a_house_full_of_empty_rooms_has_room():
    rooms = Rooms(most=3, idle=1000.0, spared=10.0)
    oldest, newer = rooms.make("eve", 0.0), rooms.make("mallory", 4.0)
    busy = rooms.make("ada", 0.0)
    busy.enter(Someone("ada"), 0.0)
    with pytest.raises(TakenError):
        rooms.make("bob", 9.0)
    made = rooms.make("bob", 20.0)
    assert rooms.find(oldest.id) is None
    assert all(rooms.find(room.id) for room in (newer, busy, made))


def test_a_rooms_id_tells_the_process_that_has_it():
    first, second = Rooms(shard=1), Rooms(shard=255)
    room = first.make("ada", 0.0)
    assert len(room.id) == 32 and room.id.startswith("01") and first.find(room.id) is room
    assert second.is_elsewhere(room.id) and not first.is_elsewhere(room.id)
    assert not Rooms().is_elsewhere(room.id)
    with pytest.raises(InputError):
        Rooms(shard=256)


def test_a_frame_is_given_out_when_it_is_whole():
    """aiortc waits for the next frame's first packet; what comes out of order still waits."""
    from aiortc.rtp import RtpPacket

    from service.calls.connection import _prompt_buffer

    def packet(number, time, data, last):
        made = RtpPacket(payload_type=96, marker=last, sequence_number=number, timestamp=time)
        made._data = data
        return made

    buffer = _prompt_buffer()
    assert buffer.add(packet(65534, 100, b"a", 0))[1] is None
    assert buffer.add(packet(65535, 100, b"b", 1))[1].data == b"ab"
    assert buffer.add(packet(1, 200, b"d", 1))[1] is None  # its first packet is late
    whole = buffer.add(packet(0, 200, b"c", 0))[1]
    assert (whole.data, whole.timestamp) == (b"cd", 200)
    # One whose last packet carries no mark ends where the next begins, as ever.
    assert buffer.add(packet(2, 300, b"e", 0))[1] is None
    assert buffer.add(packet(3, 400, b"f", 0))[1].data == b"e"
    assert buffer.add(packet(4, 400, b"g", 1))[1].data == b"fg"
