"""The lab's results on the compare page."""

from __future__ import annotations


def test_a_researcher_compares_codecs(visit, steps, shot, server):
    assert server.call("GET", "/v1/lab").status_code == 401
    token = server.user("researcher")
    wrong = {"clip": "a", "codec": ["none"], "metric": "PSNR whole"}
    answer = server.call("GET", "/v1/lab/curves", token, params=wrong)
    assert answer.status_code == 422 and "Choose another" in answer.json()["detail"]

    page = visit("/compare", phone=True)
    steps.says(page, "fw-compare-status", "Sign in")
    steps.sign_in(page, "researcher", "sign-in")
    page.select_option("#fw-compare [name=clip]", "a")
    page.select_option("#fw-compare [name=metric]", "PSNR whole")
    assert page.locator("#fw-codecs input").count() == 2
    page.click("#fw-compare button")
    page.wait_for_function("document.querySelector('#fw-curves img').naturalWidth > 300")
    page.wait_for_function("document.querySelector('#fw-beside video').videoWidth === 3 * 32")
    steps.says(page, "fw-beside", "as filmed | ")
    shot(page, "compare-phone")
    steps.fits(page)
    # By keyboard: the second codec left out, and the figures asked for again.
    page.focus("#fw-compare [name=clip]")
    steps.tabs_to(page, "fw-codecs", "label:nth-child(2) input")
    page.keyboard.press("Space")
    steps.tabs_to(page, "fw-compare", "button")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#fw-beside video').videoWidth === 2 * 32")
    assert page.locator("#fw-codecs input:checked").count() == 1
