"""Settings from the environment, and the parts of the API that need no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from avatar.errors import InputError
from demo.cli.parser import make_parser
from service.api.ranges import Unsatisfiable, is_among, wanted_range
from service.api.rate import RateLimiter, address_of
from service.api.settings import ServiceSettings, described, settings_from


def test_settings_come_from_the_environment():
    assert settings_from({}) == ServiceSettings()
    given = {"FACEWIRE_DATA": "/srv/x", "FACEWIRE_PORT": "80", "FACEWIRE_REGISTRATION": "0"}
    settings = settings_from({**given, "PATH": "/bin"})
    assert (settings.data, settings.port, settings.registration) == (Path("/srv/x"), 80, False)


@pytest.mark.parametrize(
    ("name", "text"),
    [("PORT", "http"), ("PORT", "0"), ("PORT", "-1"), ("RATE", "nan"), ("RATE", "inf"),
     ("REGISTRATION", "maybe"), ("AVATAR_MIB", "1.5"), ("UPLOADS", "")],
)  # fmt: skip
def test_a_bad_setting_is_named(name, text):
    with pytest.raises(InputError, match=f"FACEWIRE_{name} "):
        settings_from({f"FACEWIRE_{name}": text})


def test_secrets_do_not_show():
    settings = settings_from(
        {"FACEWIRE_MASTER_KEY": "s3cret", "FACEWIRE_DATABASE": "p://u:s3cret@h"}
    )
    assert "s3cret" not in repr(settings)


def test_help_lists_every_setting(capsys, monkeypatch):
    monkeypatch.setenv("FACEWIRE_MASTER_KEY", "s3cret")
    with pytest.raises(SystemExit):
        make_parser().parse_args(["serve", "--help"])
    text = capsys.readouterr().out
    assert all(name in text and about in text for name, _, about in described())
    assert "s3cret" not in text and len(described()) > 15


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("", None), ("bytes=-", None), ("bytes=0-0", (0, 1)), ("bytes=2-", (2, 10)),
     ("bytes=-3", (7, 10)), ("bytes=-99", (0, 10)), ("bytes=0-99", (0, 10)), ("lines=0-1", None),
     ("bytes=3-2", None), ("bytes=a-b", None), ("bytes=0-1,3-4", None), ("bytes=" + "9" * 40, None),
     ],
)  # fmt: skip
def test_ranges(header, expected):
    assert wanted_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_ranges_behind_the_end(header):
    with pytest.raises(Unsatisfiable):
        wanted_range(header, 10)


def test_entity_tags():
    assert is_among('"a"', 'W/"a", "b"') and is_among('"a"', "*")
    assert not is_among('"a"', '"ab"') and not is_among('"a"', None)


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("testclient", "testclient"),
     ("2001:db8:1:2::1", "2001:0db8:0001:0002"), ("2001:db8:1:2:ffff::9", "2001:0db8:0001:0002"),
     ("2001:db8:1:3::1", "2001:0db8:0001:0003"), (None, "")],
)  # fmt: skip
def test_who_has_one_address_of_a_network_has_all(host, address):
    assert address_of({"client": host and (host, 5)}) == address


def test_the_rate_is_kept_for_each_key():
    limiter = RateLimiter(60.0, 3.0)
    assert [limiter.wait("a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]
    assert limiter.wait("b", 0.0) == 0.0
    assert limiter.wait("a", 0.5) == pytest.approx(0.5)
    assert limiter.wait("a", 1.0) == 0.0
    assert limiter.wait("a", -100.0) > 0.0  # a clock that goes back gives nothing away
    assert [limiter.wait("a", 1000.0) for _ in range(4)][:3] == [0.0] * 3
