"""A rendering as a job: a sealed stream in, a sealed video out that says what it is.

Whoever asks has the avatar, or holds a grant for it: when they ask, when the work begins, when it
ends, and when they fetch the video.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from avatar.archive import parse_avatar
from avatar.avatar import Avatar
from avatar.errors import InputError, StreamError
from avatar.face import Window
from codec.container import Stream, read_stream
from codec.header import CODEC_MTTF, StreamHeader
from service.jobs.queue import Add, Claim, Queue
from service.jobs.telling import Telling
from service.store import audit, grants
from service.store.models import Job, StoredAvatar
from service.store.sealed import CHUNK
from service.view import View, background_of

KIND = "rendering"


@dataclass(frozen=True)
class RenderingSettings:
    """longest: seconds of a stream that are taken.  side: pixels, the largest of a picture.
    device: "auto", "cpu" or "cuda"."""

    longest: float = 600.0
    side: int = 1920
    device: str = "auto"


def run(
    queue: Queue,
    claim: Claim,
    folder: Path,
    check: Callable[[], None],
    work: RenderingSettings = RenderingSettings(),
    clock: Callable[[], float] = time.time,
) -> None:
    """Works a claim off in `folder`, which is the caller's to remove.

    Raises LostError, what `check` raises, and FacewireErrors for what the stream does not hold.
    """
    from service.receiver import decode_stream

    avatar = _avatar(queue, claim, clock())
    stream = _stream(queue.open(claim, claim.inputs).whole(), avatar)
    view = _view(claim.settings, avatar.window, work.side)
    telling = Telling(queue, claim, check, clock)

    def progress(done: float, total: float) -> None:
        telling.tell("Rendering", done / total, done, total)

    target = folder / "result.mp4"
    shown = decode_stream(
        stream, avatar, target, view, work.device, progress, badge=True, longest=work.longest
    )
    report = {
        "frames": shown.frames,
        "width": shown.width,
        "height": shown.height,
        "bytes": os.path.getsize(target),
        "warnings": list(shown.warnings),
    }
    with queue.sealing(claim, _pieces(target, check)) as blob:
        now = clock()
        queue.finish(claim, report, now, adding(blob, now))


def adding(blob: str, now: float) -> Add:
    """What a rendering adds: its video, and a line in the log of whose avatar it shows."""

    def add(session: Session, job: Job) -> None:
        avatar = _permitted(session, job.settings, job.owner_id, now)
        audit.note(session, job.owner_id, "avatar.rendered", avatar.id, avatar.owner_id, now)
        job.output = blob

    return add


def outlived(before: float) -> ColumnElement[bool]:
    """Renderings whose video is to go: that ended before then, or whose avatar was deleted."""
    deleted = Job.settings["avatar"].as_string().not_in(select(StoredAvatar.id))
    return (Job.kind == KIND) & ((Job.updated <= before) | deleted)


def _permitted(session: Session, asked: dict[str, Any], user: str, now: float) -> StoredAvatar:
    avatar = grants.visible(session, asked["avatar"], user, now)
    if avatar is None:
        raise InputError(
            "the avatar is not there any more, or not for you any more",
            "Ask its owner for permission.",
        )
    return avatar


def _avatar(queue: Queue, claim: Claim, now: float) -> Avatar:
    with queue.holding(claim) as session:
        stored = _permitted(session, claim.settings, claim.owner, now)
        source = queue.store.library.open(session, stored.owner_id, stored.blob)
    return parse_avatar(source.whole())


def _stream(data: bytes, avatar: Avatar) -> Stream:
    header, _ = StreamHeader.parse(data)
    if header.codec == CODEC_MTTF:
        raise InputError(
            "the stream was coded without an avatar, and shows none",
            "Encode it with the avatar, or decode it with facewire decode.",
        )
    stream = read_stream(data, avatar.statistics, avatar.digest)
    if stream.frames == 0:
        raise StreamError("the stream holds no frame", "Encode the video again.")
    return stream


def _view(asked: dict[str, Any], window: Window, most: int) -> View:
    """As `facewire decode` has it: lines alone are in the shape that was filmed."""
    height = asked["height"]
    width = asked["width"] or round(height * window.width / window.height)
    if max(width, height) > most:
        raise InputError(
            f"a picture of {width}x{height} pixels is larger than this server renders",
            f"Ask for {most} pixels a side at most.",
        )
    background = background_of(asked["background"])
    assert background is not None  # looked at when it was asked for
    return View(width, height, asked["fit"], background)


def _pieces(path: Path, check: Callable[[], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            check()
            yield piece
