"""Bytes that were counted by hand."""

from __future__ import annotations

import math

import pytest

from avatar.errors import InputError
from bench.accounting import CARRIAGES, Account, Carriage


def test_every_part_counts() -> None:
    account = Account({"header": 90, "states": 2000, "checksums": 410}, packets=250, seconds=10)
    assert account.payload == 2500
    assert account.kbps == pytest.approx(2.0)


def test_the_wire_costs_more_than_the_call_at_25_packets_a_second() -> None:
    account = Account({"states": 2500}, packets=250, seconds=10)
    # 20 IPv4 + 8 UDP + 12 RTP + 10 tag = 50 bytes a packet: 10 kbit/s at 25 a second
    assert account.wire_kbps(CARRIAGES["srtp"]) == pytest.approx(2.0 + 10.0)
    assert account.wire_kbps(CARRIAGES["srtp6"]) == pytest.approx(2.0 + 14.0)
    # 20 + 8 + 37 DTLS + 28 SCTP = 93, and at most 3 of padding
    assert account.wire_kbps(CARRIAGES["data"]) == pytest.approx(2.0 + 96 * 0.2)


def test_padding_is_bounded_from_above() -> None:
    carriage = Carriage("padded", fixed=10, grain=4)
    for size in range(1, 9):
        padded = -(-size // 4) * 4 + 10
        assert padded <= carriage.on_wire(size, 1) <= padded + 3


def test_the_archive_is_spread_over_the_call() -> None:
    account = Account({"states": 2500}, packets=250, seconds=10, archive=3_000_000)
    assert account.amortised_kbps(3600) == pytest.approx(2.0 + 24000 / 3600)
    with pytest.raises(InputError, match="no rate"):
        account.amortised_kbps(0)


def test_break_even_is_where_the_sums_meet() -> None:
    ours = Account({"states": 2500}, packets=250, seconds=10, archive=3_000_000)
    rival = Account({"frames": 10_000}, packets=250, seconds=10)
    seconds = ours.break_even(rival)
    assert seconds == pytest.approx(24000 / 6)
    assert ours.amortised_kbps(seconds) == pytest.approx(rival.kbps)


def test_break_even_at_its_edges() -> None:
    cheap = Account({"x": 100}, packets=1, seconds=1)
    dear = Account({"x": 200}, packets=1, seconds=1)
    heavy = Account({"x": 200}, packets=1, seconds=1, archive=10)
    assert cheap.break_even(dear) == 0.0
    assert cheap.break_even(heavy) == 0.0
    assert dear.break_even(cheap) == math.inf
    assert heavy.break_even(dear) == math.inf


@pytest.mark.parametrize(
    "parts, packets, seconds", [({}, 1, 1.0), ({"x": -1}, 1, 1.0), ({"x": 1}, 0, 1.0),
                                ({"x": 1}, 1, 0.0), ({"x": 1}, 1, math.nan)],
)  # fmt: skip
def test_what_is_no_account_is_refused(parts, packets, seconds) -> None:
    with pytest.raises(InputError, match="no account"):
        Account(parts, packets, seconds)
