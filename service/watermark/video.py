"""The watermark of a video file."""

from __future__ import annotations

from pathlib import Path

from service.watermark.reader import Reading, WatermarkReader

_ENOUGH = 60_000_000  # us: what a minute does not tell, an hour will not


def read_watermark(path: Path) -> Reading:
    """Reads until the watermark is found, for a minute at most.  Raises VideoError."""
    from enroll.capture import open_video

    video, reader = open_video(path), WatermarkReader()
    begun = 0
    try:
        for frame in video:
            if frame.time >= begun + 1_000_000:
                begun = frame.time
                if (found := reader.read()).prefix is not None or frame.time > _ENOUGH:
                    return found
            reader.add(frame.image, frame.time)
    finally:
        video.close()
    return reader.read()
