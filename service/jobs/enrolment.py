"""An enrolment as a job: a sealed video in, an avatar, its report and previews out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from avatar.avatar import Consent
from avatar.errors import VideoError
from codec.signature import public_key
from enroll.identity import can_describe, sign_bytes, sign_of_video
from service.enrolment import Enrolled, EnrolmentSettings, checkpoint_of, enrol
from service.guide.coverage import PITCHES, YAWS
from service.guide.script import passed
from service.jobs.preview import png, side_by_side
from service.jobs.queue import Add, Claim, Queue
from service.jobs.telling import Telling
from service.store import audit
from service.store.library import Library
from service.store.models import Job
from service.store.sealed import SealedFile

if TYPE_CHECKING:
    from enroll.fit import Fit

KIND = "enrolment"
_TRACKING, _FITTED = 0.25, 0.95  # the progress where the face was followed, where the fit has ended
# Measured on two cores: seconds of what is done before the first step of a fit, seconds after the
# last, and the steps that take as long as that.
_STARTING, _FINISHING, _FINISHING_STEPS = 10.0, 30.0, 100
_PREVIEW = 10.0  # seconds between two previews, which take from the fit
_FASTEST = 60.0  # frames a second of a video that is as long as may be


@dataclass(frozen=True)
class WorkSettings:
    """longest: seconds of video that are taken.  checkpoint: seconds of a fit that a kill loses
    at most.  device: "auto", "cpu" or "cuda"."""

    longest: float = 600.0
    checkpoint: float = 20.0
    device: str = "auto"


@dataclass(kw_only=True)
class FitTelling(Telling):
    """The progress of one enrolment, with its previews and checkpoints."""

    checkpoint: Path
    longest: float  # seconds of video
    budget: float | None  # seconds of the fit that this run has still to do
    finishing: float = _FINISHING
    shown: float = 0.0
    kept: float = 0.0

    def tracking(self, done: float, total: float) -> None:
        """done: frames."""
        if done > self.longest * _FASTEST:
            raise _too_long(self.longest)
        later = None if self.budget is None else _STARTING + self.budget + self.finishing
        progress = _TRACKING * done / max(total, done, 1.0)
        self.tell("Following the face", progress, done, total, later)

    def fitting(self, done: float, total: float, note: str) -> None:
        progress = _TRACKING + (_FITTED - _TRACKING) * done / max(total, 1e-9)
        if done >= total:
            self.say(_sentence(note), progress, self.finishing, at_once=True)
        elif self.budget is not None:  # both are seconds
            self.say(_sentence(note), progress, total - done + self.finishing)
        else:
            self.tell(_sentence(note), progress, done, total, self.finishing)
        self._keep()

    def watch(self, fit: Fit) -> None:
        if fit.done_steps:
            self.finishing = _FINISHING_STEPS * fit.spent / fit.done_steps
        now = self.clock()
        if now - self.shown < _PREVIEW:
            return
        self.queue.keep(self.claim, now, "preview", png(side_by_side(fit)))
        self.shown = self.clock()

    def _keep(self) -> None:
        """Seals the fit's checkpoint whenever there is a new one."""
        try:
            written = os.stat(self.checkpoint).st_mtime
        except FileNotFoundError:
            return
        if written != self.kept:
            self.kept = written
            data = self.checkpoint.read_bytes()
            self.queue.keep(self.claim, self.clock(), "checkpoint", data)


def run(
    queue: Queue,
    claim: Claim,
    folder: Path,
    check: Callable[[], None],
    work: WorkSettings = WorkSettings(),
    clock: Callable[[], float] = time.time,
) -> None:
    """Works a claim off in `folder`, which is the caller's to remove.

    Raises LostError, what `check` raises, and FacewireErrors for what the video does not hold.
    """
    from enroll.checkpoint import spent_in
    from service.tracking import track_file

    asked = claim.settings
    video, target = folder / "video", folder / "result.avatar"
    _unsealed(queue.open(claim, claim.inputs), video)
    budget = asked.get("budget")
    if claim.checkpoint:
        _unsealed(queue.open(claim, claim.checkpoint), checkpoint_of(target))
        if budget is not None:
            budget = max(0.0, budget - spent_in(checkpoint_of(target)))
    telling = FitTelling(
        queue, claim, check, clock,
        checkpoint=checkpoint_of(target), longest=work.longest, budget=budget,
    )  # fmt: skip
    track, warnings = track_file(video, progress=telling.tracking)
    if track.time[-1] > work.longest * 1e6:
        raise _too_long(work.longest)
    script = asked.get("script")
    live = None if script is None else passed(track, script)
    if asked.get("live_only") and not live:
        raise _not_live()
    settings = EnrolmentSettings(
        size=asked["size"],
        budget=asked.get("budget"),
        steps=asked.get("steps"),
        device=work.device,
        checkpoint_every=work.checkpoint,
    )
    last: list[Fit] = []

    def watch(fit: Fit) -> None:
        last[:] = [fit]
        telling.watch(fit)

    made = enrol(
        [video],
        asked["name"],
        Consent(**asked["consent"]),
        target,
        settings,
        tracks=[track],
        resume=claim.checkpoint is not None,
        progress=telling.fitting,
        watch=watch,
        signer=_signer(queue, claim),
    )
    if last:
        queue.keep(claim, clock(), "preview", png(side_by_side(last[0])))
    report = _report(made, warnings, live)
    now = clock()
    enrolled = adding(queue.store.library, target.read_bytes(), now, _sign(video))
    queue.finish(claim, report, now, enrolled)


def adding(library: Library, archive: bytes, now: float, sign: bytes | None = None) -> Add:
    """What an enrolment adds: the avatar.  sign: as `Library.add_avatar` has it."""

    def add(session: Session, job: Job) -> None:
        avatar = library.add_avatar(session, job.owner_id, archive, now, sign)
        audit.note(session, job.owner_id, "avatar.enrolled", avatar.id, job.owner_id, now)
        job.result = avatar.id

    return add


def _signer(queue: Queue, claim: Claim) -> str:
    """The public key of the job's owner, for the avatar's archive."""
    with queue.holding(claim) as session:
        return public_key(queue.store.library.signing_seed(session, claim.owner))


def _sign(video: Path) -> bytes | None:
    """Of the face, where there is a network that makes it."""
    if not can_describe():
        return None
    sign = sign_of_video(video)
    return None if sign is None else sign_bytes(sign)


def _report(made: Enrolled, warnings: list[str], live: bool | None) -> dict[str, Any]:
    """Numbers and plain words; live: None where no script was asked for."""
    seconds = made.coverage.map.round(2).tolist()
    return {
        "figures": made.avatar.report,
        "coverage": made.coverage.shares,
        "map": {"yaw": YAWS, "pitch": PITCHES, "seconds": seconds},
        "warnings": [*warnings, *made.warnings],
        "liveness": live,
    }


def _not_live() -> VideoError:
    return VideoError(
        "The film does not show the gestures in the order that was asked for, so that it does not "
        "tell that the person was there.",
        "Enrol again and do as you are asked, one gesture after the other; a turn of the head or "
        "an open mouth in between counts against it.",
    )


def _too_long(longest: float) -> VideoError:
    return VideoError(
        f"The video is longer than {longest:g} seconds.", "Cut it; a minute of speech is plenty."
    )


def _unsealed(source: SealedFile, target: Path) -> None:
    try:
        with open(target, "xb", opener=_private) as file:
            for piece in source.read(0, source.size):
                file.write(piece)
    finally:
        source.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sentence(note: str) -> str:
    return note[:1].upper() + note[1:]
