"""Two people in two browser windows: permission, a room, a call, and what is shown of it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

pytest.importorskip("aiortc")

# Of the picture of the other, if it is that wide: the badge's corner is orange, and a row is no
# flat grey.
_SHOWS_AN_AVATAR = """(side) => {
    const video = document.getElementById("fw-other");
    if (video.videoWidth !== side || video.videoHeight !== side) return false;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const pen = canvas.getContext("2d");
    pen.drawImage(video, 0, 0);
    const [red, , blue] = pen.getImageData(2, canvas.height - 3, 1, 1).data;
    const middle = pen.getImageData(0, canvas.height >> 1, canvas.width, 1).data;
    const levels = middle.filter((_, i) => i % 4 === 0);
    return red - blue > 60 && Math.max(...levels) - Math.min(...levels) > 60;
}"""


@pytest.fixture
def people(server, fitted):
    """Two users, each with an avatar."""
    from avatar.archive import avatar_bytes

    for name in ("caller", "called"):
        data = avatar_bytes(replace(fitted, name=name))
        assert server.call("POST", "/v1/avatars", server.user(name), content=data).is_success
    return "caller", "called"


# What Chromium's made-up microphone beeps at the one end is heard at the other.
_HEARS = """async () => {
    const heard = window.heard ??= (() => {
        const stream = document.getElementById("fw-other").srcObject;
        if (!stream?.getAudioTracks().length) return null;
        const context = new AudioContext(), look = context.createAnalyser();
        context.resume();
        context.createMediaStreamSource(stream).connect(look);
        return { look, levels: new Float32Array(look.fftSize) };
    })();
    if (!heard) return false;
    heard.look.getFloatTimeDomainData(heard.levels);
    return Math.max(...heard.levels.map(Math.abs)) > 0.02;
}"""


def of_a_call(told):
    """Whether a call on one machine can have such numbers once its avatar has come."""
    found = re.search(
        r"([\d.]+) kbit/s in, ([\d.]+) kbit/s out, (\d+) ms held back, (\d+) ms there and back, "
        r"([\d.]+) % lost",
        told,
    )
    if found is None:
        return False
    came, sent, held, trip, lost = map(float, found.groups())
    faces_not_video = 0.1 < came < 60 and 0.1 < sent < 60
    return faces_not_video and held < 2000 and 0 < trip < 5000 and lost < 50


def members(server, room, people):
    token = server.token(people[0])
    return server.call("GET", f"/v1/rooms/{room}", token).json()["members"]


def test_two_people_call_each_other(visit, steps, shot, server, people):
    caller, called = people
    one = visit("/yours")
    steps.sign_in(one, caller, "sign-in")
    one.fill("#fw-avatars [name=holder]", called)
    one.get_by_role("button", name="Let them see it").click()
    steps.says(one, "fw-avatars", "until")
    shot(one, "yours")

    one.goto(one.url.replace("/yours", "/call"))
    steps.says(one, "fw-account", f"You are {caller}.")
    one.click("#fw-make")
    steps.says(one, "fw-call-link", "/call?room=")
    steps.number(one, "Pixels a side", 128)
    one.dblclick("#fw-join")  # as many do: they are in the room once
    steps.says(one, "fw-call-status", "In the call")
    steps.says(one, "fw-call-figures", "Nobody else is here yet")
    id = one.text_content("#fw-call-link").partition("room=")[2]
    assert members(server, id, people) == [caller]

    room = one.text_content("#fw-call-link").partition("/call")[2]
    two = visit(f"/call{room}", phone=True)
    steps.says(two, "fw-call-status", "You are invited")
    steps.sign_in(two, called, "sign-in")
    steps.number(two, "Pixels a side", 144)
    steps.choose(two, "Fit", "extend")
    steps.choose(two, "Background", "blur")
    with two.expect_request(lambda asked: asked.url.endswith("/members")) as joining:
        two.click("#fw-join")
    wish = joining.value.post_data_json
    assert (wish["width"], wish["height"]) == (144, 144)
    assert (wish["fit"], wish["background"]) == ("extend", "blur")
    steps.says(two, "fw-call-figures", f"With {caller}. Receiving the avatar")
    two.wait_for_function(_SHOWS_AN_AVATAR, arg=144)
    two.wait_for_function(_HEARS)
    # Its avatar's coming may fill the last second, which is what the page says figures of.
    steps.comes_to(two, "fw-call-figures", of_a_call)
    steps.says(one, "fw-call-figures", "no permission to receive this avatar")
    shot(one, "call")
    shot(two, "call-phone")
    steps.fits(two)

    # Permission that is given during the call is enough, and so is that it is taken back.
    token = server.token(called)
    mine = next(a["id"] for a in server.call("GET", "/v1/avatars", token).json()
                if a["owner"] == called)  # fmt: skip
    wish = {"holder": caller, "days": 1}
    given = server.call("POST", f"/v1/avatars/{mine}/grants", token, json=wish).json()["id"]
    one.wait_for_function(_SHOWS_AN_AVATAR, arg=128)
    assert server.call("DELETE", f"/v1/grants/{given}", token).status_code == 204
    steps.says(one, "fw-call-figures", "no permission to receive this avatar")

    two.click("#fw-leave")
    steps.says(two, "fw-call-status", "Not in a call")
    steps.says(one, "fw-call-figures", "Nobody else is here yet")
    assert members(server, id, people) == [caller]


def test_permission_is_taken_back_and_an_account_ends(visit, steps, shot, server, fitted):
    from avatar.archive import avatar_bytes

    token = server.user("owner")
    server.user("guest")
    assert server.call("POST", "/v1/avatars", token, content=avatar_bytes(fitted)).is_success
    page = visit("/yours", phone=True)
    steps.sign_in(page, "owner", "sign-in")
    page.fill("#fw-avatars [name=holder]", "nobody at all")
    page.get_by_role("button", name="Let them see it").click()
    steps.says(page, "fw-yours-status", "no user of that name")
    page.fill("#fw-avatars [name=holder]", "guest")
    page.get_by_role("button", name="Let them see it").click()
    steps.says(page, "fw-avatars", "until")
    shot(page, "yours-phone")
    steps.fits(page)
    page.get_by_role("button", name="Take back").click()
    steps.says(page, "fw-avatars", "Nobody but you may see it")
    steps.says(page, "fw-audit", "owner took a permission back")
    other = server.token("owner")
    page.click("#fw-sign-out-others")
    steps.says(page, "fw-yours-status", "You are signed in here alone")
    gone = {server.call("GET", "/v1/account", each).status_code for each in (token, other)}
    assert gone == {401}
    token = server.token("owner")
    page.get_by_text("Erase everything").click()
    page.fill("#fw-erase-password input", "wrong password")
    page.click("#fw-erase")
    page.wait_for_selector("#fw-yours-status.fw-wrong")
    page.wait_for_function("document.querySelector('#fw-erase-password input').value === ''")
    assert server.call("GET", "/v1/account", token).status_code == 200
    page.fill("#fw-erase-password input", "correct horse battery")
    page.click("#fw-erase")
    steps.says(page, "fw-account", "Your account is erased")
    assert server.call("GET", "/v1/account", token).status_code == 401


def test_a_lost_line_is_joined_again(visit, steps, server):
    token = server.user("returning")
    page = visit("/call")
    steps.sign_in(page, "returning", "sign-in")
    page.click("#fw-make")
    steps.says(page, "fw-call-link", "/call?room=")
    room = page.text_content("#fw-call-link").partition("room=")[2]

    def joins(answer):
        return answer.request.method == "POST" and answer.url.endswith(f"{room}/members")

    with page.expect_response(joins) as joined:
        page.click("#fw-join")
    steps.says(page, "fw-call-status", "You have no avatar yet")
    steps.says(page, "fw-call-figures", "Nobody else is here yet")
    first = joined.value.json()["member"]
    with page.expect_response(joins) as again:  # the server hangs up; the page does not
        gone = server.call("DELETE", f"/v1/rooms/{room}/members/{first}", token)
        assert gone.status_code == 204
        steps.says(page, "fw-call-status", "joining again")
    assert again.value.json()["member"] != first
    steps.says(page, "fw-call-status", "In the call")
    assert server.call("GET", f"/v1/rooms/{room}", token).json()["members"] == ["returning"]
    page.click("#fw-leave")
    steps.says(page, "fw-call-status", "Not in a call")
    assert server.call("GET", f"/v1/rooms/{room}", token).json()["members"] == []


# Has the server's word come, in place of the server, and looks whether the camera's coder follows.
_FOLLOWS = """(most) => {
    const { connection, channel } = window.fwLine, told = { others: [], loss: 0 };
    channel.onmessage({ data: JSON.stringify({ ...told, frames_wanted: most }) });
    return connection.getSenders().some((sender) => sender.track?.kind === "video"
        && sender.getParameters().encodings[0]?.maxFramerate === most);
}"""
_NOTES_LINE = """window.RTCPeerConnection = class extends RTCPeerConnection {
    createDataChannel(...given) {
        const channel = super.createDataChannel(...given);
        window.fwLine = { connection: this, channel };
        return channel;
    }
};"""


def alone_in_a_call(name, visit, steps, server):
    """A page in a room of its own, whose line is at hand."""
    server.user(name)
    page = visit("/call")
    page.add_init_script(_NOTES_LINE)
    page.reload()
    steps.sign_in(page, name, "sign-in")
    page.click("#fw-make")
    steps.says(page, "fw-call-link", "/call?room=")
    page.click("#fw-join")
    return page


def test_a_camera_sends_no_more_frames_than_are_looked_at(visit, steps, server):
    page = alone_in_a_call("crowded", visit, steps, server)
    steps.says(page, "fw-call-figures", "Nobody else is here yet")
    page.wait_for_function(_FOLLOWS, arg=5)  # fewer than a server asks for, which is heard as well
    page.wait_for_function(_FOLLOWS, arg=60)
    page.click("#fw-leave")
    steps.says(page, "fw-call-status", "Not in a call")


def test_what_a_caller_should_know_is_not_written_over(visit, steps, server):
    page = alone_in_a_call("unknown", visit, steps, server)
    steps.says(page, "fw-call-status", "In the call. You have no avatar yet")
    told = """(owner) => window.fwLine.channel.onmessage(
        { data: JSON.stringify({ others: [], loss: 0, owner }) })"""
    page.evaluate(told, False)
    steps.says(page, "fw-call-status", "not the one that was enrolled")
    page.evaluate(told, None)  # nobody was looked at: no news
    steps.says(page, "fw-call-status", "not the one that was enrolled")
    page.evaluate(told, True)
    steps.says(page, "fw-call-status", "In the call. You have no avatar yet")
    page.click("#fw-leave")
    steps.says(page, "fw-call-status", "Not in a call")


def test_a_call_is_made_by_keyboard(visit, steps, server):
    server.user("typing")
    page = visit("/call")
    steps.sign_in(page, "typing", "sign-in")
    steps.tabs_to(page, "fw-make")
    page.keyboard.press("Enter")
    steps.says(page, "fw-call-link", "/call?room=")
    steps.tabs_to(page, "fw-join")
    page.keyboard.press("Enter")
    steps.says(page, "fw-call-figures", "Nobody else is here yet")
    steps.tabs_to(page, "fw-leave")
    page.keyboard.press("Enter")
    steps.says(page, "fw-call-status", "Not in a call")


def test_permission_is_given_and_taken_back_by_keyboard(visit, steps, server, fitted):
    from avatar.archive import avatar_bytes

    token = server.user("granting")
    server.user("granted")
    assert server.call("POST", "/v1/avatars", token, content=avatar_bytes(fitted)).is_success
    page = visit("/yours")
    steps.sign_in(page, "granting", "sign-in")
    page.wait_for_selector("#fw-avatars [name=holder]")
    steps.tabs_to(page, "fw-avatars", "[name=holder]")
    page.keyboard.type("granted")
    page.keyboard.press("Enter")
    steps.says(page, "fw-avatars", "until")
    steps.tabs_to(page, "fw-avatars", "button:text('Take back')")
    page.keyboard.press("Enter")
    steps.says(page, "fw-avatars", "Nobody but you may see it")
