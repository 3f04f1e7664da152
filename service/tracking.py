"""Video files tracked, with what has to be said about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from avatar.face import FaceTrack
from enroll.capture import open_video
from enroll.landmarks import LandmarkSource
from enroll.scene import TrackPrior
from enroll.track import track_video

SHORT_LOSS = 5  # frames in a row without a face that are not worth a word

Progress = Callable[[float, float], None]


def track_file(
    path: str | Path,
    prior: TrackPrior | None = None,
    frames: slice | None = None,
    progress: Progress | None = None,
    landmarks: LandmarkSource | None = None,
) -> tuple[FaceTrack, list[str]]:
    """The face track of a video file, or of a range of its frames, and warnings in plain words.

    landmarks: another source than MediaPipe.  Raises VideoError for what cannot be read,
    NoFaceError where nobody is seen.
    """
    video = open_video(Path(path), frames=frames)
    try:
        track = track_video(video, prior=prior, progress=progress, landmarks=landmarks)
    finally:
        video.close()
    return track, [*video.warnings, *_losses(track, video.info.name)]


def _losses(track: FaceTrack, name: str) -> list[str]:
    """What to say of the frames in which the face was lost."""
    lost = track.confidence <= 0
    longest = run = 0
    for missing in lost:
        run = run + 1 if missing else 0
        longest = max(longest, run)
    if longest <= SHORT_LOSS:
        return []
    return [
        f"{name}: the face is lost in {int(lost.sum())} of {len(track)} frames "
        f"({longest} in a row); they are kept and marked."
    ]
