"""The `facewire` command as a user types it, on a small sample, from video to figures."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar.archive import parse_avatar
from avatar.errors import ArchiveError, NoFaceError, StreamError, TrackError, VideoError
from codec.container import read_stream
from demo.cli import main
from enroll.capture import open_video
from enroll.sample import SampleSettings, write_sample
from tests.demo.badge import has_badge

FRAMES = 40


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    said: str


def run(*words: str) -> Ran:
    out, said = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(said):
        code = main(list(words))
    return Ran(code, out.getvalue(), said.getvalue())


def works(*words: str) -> Ran:
    ran = run(*words)
    assert ran.code == 0, ran.said
    assert "Traceback" not in ran.said
    return ran


ENROLL = ("enroll", "talk.mkv", "--name", "Sample", "--size", "48", "--consent", "self")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which somebody has tracked, enrolled, encoded and decoded."""
    folder = tmp_path_factory.mktemp("call")
    write_sample(folder / "talk.mkv", SampleSettings(size=128, seconds=FRAMES / 25))
    with chdir(folder):
        works("track", "talk.mkv", "-o", "talk.track")
        enrolled = (*ENROLL, "-o", "s.avatar", "--steps", "3", "--track", "talk.track")
        told = works(*enrolled, "--coverage", "shown.png").said
    assert "The video shows little of:" in told and "length" in told
    with Image.open(folder / "shown.png") as picture:
        assert picture.size[0] > 600 and len(picture.convert("L").getcolors()) > 8
    with chdir(folder):
        works("encode", "talk.mkv", "--avatar", "s.avatar", "-o", "call.fw", "--frames", "10:30")
        works("decode", "call.fw", "--avatar", "s.avatar", "-o", "out.mkv", "--size", "48")
    return folder


@pytest.fixture
def here(made: Path) -> Iterator[Path]:
    """The folder as the working directory, and as it was afterwards."""
    before = set(made.iterdir())
    with chdir(made):
        yield made
    for path in set(made.iterdir()) - before:
        path.unlink()


def test_enrolling_leaves_a_signing_key_beside_the_avatar_that_enrolling_again_keeps(here):
    from codec.signature import public_key
    from service.signing import read_key

    key = public_key(read_key(here / "s.key"))
    assert json.loads(works("info", "s.avatar", "--json").out)["signer"] == key
    assert (here / "s.key").stat().st_mode & 0o77 == 0
    shutil.copy("s.key", "again.key")
    works(*ENROLL, "-o", "again.avatar", "--steps", "1", "--track", "talk.track")
    assert json.loads(works("info", "again.avatar", "--json").out)["signer"] == key


def test_info_of_a_stream_is_for_programs(here):
    facts = json.loads(works("info", "call.fw", "--json").out)
    size = (here / "call.fw").stat().st_size
    assert facts["frames"] == 20 and facts["fps"] == pytest.approx(25, rel=0.01)
    assert facts["duration_s"] == pytest.approx(0.8, abs=0.05)
    whole = json.loads(works("info", "s.avatar", "--json").out)["digest"]
    assert len(facts["avatar"]) == 32 and whole.startswith(facts["avatar"])
    assert 0 < facts["header_bytes"] < 128 and facts["codec"]
    # Every byte of the file is payload or sound.
    bits = (facts["payload_kbps"] + facts["audio_kbps"]) * 1000 * facts["duration_s"]
    assert bits == pytest.approx(8 * size, rel=0.02)


def test_info_of_an_avatar(here):
    facts = json.loads(works("info", "s.avatar", "--json").out)
    assert facts["name"] == "Sample" and facts["size_bytes"] == (here / "s.avatar").stat().st_size
    assert facts["consent"]["subject"] == "self" and facts["report"]["steps"] == 3
    assert facts["version"] == 2
    works("info", "talk.track", "--mesh", "head.glb", "--frame", "5")
    assert (here / "head.glb").read_bytes()[:4] == b"glTF"
    assert run("info", "talk.track", "--mesh", "head.glb", "--frame", "40").code == 2


def test_the_picture_is_the_person(here):
    figures = json.loads(
        works("compare", "talk.mkv", "out.mkv", "--stream", "call.fw", "--json").out
    )
    assert figures["frames"] == 20
    assert figures["psnr"] > 17 and figures["psnr_face"] > 14 and 0 < figures["ssim"] <= 1
    assert 0 < figures["ms_ssim_face"] <= 1
    other = works(
        "compare", "talk.mkv", "out.mkv", "--stream", "call.fw", "--frames", "12:14",
        "--enrolled", "talk.mkv", "--json",
    )  # fmt: skip
    figures = json.loads(other.out)
    # The frames judged are among those enrolled: the oracle finds them themselves.
    assert figures["frames"] == 2 and (figures["psnr_oracle"] or 99) > 30


@pytest.mark.parametrize(
    "options,size",
    [
        (("--height", "36", "--fit", "extend"), (64, 36)),
        (("--size", "40", "--background", "blur"), (40, 40)),
        (("--size", "40", "--background", "#203040"), (40, 40)),
        (("--size", "40", "--background", "wall.png", "--fit", "cover"), (40, 40)),
    ],
)
def test_one_stream_renders_in_many_ways(here, options, size):
    from PIL import Image

    Image.fromarray(np.full((30, 50, 3), 90, np.uint8)).save("wall.png")
    works("decode", "call.fw", "--avatar", "s.avatar", "-o", "view.mp4", *options)
    video = open_video(here / "view.mp4")
    frames = list(video)
    assert len(frames) == 20 and video.info.has_audio
    height, width = frames[0].image.shape[:2]
    assert height == size[1] and (width == size[0] or "--height" in options)
    assert has_badge(frames[0].image)


def test_the_badge_is_on_video_for_people_alone_and_can_be_left_out(here):
    pose = ("render", "s.avatar", "--pose", "0,0,0", "--size", "48", "-o")
    call = ("decode", "call.fw", "--avatar", "s.avatar", "--size", "48", "-o")
    for command, name in ((pose, "pose"), (call, "call")):
        works(*command, f"{name}.mp4")
        works(*command, f"{name}-bare.mp4", "--no-badge", "--no-watermark")
        works(*command, f"{name}.mkv")
        shown = {path.name: next(iter(open_video(path))).image for path in here.glob(f"{name}*.m*")}
        assert [path for path in shown if has_badge(shown[path])] == [f"{name}.mp4"]


def test_rate_can_be_bounded(here):
    command = ("encode", "talk.mkv", "--avatar", "s.avatar", "--no-audio", "-o")
    rates = []
    for name, kbps in (("coarse.fw", "1.2"), ("fine.fw", "9")):
        works(*command, name, "--kbps", kbps, "--fps", "12.5")
        rates.append(json.loads(works("info", name, "--json").out)["payload_kbps"])
    assert rates[0] < rates[1] <= 9
    tight = run(*command, "no.fw", "--kbps", "0.01")
    assert tight.code or "0.01" in tight.said  # said, either way, that it cannot be


def test_an_avatar_can_be_looked_at(here):
    works("render", "s.avatar", "--pose", "15,5,0", "-o", "look.png", "--size", "40")
    works("render", "s.avatar", "--pose", "0,0,0", "--expression", "0=2", "-o", "b.mkv",
          "--size", "16")  # fmt: skip
    assert len(list(open_video(here / "b.mkv"))) == 25
    assert (here / "look.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_mirror_shows_the_call_of_a_video(here):
    ran = works("mirror", "--avatar", "s.avatar", "--camera", "talk.mkv", "-o", "mirror.mkv",
                "--size", "48", "--seconds", "0.6")  # fmt: skip
    frames = list(open_video(here / "mirror.mkv"))
    assert frames and "kbps" in ran.out


def test_enrolling_goes_on_from_an_avatar_and_over_several_videos(here):
    shutil.copy("talk.mkv", "more.mkv")
    ran = works(
        "enroll", "talk.mkv", "more.mkv", "--name", "More", "--size", "48", "--consent", "self",
        "--steps", "2", "--from", "s.avatar", "-o", "more.avatar",
    )  # fmt: skip
    report = json.loads(works("info", "more.avatar", "--json").out)["report"]
    assert report["training_frames"] > FRAMES and "more.avatar" in ran.out
    # A stream is for the avatar it was made for, and for no other.
    wrong = run("decode", "call.fw", "--avatar", "more.avatar", "-o", "wrong.mkv")
    assert wrong.code and "avatar" in wrong.said and not (here / "wrong.mkv").exists()


def test_a_stopped_fit_goes_on(here, monkeypatch):
    """Ctrl-C in the middle leaves a checkpoint, and --resume takes it."""
    from enroll import fit
    from service import enrolment

    step = fit.Fit.step

    def stop(self: fit.Fit, progress: float) -> dict[str, float]:
        if self.done_steps == 2:
            raise KeyboardInterrupt
        return step(self, progress)

    every_step = partial(enrolment.EnrolmentSettings, checkpoint_every=0.0)
    monkeypatch.setattr(enrolment, "EnrolmentSettings", every_step)
    words = (*ENROLL, "-o", "late.avatar", "--steps", "4", "--track", "talk.track")
    monkeypatch.setattr(fit.Fit, "step", stop)
    stopped = run(*words)
    assert stopped.code == 130 and not (here / "late.avatar").exists()
    assert (here / "late.avatar.checkpoint").exists()
    done: list[int] = []

    def counted(self: fit.Fit, progress: float) -> dict[str, float]:
        done.append(self.done_steps)
        return step(self, progress)

    monkeypatch.setattr(fit.Fit, "step", counted)
    works(*words, "--resume")
    assert done[0] >= 1 and done[-1] == 3
    assert not (here / "late.avatar.checkpoint").exists()


DAMAGE = {
    "a cut avatar": (
        "s.avatar", lambda data: data[:-100],
        ("decode", "call.fw", "--avatar", "bad.avatar", "-o", "x.mkv"), ArchiveError,
    ),
    "an avatar with a flipped bit": (
        "s.avatar", lambda data: data[:5000] + bytes([data[5000] ^ 4]) + data[5001:],
        ("info", "bad.avatar"), ArchiveError,
    ),
    "a stream with a flipped bit": (
        "call.fw", lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        ("decode", "bad.fw", "--avatar", "s.avatar", "-o", "x.mkv"), StreamError,
    ),
    "a stream that is none": (
        "talk.mkv", lambda data: data[:3000], ("info", "bad.fw"), StreamError,
    ),
    "a cut track": (
        "talk.track", lambda data: data[:-9],
        (*ENROLL, "--steps", "1", "--track", "bad.track", "-o", "x.avatar"), TrackError,
    ),
    "no video at all": (
        "talk.track", lambda data: data, ("track", "bad.mkv", "-o", "x.track"), VideoError,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_and_leaves_nothing(here, case):
    source, spoil, words, error = DAMAGE[case]
    (name,) = (word for word in words if word.startswith("bad."))
    (here / name).write_bytes(spoil((here / source).read_bytes()))
    before = set(here.iterdir())
    ran = run(*words)
    assert ran.code == error.exit_code, ran.said
    fault, cure = ran.said.strip().splitlines()[-2:]
    assert fault.startswith("facewire: ") and len(cure) > 10 and cure[0].isupper()
    assert set(here.iterdir()) == before


@pytest.mark.parametrize("name, parse", [("s.avatar", parse_avatar), ("call.fw", read_stream)])
def test_every_header_byte_and_500_others_of_real_files_are_held(here, name, parse):
    """What the user has, not what a test made up; each byte turned, and cut before it."""
    data = bytearray((here / name).read_bytes())
    header = 24 + int.from_bytes(data[12:16], "little") if name == "s.avatar" else 64
    seeded = np.random.default_rng(7).integers(header, len(data), 500)
    for place in [*range(header), *seeded.tolist()]:
        data[place] ^= 0x10
        with pytest.raises((ArchiveError, StreamError)):
            parse(bytes(data))
        data[place] ^= 0x10
    for place in [*range(header), *seeded.tolist()]:
        with pytest.raises((ArchiveError, StreamError)):
            parse(bytes(data[:place]))
    parse(bytes(data))


def test_a_wall_has_no_face(here, make_video):
    wall = make_video([np.full((64, 64, 3), 90 + k % 3, np.uint8) for k in range(12)])
    ran = run("track", str(wall), "-o", "x.track")
    assert ran.code == NoFaceError.exit_code and "face" in ran.said
    assert not (here / "x.track").exists()


def test_too_little_film_is_said(here, make_video):
    frames = [f.image for f in open_video(here / "talk.mkv")]
    one = make_video(frames[:1], "one.mkv")
    ran = run("enroll", str(one), "--name", "One", "--consent", "self", "-o", "x.avatar")
    assert ran.code == 2 and "1 frame" in ran.said and not (here / "x.avatar").exists()
    ran = works("encode", str(one), "--avatar", "s.avatar", "-o", "one.fw")
    assert "1 frames" in ran.out
