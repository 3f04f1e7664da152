"""A rendering as a worker does it, in this process: what comes out, for whom, and what does not."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("torch")
pytest.importorskip("av")

from avatar.errors import FacewireError, InputError, StreamError
from codec.header import CODEC_MTTF
from service.jobs import queue as jobs
from service.jobs.queue import LostError, Queue
from service.jobs.rendering import KIND, RenderingSettings, adding, run
from service.store import audit, grants
from service.store.models import Grant, Job, StoredAvatar
from tests.service.recorded_call import coded, header_of, moving, spots, stream_of, tone

LOOK = {"width": 64, "height": 48, "fit": "contain", "background": "learned"}


@pytest.fixture(scope="module")
def person():
    return spots()


@pytest.fixture
def queue(store):
    return Queue(store, lease=10.0)


@pytest.fixture
def bob(store, ada, person) -> str:
    """Who holds a grant for the one avatar of ada's."""
    with store.database.write() as session:
        bob = store.library.new_user(session, "bob", "hash", 1.0).id
        avatar = store.library.add_avatar(session, ada, person[1], 1.0)
        grants.grant(session, avatar, bob, time.time() + 1000, 1.0)
    return bob


@pytest.fixture
def ask(store, bob):
    """ask(stream, **look) -> the id of a job of bob's that waits."""

    def ask(stream, **look):
        with store.database.write() as session:
            (avatar,) = session.query(StoredAvatar.id).one()
            wish = LOOK | {"avatar": avatar} | look
            job = jobs.submit(session, bob, KIND, wish, 1.0)
            jobs.supply(session, job.id, store.library.put(session, bob, [stream]), 1.0)
        return job.id

    return ask


def revoke(store):
    with store.database.write() as session:
        for given in session.query(Grant):
            grants.revoke(given, 1.0)


def look(store, id):
    with store.database.read() as session:
        return session.get_one(Job, id)


def blobs(tmp_path):
    return {p for p in (tmp_path / "data" / "sealed").rglob("*") if p.is_file()}


def test_a_stream_becomes_a_sealed_video_and_its_avatars_owner_can_read_of_it(
    store, ada, bob, ask, queue, person, tmp_path
):
    import av

    id = ask(stream_of(person[0], 5))
    claim, before = queue.claim(time.time()), blobs(tmp_path)
    run(queue, claim, tmp_path, lambda: None)
    job = look(store, id)
    assert (job.state, job.inputs, job.progress) == ("done", None, 1.0)
    assert (job.report["frames"], job.report["width"], job.report["height"]) == (5, 64, 48)
    (sealed,) = blobs(tmp_path) - before  # and the stream is gone
    assert len(blobs(tmp_path)) == len(before) and b"ftyp" not in sealed.read_bytes()[:100]
    with store.database.read() as session:
        video = store.library.open(session, bob, job.output).whole()
        told = [(e.actor, e.action) for e in audit.entries(session, ada)]
    assert len(video) == job.report["bytes"] and told[0] == ("bob", "avatar.rendered")
    (tmp_path / "x.mp4").write_bytes(video)
    with av.open(str(tmp_path / "x.mp4")) as file:
        shown = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert file.streams.audio[0].codec_context.name == "opus"
    assert [picture.shape for picture in shown] == [(48, 64, 3)] * 5
    assert np.abs(shown[2][-6:, 2:4].mean((0, 1)) - (180, 83, 9)).max() < 40  # the badge


@pytest.mark.parametrize("moment", ["waiting", "running"])
def test_a_grant_that_is_revoked_ends_what_waits_and_what_runs(
    store, ask, queue, person, tmp_path, moment
):
    id = ask(stream_of(person[0], 3))
    claim, before = queue.claim(time.time()), blobs(tmp_path)
    if moment == "waiting":
        revoke(store)
    with pytest.raises(InputError, match="not for you any more"):
        run(queue, claim, tmp_path, lambda: moment == "waiting" or revoke(store))
    assert look(store, id).output is None and blobs(tmp_path) == before


def test_the_job_is_anothers_when_a_worker_was_lost_and_one_video_comes_of_it(
    store, ask, queue, person, tmp_path
):
    id = ask(stream_of(person[0], 3))
    now = time.time()
    lost = queue.claim(now - 11.0)
    claim = queue.claim(now)
    run(queue, claim, tmp_path, lambda: None)
    made, before = look(store, id).output, blobs(tmp_path)
    for late in (claim, lost):
        with pytest.raises(LostError):
            run(queue, late, tmp_path, lambda: None)
        with pytest.raises(LostError):
            queue.finish(late, {}, now, adding("0" * 32, now))
    assert (look(store, id).output, blobs(tmp_path)) == (made, before)


def test_what_has_to_stop_leaves_nothing(store, ask, queue, person, tmp_path):
    class Stop(Exception):
        pass

    looked = []

    def check():
        looked.append(1)
        if len(looked) > limit:
            raise Stop

    ask(stream_of(person[0], 6))
    claim, before = queue.claim(time.time()), blobs(tmp_path)
    for limit in (2, 6):  # while it is rendered, and while it is sealed
        looked.clear()
        place = tmp_path / f"{limit}"
        place.mkdir()
        with pytest.raises(Stop):
            run(queue, claim, place, check)
        assert bool(list(place.iterdir())) == (limit == 6) and blobs(tmp_path) == before


def bad(person):
    """Streams, and what is said of each."""
    avatar, good = person[0], stream_of(person[0], 4)
    states = moving(avatar, 4)
    head, sound = tone(0.2)
    plain = header_of(avatar, states)
    heard = replace(plain, audio=head)
    other = replace(plain, digest=b"x" * 16)
    return {
        "nothing": (b"", "not a .fw stream"),
        "noise": (bytes(range(256)) * 9, "not a .fw stream"),
        "cut": (good[:-9], "ends|checksum|footer|short|truncated"),
        "flipped": (good[:200] + bytes([good[200] ^ 1]) + good[201:], "checksum"),
        "another's": (coded(avatar, states, other), "was made for the avatar"),
        "without an avatar": (
            bytes(replace(plain, codec=CODEC_MTTF)), "without an avatar",
        ),
        "too long": (stream_of(avatar, 4, fps=1), "longer than 2 seconds"),
        "many pictures": (
            coded(avatar, states, replace(plain, between=255)), "than 120 pictures",
        ),
        "sound for hours": (
            coded(avatar, states, heard, [(n * 10**10, d) for n, (_, d) in enumerate(sound)]),
            "longer than 2 seconds",
        ),
        "sound backwards": (coded(avatar, states, heard, sound[::-1]), "back in time"),
        "no sound": (
            coded(avatar, states, replace(plain, audio=b"x" * 999), sound), "no Opus",
        ),
    }  # fmt: skip


def test_what_is_no_stream_for_this_avatar_is_said_in_plain_words(
    ask, queue, person, tmp_path, store
):
    before = blobs(tmp_path)
    for name, (stream, words) in bad(person).items():
        id = ask(stream)
        claim = queue.claim(time.time())
        with pytest.raises(FacewireError, match=words) as refused:
            run(queue, claim, tmp_path, lambda: None, RenderingSettings(longest=2.0))
        assert str(tmp_path) not in str(refused.value), name
        queue.fail(claim, refused.value.sentences, 2.0)
        assert look(store, id).state == "failed"
    assert blobs(tmp_path) == before


def test_lines_alone_are_in_the_shape_that_was_filmed_and_sizes_are_bounded(
    ask, queue, store, person, tmp_path
):
    stream = stream_of(person[0], 1)
    id = ask(stream, width=None, height=32, background="#204060", fit="cover")
    run(queue, queue.claim(time.time()), tmp_path, lambda: None)
    assert (look(store, id).report["width"], look(store, id).report["height"]) == (32, 32)
    ask(stream, width=None, height=100)
    with pytest.raises(InputError, match="100x100 pixels is larger"):
        run(queue, queue.claim(time.time()), tmp_path, lambda: None, RenderingSettings(side=99))


def test_a_background_that_is_no_picture_is_an_error_of_the_stream(ask, queue, person, tmp_path):
    from io import BytesIO

    from codec.face_codec import encode_states
    from codec.packet import BackgroundPacket
    from codec.stream_writer import StreamWriter

    states = moving(person[0], 2)
    header, file = header_of(person[0], states), BytesIO()
    writer = StreamWriter(file, header)
    writer.write_surroundings(BackgroundPacket(1, 64, b"no picture"))
    for packet in encode_states(states, person[0].statistics, header):
        writer.write(packet)
    writer.close(40_000)
    ask(file.getvalue())
    with pytest.raises(StreamError):
        run(queue, queue.claim(time.time()), tmp_path, lambda: None)
