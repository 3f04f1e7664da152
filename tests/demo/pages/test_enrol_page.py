"""Enrolling on the page: by a file, by the camera, on a phone, by keyboard."""

from __future__ import annotations


def wish(page, steps, name="Ada", agree=True):
    page.fill("#fw-name :is(input, textarea)", name)
    if agree:
        page.check("#fw-agreed input")
    page.get_by_text("How long and how fine").click()
    page.get_by_label("number input for Seconds of fitting").fill("5")
    steps.choose(page, "Pixels a side to learn from", "64")


def test_a_file_goes_up_is_followed_and_can_be_cancelled(visit, steps, shot, clip):
    page = visit()
    shot(page, "enrol-first")
    page.get_by_role("tab", name="Use a video file").click()
    page.click("#fw-upload")
    steps.says(page, "fw-status", "Sign in first")
    steps.sign_in(page, "filer")
    wish(page, steps, agree=False)
    page.set_input_files("#fw-file", str(clip))
    page.click("#fw-upload")
    steps.says(page, "fw-status", "agree to it")
    page.check("#fw-agreed input")
    page.click("#fw-upload")
    steps.says(page, "fw-status", "Following the face")
    shot(page, "enrol-running")
    page.click("#fw-cancel")
    steps.says(page, "fw-status", "Cancelled")


def test_what_was_filmed_outlives_the_guide_and_a_line_that_breaks(visit, steps, shot):
    page = visit()
    steps.sign_in(page, "unlucky")
    wish(page, steps)
    sockets, lost = [], []
    page.route_web_socket(
        "**/v1/capture", lambda one: (sockets.append(one), one.connect_to_server())
    )

    def lose(route):
        lost.append(route)
        route.abort()

    page.route("**/v1/enrolments/*/video", lose)
    page.click("#fw-film")
    page.wait_for_function("facewire.filmed() > 1")
    sockets[0].close(code=1011, reason="The tracker has gone.")
    steps.says(page, "fw-advice", "The tracker has gone. Use what was filmed")
    shot(page, "film-unguided")
    page.wait_for_function("facewire.filmed() > 3")
    page.click("#fw-enough")
    steps.says(page, "fw-status", "What was filmed is still here")
    shot(page, "film-unsent")
    page.unroute("**/v1/enrolments/*/video")
    page.click("#fw-send-again")
    steps.says(page, "fw-status", "Following the face")
    assert len(lost) == 1
    page.click("#fw-cancel")
    steps.says(page, "fw-status", "Cancelled")


def newer_of_another(server, name):
    """Somebody else's avatar, newer than the user's own, that the user may see."""
    token = server.token(name)
    (own,) = server.call("GET", "/v1/avatars", token).json()
    data = server.call("GET", f"/v1/avatars/{own['id']}/archive", token).content
    other = server.user(f"friend-of-{name}")
    id = server.call("POST", "/v1/avatars", other, content=data).json()["id"]
    grant = {"holder": name, "days": 1}
    assert server.call("POST", f"/v1/avatars/{id}/grants", other, json=grant).is_success
    assert [one["id"] for one in server.call("GET", "/v1/avatars", token).json()][0] == id


def test_the_camera_is_tracked_prompted_enrolled_from_and_mirrored(visit, steps, shot, server):
    page = visit(phone=True)
    steps.sign_in(page, "filmed")
    wish(page, steps)
    page.dblclick("#fw-film")
    page.wait_for_function("document.getElementById('fw-sure').value > 0.3")
    assert len(server.call("GET", "/v1/enrolments", server.token("filmed")).json()) == 1
    # The made-up person is well lit, and fills about half of the picture.
    light, distance = (
        page.evaluate(f"document.getElementById('{id}').value")
        for id in ("fw-light", "fw-distance")
    )
    assert 0.24 < light < 0.88 and 0.22 < distance < 0.75, (light, distance)
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
    page.wait_for_function("facewire.filmed() > 3")
    page.click("#fw-enough")
    page.wait_for_selector("#fw-preview:not([hidden])")
    page.wait_for_function("document.querySelector('#fw-preview img').naturalWidth === 128")
    steps.says(page, "fw-status", "Your avatar is ready")
    steps.says(page, "fw-report", "PSNR on frames kept from learning")
    steps.says(page, "fw-report", "not shown: the script was not followed")
    assert page.locator("#fw-map .fw-looked").count() == 15
    shot(page, "done-phone")
    steps.fits(page)

    newer_of_another(server, "filmed")
    sockets = []
    page.on("websocket", lambda one: sockets.append(one))
    steps.number(page, "Pixels a side of the picture", 100)  # any of them
    page.dblclick("#fw-mirror")
    page.wait_for_function("document.getElementById('fw-mirror-picture').naturalWidth === 100")
    assert len([one for one in sockets if one.url.endswith("/v1/mirror")]) == 1
    page.wait_for_function(
        "parseFloat(document.getElementById('fw-mirror-status').textContent) > 0"
    )
    shot(page, "mirror-phone")
    steps.fits(page)
    page.click("#fw-mirror-stop")
    page.click("#fw-delete")
    steps.says(page, "fw-status", "Deleted")


def test_everything_is_reached_and_used_by_keyboard(visit, steps):
    page = visit()
    page.focus("#fw-user :is(input, textarea)")
    page.keyboard.type("typist")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    steps.says(page, "fw-account", "You are typist.")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.id || document.activeElement.closest('[id^=fw-]')?.id)"
            )
        )
    assert {"fw-agreed", "fw-name", "fw-film", "fw-enough", "fw-cancel", "fw-mirror"} <= reached
