"""facewire demo: a sample clip, enrolled, coded, rendered, and set beside AV1 and VVC.

Everything goes through the same doors as the commands: what is judged was never seen by the
avatar, and comes out of files.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from avatar.archive import read_avatar
from avatar.avatar import Avatar
from avatar.storage import write_whole
from bench.classic import Coded, lowest_rate
from demo.figures import Row
from demo.montage import Montage
from demo.page import Still, page
from enroll.capture import open_video
from enroll.crops import cut_window
from enroll.sample import SampleSettings, write_sample
from render.lanczos import lanczos
from service import consent
from service.audio import read_audio
from service.compare import Comparison, compare_files
from service.enrolment import EnrolmentSettings, enrol
from service.picture_file import png_bytes
from service.receiver import decode_file
from service.sender import SenderSettings, encode_video
from service.video_out import video_file
from service.view import View

CLASSIC = ("av1", "vvc")
NAMES = {"av1": "AV1", "vvc": "VVC"}
SMALL, LARGE = 256, 1080  # lines

Array = NDArray[Any]
Bar = Callable[[str], AbstractContextManager[Callable[..., None]]]


@dataclass(frozen=True)
class DemoSettings:
    """small, large: lines at which the call is decoded; the small ones are judged, against the
    classic codecs on the same pictures.  panel: side of a picture in compare.mp4."""

    sample: SampleSettings = field(default_factory=SampleSettings)
    enrolment: EnrolmentSettings = field(default_factory=lambda: EnrolmentSettings(budget=170.0))
    held_out: float = 0.1  # share of the clip, at its end
    small: int = SMALL
    large: int = LARGE
    panel: int = 400


FULL = DemoSettings()
FAST = DemoSettings(
    sample=SampleSettings(size=128, seconds=3.0),
    enrolment=EnrolmentSettings(size=64, budget=None, steps=20),
    held_out=0.2,
    small=64,
    large=96,
    panel=64,
)


@dataclass(frozen=True)
class Files:
    """What the demo leaves behind in a folder."""

    sample: Path
    enrolled: Path
    held_out: Path
    avatar: Path
    stream: Path
    small: Path
    large: Path
    compare: Path
    page: Path

    @staticmethod
    def below(folder: Path) -> Files:
        names = (
            "sample.mkv", "enrolled.mkv", "held_out.mkv", "sample.avatar", "call.fw",
            "call_small.mkv", "call_large.mp4", "compare.mp4", "index.html",
        )  # fmt: skip
        return Files(*(folder / name for name in names))


def run_demo(folder: Path, settings: DemoSettings, bar: Bar) -> list[Row]:
    """The whole way; returns the figures, ours first.  bar(task) gives a progress callable."""
    started = time.perf_counter()
    files = Files.below(folder)
    _make_clips(files, settings, bar)
    avatar = _enrol(files, settings, bar)
    with bar("Encoding") as progress:
        sent = encode_video(
            files.held_out, avatar, files.stream, SenderSettings(effort=1), None, progress
        )
    kbps = sent.summary["payload_kbps"]
    for target, lines in ((files.small, settings.small), (files.large, settings.large)):
        with bar(f"Rendering {lines} lines") as progress:
            decode_file(files.stream, avatar, target, View(lines, lines), progress=progress)
    filmed = _filmed(files, avatar, settings.small)
    with bar("Comparing") as progress:
        ours = compare_files(
            files.held_out, files.small, files.stream, None, files.enrolled, progress
        )
    rows = [_row("Facewire", "avatar on disk, this call's bytes", kbps, ours)]
    shown = {"facewire": [frame.image for frame in open_video(files.small)]}
    for codec in CLASSIC:
        with bar(f"Coding with {NAMES[codec]}"):
            coded = lowest_rate(filmed, codec, settings.sample.fps)
            shown[codec] = list(coded.frames)
            rows.append(_judged(files, codec, coded, settings))
    rows.append(
        Row(
            "Still picture", "the best of the enrolment for each frame", 0.0,
            ours.still["psnr_oracle"], ours.still["psnr_face_oracle"], None, None,
        )
    )  # fmt: skip
    _write_comparison(files, settings, avatar, shown, rows)
    _write_page(files, settings, rows, shown, time.perf_counter() - started)
    return rows


def _make_clips(files: Files, settings: DemoSettings, bar: Bar) -> None:
    """The sample, cut without loss into what is enrolled and what is held out."""
    with bar("Making the sample") as progress:
        write_sample(files.sample, settings.sample, progress)
    total = settings.sample.frames
    border = round(total * (1 - settings.held_out))
    for target, rows in (
        (files.enrolled, slice(0, border)),
        (files.held_out, slice(border, total)),
    ):
        video = open_video(files.sample, frames=rows)
        frames = list(video)
        start, clock = frames[0].time, video.info.start
        period = 1_000_000 // settings.sample.fps
        sound = read_audio(files.sample, clock + start, clock + frames[-1].time + period)
        sound = sound.shifted(-clock - start) if sound else None
        size = settings.sample.size
        with video_file(target, size, size, settings.sample.fps, sound) as out:
            for frame in frames:
                out.picture(frame.image, frame.time - start, period)


def _enrol(files: Files, settings: DemoSettings, bar: Bar) -> Avatar:
    agreed = consent.record(
        "a photograph of Eileen Collins by NASA, in the public domain", "the Facewire demo",
        "flag", datetime.now(UTC),
    )  # fmt: skip
    with bar("Enrolling") as progress:
        enrol(
            [files.enrolled], "Sample", agreed, files.avatar, settings.enrolment, progress=progress
        )
    return read_avatar(files.avatar)


def _judged(files: Files, codec: str, coded: Coded, settings: DemoSettings) -> Row:
    """A classic codec's pictures, judged as ours are: as a file, against the same frames."""
    side, fps = settings.small, settings.sample.fps
    shown = files.small.with_name(f"{codec}.mkv")
    with video_file(shown, side, side, fps) as out:
        for index, picture in enumerate(coded.frames):
            out.picture(picture, index * 1_000_000 // fps, 1_000_000 // fps)
    figures = compare_files(files.held_out, shown, files.stream)
    note = f"{len(coded.data)} bytes, coarsest quantiser"
    return _row(NAMES[codec], note, coded.kbps, figures)


def _row(name: str, note: str, kbps: float, figures: Comparison) -> Row:
    values = figures.figures()
    return Row(
        name, note, kbps, figures.psnr, values["psnr_face"], values["ssim"], values["ms_ssim_face"]
    )


def _filmed(files: Files, avatar: Avatar, side: int) -> list[Array]:
    """The held-out pictures as the avatar's window cuts them."""
    return [cut_window(frame.image, avatar.window, side) for frame in open_video(files.held_out)]


def _write_comparison(
    files: Files,
    settings: DemoSettings,
    avatar: Avatar,
    shown: dict[str, list[Array]],
    rows: list[Row],
) -> None:
    """compare.mp4: as filmed, ours, AV1 and VVC in one row, with the sound."""
    side, fps = settings.panel, settings.sample.fps
    filmed = _filmed(files, avatar, side)
    ours = [frame.image for frame in open_video(files.large)]
    columns = [filmed, ours, *(shown[codec] for codec in CLASSIC)]
    labels = [("As filmed", f"{settings.sample.size} lines")]
    labels += [(row.name, f"{row.kbps:.1f} kbit/s") for row in rows[: 1 + len(CLASSIC)]]
    montage = Montage(labels, side)
    sound = read_audio(files.held_out, 0, len(filmed) * 1_000_000 // fps)
    with video_file(files.compare, *montage.size, fps, sound) as out:
        for index, pictures in enumerate(zip(*columns)):
            panels = [lanczos(picture, side, side) for picture in pictures]
            out.picture(montage.picture(panels), index * 1_000_000 // fps, 1_000_000 // fps)


def _write_page(
    files: Files,
    settings: DemoSettings,
    rows: list[Row],
    shown: dict[str, list[Array]],
    seconds: float,
) -> None:
    ours = rows[0]
    middle = len(shown["facewire"]) // 2
    large = list(open_video(files.large))[middle].image
    held_out = list(open_video(files.held_out))[middle].image
    stills = [
        Still("As filmed", png_bytes(held_out)),
        Still(f"Rendered at {settings.small} lines", png_bytes(shown["facewire"][middle])),
        Still(f"Rendered at {settings.large} lines from the same bytes", png_bytes(large)),
        *(Still(f"{NAMES[c]} at its lowest rate", png_bytes(shown[c][middle])) for c in CLASSIC),
    ]
    clip = settings.sample.seconds * settings.held_out
    remarks = [
        f"This head was enrolled on {settings.sample.seconds - clip:.1f} seconds of film and then "
        f"sent at {ours.kbps:.1f} kbit/s: numbers for its expression, its pose and its shoulders, "
        "from which a radiance field draws it again at any size.",
        f"Figures are means over {len(shown['facewire'])} held-out frames at {settings.small} "
        f"lines; rates count every byte but sound. A clip of {clip:.1f} seconds bears its whole "
        "header and, with AV1 and VVC, its one key frame, which longer calls spread. The avatar "
        f"itself has {files.avatar.stat().st_size / 1e6:.1f} MB and is sent once. The whole demo "
        f"took {seconds / 60:.1f} minutes here.",
        "The person is a photograph of Eileen Collins by NASA, in the public domain, animated by "
        "a script.",
    ]
    commands = [
        f"facewire enroll {files.enrolled.name} --name Sample -o {files.avatar.name} "
        "--consent self",
        f"facewire encode {files.held_out.name} --avatar {files.avatar.name} "
        f"-o {files.stream.name}",
        f"facewire decode {files.stream.name} --avatar {files.avatar.name} "
        f"-o {files.small.name} --size {settings.small}",
        f"facewire compare {files.held_out.name} {files.small.name} --stream {files.stream.name}",
    ]
    write_whole(
        files.page, page(files.compare.read_bytes(), stills, rows, commands, remarks).encode()
    )
