"""A clip made ready to be judged: cut, tracked, enrolled where asked, and its frames at each size.

Everything is kept in a folder of the run, so that each step is done once:
    clip.json             what was done, and with which source
    NAME.enrol.mkv, NAME.judge.mkv    the two parts that share no frame
    judge.track           of the judged part
    boxes.npz             where face, mouth and eyes are in it
    DIGEST.track          of the judged part as the person of the avatar of that digest
    DIGEST.took           seconds of work for each second that it covers
    SIZE.npy              the judged frames at an even rate, on the window that all codecs see
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MismatchError, NoFaceError, VideoError
from avatar.storage import whole_file, write_whole
from bench import clips
from bench.codec import Clip, Material
from bench.regions import boxes_of

LEAST_FRAMES = 2  # below, nothing moves
HOLD_OUT = ("10s", "tail", "fifths", "none")

Say = Callable[[str], None]


@dataclass(frozen=True)
class FootageSettings:
    """hold_out: what is judged: the last 10 s, the last tenth ("tail"), every fifth whole second
    ("fifths"), or all of the file ("none": it was cut before).  fps: of the judged frames, by
    their times.  budget: seconds for an enrolment, or `steps`, at `size` pixels; both None enrol
    nobody.  longest: seconds to judge at most."""

    hold_out: str = "10s"
    fps: float = 25.0
    budget: float | None = None
    steps: int | None = None
    size: int = 256
    longest: float | None = None

    def __post_init__(self) -> None:
        if self.hold_out not in HOLD_OUT:
            raise InputError(
                f"there is no protocol {self.hold_out!r}", f"Choose from {', '.join(HOLD_OUT)}."
            )
        if self.longest is not None and not self.longest > 0:
            raise InputError(f"{self.longest:g} s of a clip are none", "Give more than 0 seconds.")

    @property
    def enrols(self) -> bool:
        return self.budget is not None or self.steps is not None


@dataclass(frozen=True)
class Footage:
    """digest: of the source file, the protocol and the window.  avatar_digest: "" without one.
    warnings: what the user must be told."""

    name: str
    folder: Path
    fps: float
    material: Material
    digest: str
    avatar_digest: str
    warnings: tuple[str, ...]

    @property
    def frames(self) -> int:
        return len(self.material.times)

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    def clip(self, size: int) -> Clip:
        """The judged frames [F, size, size, 3], made once and mapped from the disk."""
        path = self.folder / f"{size}.npy"
        if not path.exists():
            _save(path, self._cut(size))
        return Clip(self.name, np.load(path, mmap_mode="r"), self.fps, self.material)

    def boxes(self) -> dict[str, NDArray[np.float64]]:
        """By region, [F, 4]; none where no face was found."""
        path = self.folder / "boxes.npz"
        if not path.exists():
            return {}
        with np.load(path) as found:
            return {name: found[name] for name in found.files}

    def _cut(self, size: int) -> NDArray[np.uint8]:
        from enroll.capture import open_video
        from enroll.crops import cut_window
        from service.clip import pictures_at

        window = self.material.window
        video = open_video(self.material.judged)
        shown = pictures_at(video, self.material.times)
        frames = np.stack([cut_window(frame.image, window, size) for frame in shown])
        if len(frames) != self.frames:
            raise VideoError(
                f"{self.name}: {len(frames)} frames decode of {self.frames}",
                "The file is damaged; cut out the part that plays.",
            )
        return frames


def name_of(source: Path) -> str:
    """What a clip is called: its file's name, without what a cut added."""
    return source.stem.removesuffix(".judge")


def prepare(
    source: Path,
    folder: Path,
    settings: FootageSettings = FootageSettings(),
    avatar: Path | None = None,
    say: Say = lambda text: None,
) -> Footage:
    """Everything up to the frames; what is there already is used again.

    avatar: one that was enrolled before, on other frames than those judged.  Raises VideoError,
    NoFaceError, InputError; MismatchError where the folder holds another clip of this name.
    """
    name = name_of(source)
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "clip.json"
    known: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
    digest = _digest(source, settings)
    _same(name, folder, known, "digest", digest)
    judged, enrolled = _parts(source, folder, settings, say)
    if avatar is None and settings.enrols:
        avatar = _enrolled(name, enrolled, folder, settings, say)
    track, warnings = _tracked(judged, folder / "judge.track", None, say)
    window, seen, avatar_digest, load = track.window, None, "", 0.0
    if avatar is not None:
        avatar_digest = _file_digest(avatar)
        seen = folder / f"{avatar_digest[:12]}.track"
        window = _tracked(judged, seen, avatar, say)[0].window
        load = _load(seen)
    _same(name, folder, known, "window", asdict(window))
    times = _times(track, settings)
    if len(times) < LEAST_FRAMES:
        raise VideoError(
            f"{name}: {len(times)} frame is left to judge at {settings.fps:g} a second",
            "Use a longer clip.",
        )
    _keep_boxes(folder / "boxes.npz", track, times, window)
    if not known:
        known = {"source": source.name, "digest": digest, "window": asdict(window)}
        known |= {"frames": len(times), "warnings": list(warnings)} | asdict(settings)
        write_whole(record, json.dumps(known, indent=1).encode())
    material = Material(judged, window, times, enrolled, avatar, seen, load)
    said = tuple(known["warnings"])
    shown = hashlib.sha256(f"{digest} {json.dumps(asdict(window))}".encode()).hexdigest()
    return Footage(name, folder, settings.fps, material, shown, avatar_digest, said)


def _same(name: str, folder: Path, known: dict[str, Any], what: str, value: Any) -> None:
    if known and known[what] != value:
        raise MismatchError(
            f"{folder} holds another {name}: the file, the protocol or the window has changed",
            "Run into another folder, or remove this one.",
        )


def _keep_boxes(path: Path, track: Any, times: NDArray[np.int64], window: Any) -> None:
    from service.resample import nearest

    if not path.exists():
        found: dict[str, Any] = boxes_of(track, nearest(track.time, times), window)
        with whole_file(path) as file:
            np.savez(file, **found)


def _parts(
    source: Path, folder: Path, settings: FootageSettings, say: Say
) -> tuple[Path, Path | None]:
    """(judged, enrolled)."""
    if settings.hold_out == "none":
        if not source.is_file():
            raise VideoError(f"{source} does not exist", "Give the path of a video file.")
        beside = source.with_name(source.name.replace(".judge.", ".enrol."))
        return source, beside if beside != source and beside.is_file() else None
    judge, enrol = (folder / f"{source.stem}.{part}.mkv" for part in ("judge", "enrol"))
    if not (judge.exists() and enrol.exists()):
        say(f"cutting {source.name}")
        if settings.hold_out == "fifths":
            clips.hold_out_seconds(source, folder)
        elif settings.hold_out == "tail":
            clips.hold_out_tail(source, folder)
        else:
            share = 1 - 10.0 / clips.duration(source)
            if share < 0.3:
                raise InputError(
                    f"{source.name} is too short to hold 10 s out and learn from the rest",
                    "Hold out less (--hold-out tail), or judge all of it (--hold-out none).",
                )
            clips.hold_out_tail(source, folder, share)
    return judge, enrol


def _enrolled(
    name: str, video: Path | None, folder: Path, settings: FootageSettings, say: Say
) -> Path:
    target = folder / "enrolled.avatar"
    if target.exists():
        return target
    if video is None:
        raise InputError(
            f"{name}: there is nothing to enrol on",
            "Let the run cut the clip itself (--hold-out 10s), or name an avatar: --avatar",
        )
    from datetime import datetime

    from avatar.avatar import Consent
    from service.enrolment import EnrolmentSettings, enrol

    say(f"enrolling {name}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    consent = Consent(name, "a measurement of codecs", now, "flag", "bench")
    how = EnrolmentSettings(settings.size, settings.budget, settings.steps)
    enrol([video], name, consent, target, how)
    return target


def _tracked(
    judged: Path, path: Path, avatar: Path | None, say: Say
) -> tuple[Any, tuple[str, ...]]:
    from avatar.track_file import read_track, write_track

    if path.exists():
        return read_track(path), ()
    from avatar.archive import read_avatar
    from enroll.scene import TrackPrior
    from service.tracking import track_file

    say(f"tracking {judged.name}")
    prior = TrackPrior.of(read_avatar(avatar)) if avatar else None
    start = time.perf_counter()
    try:
        track, warnings = track_file(judged, prior)
    except NoFaceError as error:
        raise NoFaceError(
            f"{judged.name}: {error.message}", "This lab compares codecs for faces."
        ) from None
    took = time.perf_counter() - start
    lasted = float(track.time[-1] - track.time[0]) * 1e-6
    write_whole(path.with_suffix(".took"), f"{took / lasted if lasted else 0.0:.4g}".encode())
    write_track(track, path)
    return track, tuple(warnings)


def _load(track: Path) -> float:
    """Seconds of work for each second that the track covers; 0 where it was not taken."""
    took = track.with_suffix(".took")
    return float(took.read_text()) if took.exists() else 0.0


def _times(track: Any, settings: FootageSettings) -> NDArray[np.int64]:
    from service.resample import even_times

    last = int(track.time[-1])
    if settings.longest is not None:
        last = min(last, int(track.time[0] + settings.longest * 1e6 - 1e6 / settings.fps))
    return even_times(int(track.time[0]), last, settings.fps)


def _digest(source: Path, settings: FootageSettings) -> str:
    """Of the file's bytes and what is judged of it; how somebody is enrolled does not matter."""
    asked = [settings.hold_out, settings.fps, settings.longest, _file_digest(source)]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    if not path.is_file():
        raise VideoError(f"{path} does not exist", "Give the path of a file.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _save(path: Path, frames: NDArray[np.uint8]) -> None:
    with whole_file(path) as file:
        np.save(file, frames)
