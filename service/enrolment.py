"""Videos in, an avatar's file out: the whole of an enrolment, as one job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avatar.archive import check_name as archive_name
from avatar.archive import write_avatar
from avatar.avatar import Avatar, Consent
from avatar.errors import ArchiveError, InputError, MismatchError
from avatar.face import FaceTrack
from service.guide.coverage import Coverage, coverage_of

if TYPE_CHECKING:
    from enroll.scene import TrackPrior

LEAST_FRAMES = 8  # with a face, below which nothing can be learned
FEW_FRAMES = 250  # below which the avatar will be rough, and the user is told
_PER_FRAME = (
    "time", "expression", "rotation", "translation", "gaze", "lids", "torso", "confidence", "box",
    "mask",
)  # fmt: skip
_WHOLE = 10_000_000  # us of a long video of which every frame is kept, for the coder's models
_GAP = 1_000_000  # us between two videos on the joined clock

Array = NDArray[Any]
Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class EnrolmentSettings:
    """size: pixels a side of the pictures to learn from.  budget: seconds, or `steps`.
    checkpoint_every: seconds that a kill loses at most.  frames: most that are learned from, all in
    memory: 2.4 GB at 512 pixels; a minute at 50 frames a second is not cut."""

    size: int = 256
    budget: float | None = 300.0
    steps: int | None = None
    device: str = "auto"
    seed: int = 0
    checkpoint_every: float = 20.0
    frames: int = 3000


@dataclass(frozen=True)
class Enrolled:
    """coverage: what the videos show, learned from or not.  warnings: in plain words."""

    avatar: Avatar
    coverage: Coverage
    warnings: list[str]


def check_name(name: str) -> None:
    """Refuses a name that is empty, too long, or could be taken for a path: InputError."""
    if not 1 <= len(name) <= 64:
        raise InputError(f"{name!r} is no name", "Give 1 to 64 characters.")
    try:
        archive_name(name)
    except ArchiveError as error:
        raise InputError(
            error.message.removeprefix("avatar: "), "Give a plain name, such as Ada."
        ) from None


def checkpoint_of(target: Path) -> Path:
    """Where a fit for `target` keeps what it has reached."""
    return target.with_name(target.name + ".checkpoint")


def enrol(
    videos: Sequence[Path],
    name: str,
    consent: Consent,
    target: Path,
    settings: EnrolmentSettings = EnrolmentSettings(),
    tracks: Sequence[FaceTrack] = (),
    start: Avatar | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    watch: Callable[[Any], None] | None = None,
    signer: str = "",
) -> Enrolled:
    """Tracks, fits and writes the avatar.

    tracks: of the videos where they are known already; a `.crops` file may then stand for its
    video, and no tracker and no video decoder is imported.  start: an avatar to go on from.
    resume: go on from the checkpoint of a fit that was stopped.  watch: as `enroll.fit.fit` has
    it.  signer: its owner's public key (`codec.signature`).  Raises VideoError, NoFaceError,
    InputError, MismatchError, StorageError.
    """
    from enroll.crops import Crops
    from enroll.fit import FitSettings, fit
    from enroll.scene import TrackPrior

    check_name(name)
    say = progress or (lambda done, total, note: None)
    warnings: list[str] = []
    found: list[FaceTrack] = []
    prior = TrackPrior.of(start) if start else None
    for index, path in enumerate(videos):
        if tracks:
            track = tracks[index]
        else:
            from service.tracking import track_file

            if is_crops(path):
                raise InputError(
                    f"{path.name} holds frames, but not where the face is in them",
                    "Give its track as well: --track FILE",
                )
            track, said = track_file(
                path, prior, progress=partial(_noted, say, f"tracking {path.name}")
            )
            warnings += said
        if prior is None:
            prior = _prior(track)
        found.append(track)
    assert prior is not None  # of the first video, at the latest
    total = sum(map(len, found))
    rows = [spread(t, max(1, settings.frames * len(t) // total)) for t in found]
    if sum(map(len, rows)) < total:
        warnings.append(
            f"{sum(map(len, rows))} of {total} frames are learned from, those that show most: "
            "a minute or two of speech is enough."
        )
    images = _pictures(videos, [t.cut(some) for t, some in zip(found, rows)], settings.size)
    whole = _in_a_row(found, prior)
    track = _joined([t.cut(some) for t, some in zip(whole, rows)])
    pictures = Crops(images, track.time)
    warnings += _amount(track)
    avatar = fit(
        pictures,
        track,
        name,
        consent,
        FitSettings(
            size=settings.size,
            budget=settings.budget,
            steps=settings.steps,
            device=settings.device,
            seed=settings.seed,
            checkpoint_every=settings.checkpoint_every,
        ),
        progress=progress,
        checkpoint=checkpoint_of(target),
        resume=resume,
        start=start,
        watch=watch,
    )
    avatar = write_avatar(replace(avatar, signer=signer), target)
    checkpoint_of(target).unlink(missing_ok=True)
    return Enrolled(avatar, coverage_of(_joined(whole)), warnings)


def _in_a_row(tracks: Sequence[FaceTrack], prior: TrackPrior) -> list[FaceTrack]:
    """One after the other on one clock, of one camera and window."""
    placed: list[FaceTrack] = []
    for track in tracks:
        shift = placed[-1].time[-1] + _GAP if placed else 0
        track = replace(track.on_camera(prior.camera), time=track.time + shift)
        placed.append(replace(track, window=prior.window))
    return placed


def is_crops(path: Path) -> bool:
    """Frames cut and kept by `facewire track --frames`, not a video."""
    return path.suffix.lower() == ".crops"


def spread(track: FaceTrack, most: int) -> Array:
    """Rows of a track to keep so that there are `most` of them: ten seconds from the first face on
    as they are, for the coder's models learn how a face moves, and of the others those that teach
    most."""
    rows = np.arange(len(track))
    if len(rows) <= most:
        return rows
    from enroll.informative import informative

    begin = track.time[int(np.argmax(track.confidence > 0))]
    whole = rows[(track.time >= begin) & (track.time < begin + _WHOLE)][: most // 2]
    others = np.setdiff1d(rows, whole)
    some = informative(track.cut(others), most - len(whole))
    return np.sort(np.concatenate([whole, others[some]]))


def _pictures(videos: Sequence[Path], tracks: Sequence[FaceTrack], size: int) -> Array:
    """[F, size, size, 3] the pictures of all tracks' frames, one video after the other."""
    images = np.empty((sum(map(len, tracks)), size, size, 3), np.uint8)
    row = 0
    for path, track in zip(videos, tracks):
        pictures_of(path, track, size, images[row : row + len(track)])
        row += len(track)
    return images


def pictures_of(path: Path, track: FaceTrack, size: int, into: Array | None = None) -> Any:
    """The `Crops` at a track's times of a video, or of a `.crops` file, at size x size."""
    if is_crops(path):
        from enroll.crops_file import load_crops

        return load_crops(path, size, track.time, into)
    from enroll.capture import open_video
    from enroll.crops import read_crops

    return read_crops(open_video(path), track.window, size, track.time, into)


def _noted(say: Progress, note: str, done: float, total: float) -> None:
    say(done, total, note)


def _prior(track: FaceTrack) -> Any:
    """What the first video tells of the person, for tracking the others."""
    from enroll.scene import TrackPrior

    size = (track.window.width, track.window.height)
    return TrackPrior(track.identity, track.camera, track.window, track.torso_reference, size)


def _joined(tracks: Sequence[FaceTrack]) -> FaceTrack:
    first = tracks[0]
    if any(not np.array_equal(t.identity, first.identity) for t in tracks):
        raise MismatchError(
            "each of the tracks found a face shape of its own, so that their numbers differ",
            "Leave --track away: the videos are then tracked with one shape.",
        )
    rows = {name: np.concatenate([getattr(t, name) for t in tracks]) for name in _PER_FRAME}
    return replace(first, **rows)


def _amount(track: FaceTrack) -> list[str]:
    """Refuses what cannot be learned from; says where it will be rough."""
    seen = int((track.confidence > 0).sum())
    if seen < LEAST_FRAMES:
        raise InputError(
            f"only {seen} frame(s) with a face: nothing can be learned from that",
            "Film ten seconds or more, speaking and turning the head a little.",
        )
    if seen < FEW_FRAMES:
        return [
            f"Only {seen} frames show the face: the avatar will know few expressions. "
            "Half a minute of speech, with turns and smiles, is better."
        ]
    return []
