"""An avatar that can be rendered, of the made-up person."""

from __future__ import annotations

from unittest import mock

import pytest


@pytest.fixture(scope="session")
def fitted(clip, tmp_path_factory):
    """Fitted for a few steps.  What its numbers are worth is measured at one state, not twelve:
    that is most of the work."""
    for package in ("torch", "mediapipe", "skimage"):
        pytest.importorskip(package)
    from avatar.avatar import Consent
    from service.enrolment import EnrolmentSettings, enrol

    settings = EnrolmentSettings(size=64, budget=None, steps=12)
    consent = Consent("self", "tests", "2026-01-01T00:00:00+00:00", "flag", "1")
    target = tmp_path_factory.mktemp("fitted") / "ada.avatar"
    with mock.patch("enroll.finish._LOOKS", 1):
        return enrol([clip], "Ada", consent, target, settings).avatar
