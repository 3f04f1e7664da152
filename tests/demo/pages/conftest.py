"""A real browser before a real server: headless Chromium with a camera that shows a clip."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# The server and its clip are those of the service's tests.
_spec = importlib.util.spec_from_file_location(
    "service_tests", Path(__file__).parents[2] / "service" / "conftest.py"
)
_service = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _service  # dataclasses look their module up
_spec.loader.exec_module(_service)
clip, live, PASSWORD = _service.clip, _service.live, _service.PASSWORD


@pytest.fixture(scope="session")
def camera_film(clip, tmp_path_factory) -> Path:
    """What the camera shows, over and over."""
    import av

    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    with av.open(str(clip)) as source, path.open("wb") as file:
        file.write(b"YUV4MPEG2 W320 H320 F25:1 Ip A1:1 C420mpeg2\n")
        for frame in source.decode(video=0):
            pixels = frame.reformat(320, 320, "yuv420p").to_ndarray()
            file.write(b"FRAME\n" + pixels.tobytes())
    return path


@pytest.fixture(scope="session")
def wanted() -> None:
    """They take minutes, and time out on a machine that is busy otherwise."""
    if os.environ.get("FACEWIRE_BROWSER") != "1":
        pytest.skip("set FACEWIRE_BROWSER=1 to run the tests of the pages in a real browser")


@pytest.fixture(scope="session")
def chromium(wanted, camera_film):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium here: install Debian's chromium to run the tests of the pages")
    api = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("gradio")
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_film}",
    ]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium) -> Callable:
    """visit(server, path, phone=False) -> a page; its script errors fail the test."""
    contexts, errors = [], []

    def open_page(server, path="/", phone=False):
        shape = (
            {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
            if phone
            else {"viewport": {"width": 1280, "height": 900}}
        )
        context = chromium.new_context(permissions=["camera", "microphone"], **shape)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(180_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.base + path)
        page.wait_for_selector("#fw-register")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def shot(request):
    """Keeps a picture of a page in the folder FACEWIRE_SCREENSHOTS, for people to look at."""
    folder = os.environ.get("FACEWIRE_SCREENSHOTS")

    def keep(page, name):
        if folder:
            page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)

    return keep


def sign_in(page, name):
    page.fill("#fw-user :is(input, textarea)", name)
    page.fill("#fw-password input", PASSWORD)
    page.click("#fw-register")
    says(page, "fw-account", f"You are {name}.")


def says(page, id, text):
    """Waits until the page says it; a failure shows what it says instead."""
    from playwright.sync_api import expect

    expect(page.locator(f"#{id}")).to_contain_text(text, timeout=180_000)


@pytest.fixture
def steps():
    """What tests do on a page."""
    from types import SimpleNamespace

    return SimpleNamespace(sign_in=sign_in, says=says)
