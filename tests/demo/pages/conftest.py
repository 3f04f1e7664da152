"""A real browser before a real server: headless Chromium with a camera that shows a clip.

Nothing here waits for a fixed time: each step waits until the page says that it is done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.demo.pages.measured import make_lab
from tests.service.live import NEEDS, PASSWORD, LiveServer, settings

PATIENCE = 120_000  # ms that a step may take on a machine which has other work
_DESK = {"viewport": {"width": 1280, "height": 900}}
_PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


# Of a module, not of the session: while Playwright is there, nothing else can run an event loop.
@pytest.fixture(scope="module")
def chromium(tmp_path_factory, request):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium here: install Debian's chromium to run the tests of the pages")
    api = pytest.importorskip("playwright.sync_api")
    for package in ("gradio", "matplotlib", *NEEDS):
        pytest.importorskip(package)
    film = tmp_path_factory.mktemp("camera") / "camera.y4m"
    _film(request.getfixturevalue("clip"), film)
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


def _film(clip, path):
    """What the camera shows, over and over."""
    import av

    with av.open(str(clip)) as source, path.open("wb") as file:
        file.write(b"YUV4MPEG2 W320 H320 F25:1 Ip A1:1 C420mpeg2\n")
        for frame in source.decode(video=0):
            pixels = frame.reformat(320, 320, "yuv420p").to_ndarray()
            file.write(b"FRAME\n" + pixels.tobytes())


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    """One for all, with a worker; each test has users of its own."""
    folder = tmp_path_factory.mktemp("pages")
    lab = make_lab(folder / "lab")
    made = LiveServer(folder / "data", settings(pages=1, workers=0, lab=lab))
    with made.log.open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("quick_worker.py"))],
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[3]),
                "FACEWIRE_DATA": str(made.data),
            },
            stdin=subprocess.PIPE,  # its end ends the worker
            stdout=log,
            stderr=log,
        )
    yield made
    worker.kill()
    worker.communicate()
    made.stop()


@pytest.fixture
def visit(chromium, server) -> Callable:
    """visit(path, phone=False) -> a page.  Errors of its scripts, and what it asks of anybody but
    our server, fail the test."""
    contexts, errors = [], []

    def asked(request):
        if not request.url.startswith((server.base, "data:", "blob:")):
            errors.append(f"asked for {request.url}")

    def open_page(path="/", phone=False):
        context = chromium.new_context(
            permissions=["camera", "microphone"], **(_PHONE if phone else _DESK)
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", asked)
        page.goto(server.base + path)
        page.wait_for_selector("#fw-register")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def shot():
    """Keeps a picture of a page in the folder FACEWIRE_SCREENSHOTS, for people to look at."""
    folder = os.environ.get("FACEWIRE_SCREENSHOTS")

    def keep(page, name):
        if folder:
            page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)

    return keep


class Steps:
    """What tests do on a page."""

    @staticmethod
    def says(page, id, text):
        """Waits until the page says it; a failure shows what it says instead."""
        from playwright.sync_api import expect

        expect(page.locator(f"#{id}")).to_contain_text(text, timeout=PATIENCE)

    @staticmethod
    def comes_to(page, id, sound):
        """Waits until what the page says there is sound; a failure shows what it says instead."""
        end = time.monotonic() + PATIENCE / 1000
        while not sound(told := page.text_content(f"#{id}")):
            assert time.monotonic() < end, told
            page.wait_for_timeout(200)

    def sign_in(self, page, name, button="register"):
        page.fill("#fw-user :is(input, textarea)", name)
        page.fill("#fw-password input", PASSWORD)
        page.click(f"#fw-{button}")
        self.says(page, "fw-account", f"You are {name}.")

    @staticmethod
    def choose(page, label, option):
        """Of a list that drops down."""
        page.get_by_label(label).click()
        page.get_by_role("option", name=option, exact=True).click()

    @staticmethod
    def number(page, label, value):
        """Of a slider."""
        page.get_by_label(f"number input for {label}").fill(str(value))
        page.keyboard.press("Tab")

    @staticmethod
    def tabs_to(page, id, inside=None):
        """Presses Tab until what has the focus is in #id, and is what `inside` selects there."""
        wanted = page.locator(f"#{id} {inside}" if inside else f"#{id}").first
        # A Gradio button is a wrapper about what takes the focus; only ours have such ids.
        here = """e => e === document.activeElement
            || (e.id.startsWith("fw-") && e.contains(document.activeElement))"""
        for _ in range(60):
            page.keyboard.press("Tab")
            if wanted.evaluate(here):
                return
        raise AssertionError(f"no number of tabs leads to #{id} {inside or ''}")

    @staticmethod
    def fits(page):
        """Nothing of the page lies beside a phone's screen."""
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.fixture
def steps():
    return Steps()
