"""Enrolling on the page: by a file, by the camera, on a phone, by keyboard."""

from __future__ import annotations


def wish(page, name="Ada", agree=True):
    page.fill("#fw-name :is(input, textarea)", name)
    if agree:
        page.check("#fw-agreed input")
    page.get_by_text("How long and how fine").click()
    page.get_by_label("number input for Seconds of fitting").fill("5")
    page.get_by_label("Pixels a side to learn from").click()
    page.get_by_role("option", name="64", exact=True).click()


def test_a_file_becomes_an_avatar_and_stands_in_the_mirror(visit, live, steps, shot, clip):
    server = live(pages=1)
    page = visit(server)
    shot(page, "enrol-first")
    page.get_by_role("tab", name="Use a video file").click()
    page.click("#fw-upload")
    steps.says(page, "fw-status", "Sign in first")
    steps.sign_in(page, "ada")
    wish(page, agree=False)
    page.set_input_files("#fw-file", str(clip))
    page.click("#fw-upload")
    steps.says(page, "fw-status", "agree to it")
    page.check("#fw-agreed input")
    page.click("#fw-upload")
    page.wait_for_selector("#fw-preview:not([hidden])")
    shot(page, "enrol-running")
    steps.says(page, "fw-status", "Your avatar is ready")
    shot(page, "enrol-done")
    steps.says(page, "fw-report", "PSNR on frames kept from learning")
    steps.says(page, "fw-report", "not asked for, with a file")

    page.get_by_label("Pixels a side of the picture").click()
    page.get_by_role("option", name="128", exact=True).click()
    page.click("#fw-mirror")
    page.wait_for_function("document.getElementById('fw-mirror-picture').naturalWidth === 128")
    page.wait_for_function(
        "parseFloat(document.getElementById('fw-mirror-status').textContent) > 0"
    )
    shot(page, "mirror")
    page.click("#fw-mirror-stop")

    page.click("#fw-delete")
    steps.says(page, "fw-status", "Deleted")


def test_the_camera_is_tracked_prompted_and_enrolled_from(visit, live, steps, shot):
    server = live(pages=1)
    page = visit(server, phone=True)
    steps.sign_in(page, "ada")
    wish(page)
    page.click("#fw-film")
    page.wait_for_function("document.getElementById('fw-sure').value > 0.3")
    drawn = """() => {
        const c = document.getElementById("fw-overlay");
        const all = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return all.some((v) => v > 0);
    }"""
    page.wait_for_function(drawn)
    page.wait_for_function(
        "!['', 'Look into the camera'].includes(document.getElementById('fw-prompt').textContent)"
    )
    shot(page, "film-phone")
    page.wait_for_timeout(3000)  # of film
    page.click("#fw-enough")
    steps.says(page, "fw-status", "Your avatar is ready")
    steps.says(page, "fw-report", "not shown: the script was not followed")
    shot(page, "done-phone")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


def test_everything_is_reached_and_used_by_keyboard(visit, live, steps):
    page = visit(live(pages=1))
    page.focus("#fw-user :is(input, textarea)")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    steps.says(page, "fw-account", "You are ada.")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.id || document.activeElement.closest('[id^=fw-]')?.id)"
            )
        )
    assert {"fw-agreed", "fw-name", "fw-film", "fw-enough", "fw-cancel", "fw-mirror"} <= reached
