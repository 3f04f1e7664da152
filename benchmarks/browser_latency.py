"""The same with Chromium (`benchmarks/latency.py --browser`): the call page, its fake camera fed
from the clip, and the server that tracks and renders for it.

Chromium is at both ends, or at the one that looks, and films at the other one as `facewire call`
does.  Where it is at both, the second page's camera is of somebody who has no avatar: with --both
the fallback shows them to the first, without it nothing does.

Each filmed frame carries its number in blocks along its upper edge.  The page that films reads it
off its own camera's picture, with the time of capture as the browser has it.  The server reads it
off what it tracks, knows so of each state which frame it is of, and writes that, in 1/16 frames,
in blocks along the upper edge of the picture it renders.  The page that looks reads it off what it
shows, with the time that the browser expects it on the screen.  Both pages are on one clock.
Where no page films, a state's time is its frame's, on the clock of who films.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import tempfile
import time as clock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.latency import Member, film_in
from benchmarks.serving import Busy, machine, served

_FRAMES = 124  # of the clip; forth and back
_BITS, _BLOCK = 8, 16  # of a filmed frame's number; pixels a side of a block
_PARTS, _SHOWN_BITS, _SHOWN_BLOCK = 16, 12, 8  # of a frame; and the same of a rendered picture
_LINES_ASKED = 480  # demo/pages/static/camera.js
_WARM = 10.0  # seconds
_PASSWORD = "correct horse battery"
_PROGRAM = "from benchmarks.browser_latency import serve; serve({!r}, {!r}, {!r})"
_PERIOD = 2 * (_FRAMES - 1)  # frames, forth and back


def written(picture: Any, number: int, bits: int, block: int) -> Any:
    """The picture with the number in its first rows: each bit as a block, then its opposite."""
    out = picture.copy()
    for bit in range(bits):
        for half, on in enumerate((number >> bit & 1, 1 - (number >> bit & 1))):
            left = (2 * bit + half) * block
            out[:block, left : left + block] = 235 if on else 20
    return out


def read(picture: Any, bits: int, block: int) -> int | None:
    """The number that `written` wrote; None where it cannot be told."""
    middle = slice(block // 4, block - block // 4)
    grey = picture[:block].mean(axis=2)
    levels = [grey[middle, n * block :][:, middle].mean() for n in range(2 * bits)]
    ons = np.array(levels[::2]) - np.array(levels[1::2])
    return int(sum(1 << n for n in range(bits) if ons[n] > 0)) if abs(ons).min() > 60 else None


# The same on a page: [[number, milliseconds since 1970], ...] into window.fwSeen.
_WATCH = """([id, bits, block, clock]) => {
    const video = document.getElementById(id), seen = window.fwSeen = [];
    const canvas = new OffscreenCanvas(2 * bits * block, block);
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    const look = (now, told) => {
        pen.drawImage(video, 0, 0, canvas.width, block, 0, 0, canvas.width, block);
        const data = pen.getImageData(0, block >> 1, canvas.width, 1).data;
        const level = (n) => data[4 * (n * block + (block >> 1)) + 1];
        let number = 0, sure = true;
        for (let bit = 0; bit < bits; bit++) {
            const on = level(2 * bit) - level(2 * bit + 1);
            sure &&= Math.abs(on) > 60;
            if (on > 0) number |= 1 << bit;
        }
        if (sure) seen.push([number, performance.timeOrigin + (told[clock] ?? now)]);
        video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
}"""


# Lines that a page makes, and what they count: frames a second and milliseconds a frame.
_LINES = """window.fwLines = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...given) { super(...given); window.fwLines.push(this); }
};"""
_COUNTS = """async () => {
    const told = [...(await window.fwLines.at(-1).getStats()).values()];
    const one = (type) => told.find((it) => it.type === type && it.kind === "video") ?? {};
    const come = one("inbound-rtp");
    return { decoded: come.framesDecoded, buffered: come.jitterBufferDelay,
        emitted: come.jitterBufferEmittedCount };
}"""


def coreless() -> float:
    """Seconds that this thread could have worked, and had no core; what is left of the time that
    passed beside them and the work it waited for others."""
    return 1e-9 * int(Path("/proc/thread-self/schedstat").read_text().split()[1])


def serve(notes: str, both: bool, fps: float | None) -> None:
    """`facewire serve` that reads and writes the numbers; what else it does is unchanged, but for
    the fallback, which is there for `both`.
    notes: a file for the milliseconds that each frame and picture took.  fps: of frames whose time
    tells their number; None where the number has to be read off them."""
    from demo.cli import main
    from service.api import rooms
    from service.calls import gateway
    from service.calls.face_end import FaceEnd
    from service.calls.screen import Screen

    took: dict[str, list[float]] = {
        "tracked": [], "CPU of that": [], "drawn": [], "CPU of this": [], "no core": [],
        "held back": [],
    }  # fmt: skip
    known: list[tuple[float, float]] = []  # time and number of what was filmed

    class Reading(FaceEnd):
        def film(self, now: int, frame: Any, *how: Any) -> list[bytes]:
            number = read(frame.image, _BITS, _BLOCK) if self._mine is not None else None
            if number is not None:
                last = known[-1][1] if known else number
                known.append((frame.time, last + (number - last) % _PERIOD))
            begun, worked = clock.monotonic(), clock.thread_time()
            out = super().film(now, frame, *how)
            if self._mine is not None:
                took["tracked"].append(1000 * (clock.monotonic() - begun))
                took["CPU of that"].append(1000 * (clock.thread_time() - worked))
            return out

        def scene(self, now: int) -> Any:
            took["held back"].append(self.delay / 1000)
            return super().scene(now)

    class Writing(Screen):
        def picture(self, scene: Any, time: int) -> Any:
            begun, worked, without = clock.monotonic(), clock.thread_time(), coreless()
            picture = super().picture(scene, time)
            took["drawn"].append(1000 * (clock.monotonic() - begun))
            took["CPU of this"].append(1000 * (clock.thread_time() - worked))
            took["no core"].append(1000 * (coreless() - without))
            if scene.avatar is None or not (known or fps):
                return picture
            since = scene.avatar[1].since
            # Of one list, in one step: another thread adds to it meanwhile.
            number = 1e-6 * since * fps if fps else np.interp(since, *np.array(known[-500:]).T)
            parts = round(_PARTS * (number % _PERIOD))
            return written(picture, parts, _SHOWN_BITS, _SHOWN_BLOCK)

    if not both:
        rooms.fallback_at_hand = lambda: None
    gateway.FaceEnd = Reading  # type: ignore[misc]
    gateway.Screen = Writing  # type: ignore[misc]
    main(["serve"])
    Path(notes).write_text(json.dumps(took))


def film(clip: Path, path: Path, fps: int) -> None:
    """What the fake camera shows, over and over."""
    from av import VideoFrame

    from enroll.capture import open_video

    video = open_video(clip)
    there = [frame.image for frame in islice(video, _FRAMES)]
    # No more lines than the page asks for: scaled by the browser, the blocks would be, too.
    share = min(1.0, _LINES_ASKED / there[0].shape[0])
    height, width = (int(share * side) // 2 * 2 for side in there[0].shape[:2])
    there = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in there]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420mpeg2\n".encode())
        for number, image in enumerate(there + there[-2:0:-1]):
            coded = written(image, number, _BITS, _BLOCK)
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(coded), format="rgb24")
            file.write(b"FRAME\n" + frame.reformat(format="yuv420p").to_ndarray().tobytes())


def in_browsers(asked: argparse.Namespace) -> None:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("no chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.json"
        fps = asked.fps if asked.browser == "looks" else None
        served_by = _PROGRAM.format(str(notes), asked.both, fps)
        with (
            served(f"{folder}/data", served_by, pages=1) as (base, _),
            sync_playwright() as playwright,
        ):
            _watched(base, Path(folder), playwright.chromium, program, asked)
        for name, values in json.loads(notes.read_text()).items():
            late = values[len(values) // 2 :]  # what warms up comes first
            if late:
                print(f"{name:12} {np.median(late):7.1f} {np.percentile(late, 95):7.1f}")


def _watched(
    base: str, folder: Path, chromium: Any, program: str, asked: argparse.Namespace
) -> None:
    camera = folder / "camera.y4m"
    film(asked.clip, camera, round(asked.fps))
    room, token = _people(base, asked)
    browser = chromium.launch(
        executable_path=program,
        args=[
            "--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream", f"--use-file-for-fake-video-capture={camera}",
        ],
    )  # fmt: skip
    with _filmed(browser, base, room, token, asked) as films:
        _measured(films, _joined(browser, base, room, "looks", asked.size), asked)
    browser.close()


@contextmanager
def _filmed(
    browser: Any, base: str, room: str, token: str, asked: argparse.Namespace
) -> Iterator[Any]:
    """Who films: a page, or a process.  Gives what is called after it was watched for a while, and
    gives then which frames were filmed when [[number, milliseconds since 1970], ...]."""
    if asked.browser == "looks":
        begun, epoch = 1000 * clock.time(), clock.monotonic()
        member = Member(
            base, room, token, asked.avatar, asked.clip, asked.fps, asked.size,
            asked.seconds + 180, epoch, films=True, sees=False,
        )  # fmt: skip
        process = multiprocessing.get_context("spawn").Process(target=film_in, args=(member,))
        process.start()

        def numbers() -> Any:
            count = np.arange(round((clock.monotonic() - epoch) * asked.fps))
            return np.stack([count % _PERIOD, begun + 1000 * count / asked.fps], axis=1)

        yield numbers
        process.terminate()
        process.join()
    else:
        page = _joined(browser, base, room, "films", asked.size)
        page.evaluate(_WATCH, ["fw-self", _BITS, _BLOCK, "captureTime"])
        yield lambda: np.array(page.evaluate("window.fwSeen"))


def _measured(films: Callable[[], Any], page: Any, asked: argparse.Namespace) -> None:
    says = page.locator("#fw-call-figures")
    says.get_by_text("Receiving the avatar").wait_for(timeout=120_000)
    clock.sleep(_WARM)
    page.evaluate(_WATCH, ["fw-other", _SHOWN_BITS, _SHOWN_BLOCK, "expectedDisplayTime"])
    busy, before = Busy(), page.evaluate(_COUNTS)
    page.wait_for_timeout(1000 * asked.seconds)
    used, stolen = busy.cores()
    filmed, seen = films(), np.array(page.evaluate("window.fwSeen"))
    counts, told = _since(before, page.evaluate(_COUNTS)), says.text_content()
    buffered = 1000 * counts["buffered"] / max(1, counts["emitted"])
    print(
        f"{counts['decoded'] / asked.seconds:.1f} frames a second shown; {buffered:.0f} ms in the "
        f"browser's buffer\n{told}"
    )
    print(f"cores busy: {used:.2f}, stolen {stolen:.2f}; {machine()}")
    _tell(filmed, seen, asked.seconds)


def _since(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    return {name: (value or 0) - (before.get(name) or 0) for name, value in after.items()}


def _people(base: str, asked: argparse.Namespace) -> tuple[str, str]:
    """Two accounts, the first with the avatar, which the second may see -> a room, and the first
    one's token."""
    import httpx

    from avatar.archive import avatar_bytes, read_avatar

    with httpx.Client(base_url=base, timeout=60) as client:
        headers = []
        for name in ("films", "looks"):
            who = {"name": name, "password": _PASSWORD}
            client.post("/v1/accounts", json=who).raise_for_status()
            token = client.post("/v1/sessions", json=who).json()["token"]
            headers.append({"Authorization": f"Bearer {token}"})
        archive = asked.avatar.read_bytes()
        if asked.browser != "looks":
            # Without its signer's name: that one's key is with who enrolled it, not on this server.
            archive = avatar_bytes(replace(read_avatar(asked.avatar), signer=""))
        sent = client.post("/v1/avatars", content=archive, headers=headers[0])
        sent.raise_for_status()
        wish = {"holder": "looks", "days": 1}
        path = f"/v1/avatars/{sent.json()['id']}/grants"
        client.post(path, json=wish, headers=headers[0]).raise_for_status()
        room = client.post("/v1/rooms", headers=headers[0]).json()["id"]
        return room, headers[0]["Authorization"].split()[1]


def _joined(browser: Any, base: str, room: str, name: str, size: int) -> Any:
    page = browser.new_context(permissions=["camera", "microphone"]).new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(_LINES)
    page.goto(f"{base}/call?room={room}")
    page.wait_for_selector("#fw-register")
    page.fill("#fw-user :is(input, textarea)", name)
    page.fill("#fw-password input", _PASSWORD)
    page.click("#fw-sign-in")
    page.get_by_text(f"You are {name}.").wait_for()
    page.evaluate(f"facewire.join('', {size}, 'contain', 'learned')")
    page.get_by_text("In the call").wait_for()
    return page


def _tell(filmed: Any, seen: Any, seconds: float) -> None:
    if len(filmed) < 2 or len(seen) < 2:
        raise SystemExit(f"too little was read: {len(filmed)} filmed, {len(seen)} shown")
    steps = np.diff(filmed[:, 0]) % _PERIOD
    numbers = filmed[0, 0] + np.concatenate([[0], np.cumsum(steps)])
    latency = []
    for shown, at in zip(seen[:, 0] / _PARTS, seen[:, 1]):
        now = np.interp(at, filmed[:, 1], numbers)  # the number that is being filmed
        back = (now - shown + _PERIOD / 2) % _PERIOD - _PERIOD / 2
        captured = np.interp(now - back, numbers, filmed[:, 1])
        if numbers[0] < now - back < numbers[-1]:
            latency.append(at - captured)
    p50, p95 = np.percentile(latency, [50, 95])
    print(f"{'ms':12} {'p50':>7} {'p95':>7}\n{'latency':12} {p50:7.1f} {p95:7.1f}")
    print(f"{len(seen)} pictures read, {len(seen) / seconds:.1f} a second")
