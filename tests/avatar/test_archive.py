from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from avatar.archive import (
    MAGIC,
    avatar_bytes,
    first_bytes,
    parse_avatar,
    parse_first,
    read_avatar,
    write_avatar,
)
from avatar.avatar import Avatar, Consent, StateStatistics
from avatar.camera import Pinhole
from avatar.errors import ArchiveError, InputError, StorageError, VersionError
from avatar.face import StateLayout, Window


def an_avatar(elements: int = 1000, **changes: object) -> Avatar:
    rng = np.random.default_rng(7)
    width = StateLayout().width
    avatar = Avatar(
        name="Ada Lovelace",
        created="2026-01-01T00:00:00Z",
        consent=Consent("self", "calls", "2026-01-01T00:00:00Z", "flag", "1"),
        camera=Pinhole(2.5, (0.5, 0.47)),
        window=Window(10.0, 0.0, 720.0, 1280, 720),
        layout=StateLayout(),
        statistics=StateStatistics(
            rng.normal(size=width).astype(np.float32),
            np.full(width, 0.3, np.float32),
            np.full(width, 0.1, np.float32),
            rng.integers(-99, 99, (4, width)).astype(np.int16),
        ),
        settings={"size": 256, "exact_tensors": ["tracker.exact"]},
        report={"psnr": np.float32(29.5)},
        tensors={
            "head.planes": rng.normal(size=(elements,)).astype(np.float64),
            "head.huge": np.full(300, 1e6, np.float32),
            "head.tiny": np.full(300, 1e-6, np.float32),
            "tracker.exact": rng.normal(size=300).astype(np.float32),
            "tracker.identity": rng.normal(size=40).astype(np.float32),
            "head.index": np.arange(6, dtype=np.int16).reshape(2, 3)[:, ::-1],
            "head.scalar": np.float32(3.25).reshape(()),
        },
    )
    return replace(avatar, **changes)


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def with_header(data: bytes, change: dict[str, object]) -> bytes:
    """The archive with some header fields replaced and its checksum made right again."""
    size, payload = struct.unpack_from("<IQ", data, 12)
    header = json.loads(data[24 : 24 + size]) | change
    text = json.dumps(header).encode()
    first = struct.unpack_from("<I", data, 24 + size)[0]
    body = struct.pack("<8sHHIQ", MAGIC, 2, 0, len(text), payload) + text
    at = 24 + size
    return sealed(sealed(body + data[at : at + 4 + first]) + data[at + 36 + first : -32])


def with_first(first: bytes, rest: bytes = b"") -> bytes:
    """An archive of these layers, its checksums right."""
    data = avatar_bytes(an_avatar())
    size = struct.unpack_from("<I", data, 12)[0]
    fixed = struct.pack("<8sHHIQ", MAGIC, 2, 0, size, 36 + len(first) + len(rest))
    return sealed(
        sealed(fixed + data[24 : 24 + size] + struct.pack("<I", len(first)) + first) + rest
    )


def test_round_trip_keeps_everything_and_is_stable(tmp_path: Path) -> None:
    avatar = an_avatar()
    path = tmp_path / "a.avatar"
    written = write_avatar(avatar, path)
    read = read_avatar(path)
    assert read.digest == written.digest == hashlib.sha256(path.read_bytes()[:-32]).hexdigest()
    for name in "name created consent camera window layout settings".split():
        assert getattr(read, name) == getattr(avatar, name)
    assert read.report == {"psnr": 29.5}
    for name in ("mean", "scale", "step", "history"):
        np.testing.assert_array_equal(
            getattr(read.statistics, name), getattr(avatar.statistics, name)
        )
    assert set(read.tensors) == set(avatar.tensors)
    assert read.tensors["head.scalar"].shape == ()
    np.testing.assert_array_equal(read.tensors["head.index"], avatar.tensors["head.index"])
    assert avatar_bytes(read) == path.read_bytes()
    assert os.listdir(tmp_path) == ["a.avatar"]


def test_the_signer_comes_back_and_an_archive_without_one_stays_as_it_was() -> None:
    plain, signed = avatar_bytes(an_avatar()), avatar_bytes(an_avatar(signer="0f" * 32))
    assert parse_avatar(plain).signer == "" and b"signer" not in plain
    assert parse_avatar(signed).signer == "0f" * 32
    assert parse_avatar(signed).digest != parse_avatar(plain).digest


def test_precision_follows_section_4() -> None:
    avatar = an_avatar()
    read = parse_avatar(avatar_bytes(avatar))
    half = avatar.tensors["head.planes"].astype(np.float16)
    np.testing.assert_array_equal(read.tensors["head.planes"], half.astype(np.float32))
    for exact in ("head.huge", "head.tiny", "tracker.exact", "tracker.identity"):
        np.testing.assert_array_equal(read.tensors[exact], avatar.tensors[exact])
    assert all(t.dtype != np.float64 for t in read.tensors.values())


def gridded(side: int) -> Avatar:
    """With a smooth grid, a noisy one and rows."""
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:side, : side + 2] / side
    tensors = {
        "fields.smooth": np.stack([np.sin(4 * x + c) * np.cos(3 * y) for c in range(4)], -1)[None],
        "fields.noisy": rng.normal(size=(1, side, side + 1, 2)),
        "fields.rows": rng.normal(size=(3, side * 50)),
    }
    tensors = {name: value.astype(np.float32) for name, value in tensors.items()}
    return an_avatar(tensors=tensors, settings={"byte_tensors": list(tensors)})


def test_a_prefix_opens_as_the_same_person_drawn_coarser() -> None:
    data = avatar_bytes(gridded(64))
    size = first_bytes(data[:2000])
    assert size is not None and size < 0.75 * len(data)
    whole = parse_avatar(data)
    first = parse_first(data[:size], whole.digest)
    assert first.digest == whole.digest and first.settings == whole.settings
    assert {n: v.shape for n, v in first.tensors.items()} == {
        n: v.shape for n, v in whole.tensors.items()
    }
    off = np.abs(first.tensors["fields.smooth"] - whole.tensors["fields.smooth"]).max()
    assert 0 < off < 0.12  # the grid goes from -1 to 1
    for short in range(0, size, 97):
        with pytest.raises(ArchiveError, match="Fetch more|open nothing"):
            parse_first(data[:short])
    for at in range(0, size, 97):
        damaged = bytearray(data[: size + 9])
        damaged[at] ^= 4
        with pytest.raises(ArchiveError):
            parse_first(bytes(damaged))


def test_the_first_layer_is_held_to_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar.layered_tensors.FIRST", 9_000)
    data = avatar_bytes(gridded(64))
    size = first_bytes(data)
    assert size is not None and 5_000 < size < 10_500
    whole = parse_avatar(data)
    monkeypatch.undo()
    other = parse_avatar(avatar_bytes(gridded(64)))
    for name, value in other.tensors.items():
        np.testing.assert_array_equal(whole.tensors[name], value)


def test_version_1_still_opens() -> None:
    data = avatar_bytes(an_avatar())
    size = struct.unpack_from("<I", data, 12)[0]
    first = struct.unpack_from("<I", data, 24 + size)[0]
    image = data[32 + size : 28 + size + first]  # nothing in it is a byte tensor
    fixed = struct.pack("<8sHHIQ", MAGIC, 1, 0, size, len(image))
    old = sealed(fixed + data[24 : 24 + size] + image)
    read = parse_avatar(old)
    assert avatar_bytes(read) == data and first_bytes(old) is None
    with pytest.raises(ArchiveError, match="nothing"):
        parse_first(old)


@pytest.mark.parametrize(
    "plan, words",
    [
        ([1, 1, 1, 2**31, 2**31, 4], "room"),
        ([1, 1, 1, 2**62, 2**62, 4], "room"),
        ([1, 0, 2**23, 1], "channels"),
        ([0, 1, 4, 4], "is"),
        ([255, 1, 4, 4], "is"),
        ([1, 2, 4, 4], "is"),
        ([1, 1, 4, 0], "is"),
        ([1, 1], "no plan"),
        ([1, 1, 4, 4], "tables"),
    ],
)
def test_plans_that_lie_make_nothing(plan: list[int], words: str) -> None:
    image = save({"fields.a.layer": np.array(plan, np.int64)})
    data = with_first(struct.pack("<I", len(image)) + image)
    tracemalloc.start()
    with pytest.raises(ArchiveError, match=words):
        parse_avatar(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_byte_tensors_take_a_byte_a_number_and_are_stable() -> None:
    rng = np.random.default_rng(8)
    grid = rng.normal(size=(1, 20, 30, 8)).astype(np.float32)
    plain = an_avatar(tensors={"fields.grid": grid})
    coarse = replace(plain, settings={"byte_tensors": ["fields.grid", "fields.not_there"]})
    data = avatar_bytes(coarse)
    assert len(avatar_bytes(plain)) - len(data) > 0.9 * grid.size
    read = parse_avatar(data)
    assert set(read.tensors) == {"fields.grid"} and read.settings == coarse.settings
    assert np.abs(read.tensors["fields.grid"] - grid).max() < np.abs(grid).max() / 250
    assert avatar_bytes(read) == data


def test_what_has_no_bytes_is_stored_as_ever() -> None:
    odd = {
        "fields.a": np.float32(2.5).reshape(()),
        "fields.b": np.zeros((0, 4), np.float32),
        "fields.c": np.arange(5, dtype=np.int16),
        "fields.d": np.full((2, 300), 1e-40, np.float32),
    }
    read = parse_avatar(
        avatar_bytes(an_avatar(tensors=odd, settings={"byte_tensors": list(odd)}))
    ).tensors
    assert read["fields.a"] == 2.5 and read["fields.b"].shape == (0, 4)
    np.testing.assert_array_equal(read["fields.c"], odd["fields.c"])
    assert not read["fields.d"].any()
    bad = an_avatar(
        tensors={"fields.a": np.full(4, np.nan)}, settings={"byte_tensors": ["fields.a"]}
    )
    with pytest.raises(InputError, match="finite"):
        avatar_bytes(bad)


@pytest.mark.parametrize(
    "tensors, words",
    [
        ({"fields.a.unit": np.ones(3, np.float32)}, "no bytes"),
        ({"fields.a": np.zeros(3), "fields.a.unit": np.ones(1, np.float32)}, "no bytes"),
        ({"fields.a": np.zeros(3, np.int8), "fields.a.unit": np.ones(1, np.int16)}, "no bytes"),
        ({"fields.a": np.zeros(3, np.int8), "fields.a.unit": np.ones(2, np.float32)}, r"\(2,\)"),
        (
            {"fields.a": np.zeros(3, np.int8), "fields.a.unit": np.ones((1, 1), np.float32)},
            r"\(1, 1\)",
        ),
        (
            {"fields.a": np.full(3, 99, np.int8), "fields.a.unit": np.full(1, 3e38, np.float32)},
            "not finite",
        ),
    ],
)
def test_units_that_fit_no_bytes_are_refused(tensors, words, monkeypatch) -> None:
    monkeypatch.setattr("avatar.archive.SUFFIX", ".other")  # so that they can be written
    data = avatar_bytes(an_avatar(tensors=tensors))
    monkeypatch.undo()
    with pytest.raises(ArchiveError, match=words):
        parse_avatar(data)


def test_every_prefix_and_every_flipped_byte_of_a_32_kb_archive_is_refused() -> None:
    data = avatar_bytes(an_avatar(elements=13_000))
    assert 30_000 < len(data) < 36_000
    for length in range(len(data)):
        with pytest.raises(ArchiveError, match="avatar: "):
            parse_avatar(data[:length])
    damaged = bytearray(data)
    for i in range(len(data)):
        damaged[i] ^= 1 << (i % 8)
        with pytest.raises(ArchiveError, match="avatar: "):
            parse_avatar(bytes(damaged))
        damaged[i] ^= 1 << (i % 8)
    with pytest.raises(ArchiveError):
        parse_avatar(data + b"\0")


def test_lengths_that_lie_under_a_right_checksum_allocate_nothing() -> None:
    data = avatar_bytes(an_avatar())
    tracemalloc.start()
    for header_size, payload_size in [(2**32 - 1, 0), (2**20, 2**63), (0, 0), (5, 2**40)]:
        body = struct.pack("<8sHHIQ", MAGIC, 2, 0, header_size, payload_size) + data[24:-32]
        with pytest.raises(ArchiveError, match="header"):
            parse_avatar(sealed(body))
    # A safetensors table that claims more than there is.
    table = json.dumps({"head.a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    image = struct.pack("<Q", len(table)) + table.encode()
    body = with_first(struct.pack("<I", len(image)) + image)[:-32]
    with pytest.raises(ArchiveError, match="tensors cannot be read"):
        parse_avatar(sealed(body))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_under_a_right_checksum_raises_only_what_is_declared(data: st.DataObject) -> None:
    body = bytearray(avatar_bytes(gridded(64))[:-32])
    first = first_bytes(bytes(body))
    assert first is not None
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    body[first - 32 : first] = hashlib.sha256(body[: first - 32]).digest()
    try:
        parse_avatar(sealed(bytes(body)))
    except (ArchiveError, VersionError) as error:
        assert error.message


def test_a_newer_version_is_told_from_damage() -> None:
    data = bytearray(avatar_bytes(an_avatar()))
    data[8] = 3
    with pytest.raises(ArchiveError, match="SHA-256"):
        parse_avatar(bytes(data))
    with pytest.raises(VersionError, match="format 3") as caught:
        parse_avatar(sealed(bytes(data[:-32])))
    assert "Update" in caught.value.cure


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", "a\nb", ".hidden", "", " a", "a\x7f", "\u202ea"]
)
def test_dangerous_names_are_refused_in_and_out(name: str) -> None:
    with pytest.raises(InputError):
        avatar_bytes(an_avatar(name=name))
    with pytest.raises(ArchiveError, match="name"):
        parse_avatar(with_header(avatar_bytes(an_avatar()), {"name": name}))


@pytest.mark.parametrize(
    "change",
    [
        {"layout": {"code": -1}},
        {"layout": dict.fromkeys("code rotation translation gaze lids torso".split(), 10**6)},
        {"camera": {"focal": 0, "centre": [0.5, 0.5]}},
        {"camera": {"focal": 1, "centre": [0.5]}},
        {"camera": {"focal": 1, "centre": ["a", 1]}},
        {"consent": {"subject": 1}},
        {"window": []},
        {"settings": None},
        {"created": 5},
        {"signer": "ab"},
        {"signer": "G" * 64},
        {"signer": None},
    ],
)
def test_header_fields_of_a_wrong_kind_are_named(change: dict[str, object]) -> None:
    with pytest.raises(ArchiveError, match=next(iter(change))):
        parse_avatar(with_header(avatar_bytes(an_avatar()), change))


@pytest.mark.parametrize(
    "change",
    [
        {"report": {"psnr": float("nan")}},
        {"report": {"model": object()}},
        {"tensors": {"statistics.mean": np.zeros(3, np.float32)}},
        {"tensors": {"head.nan": np.full(4, np.nan, np.float32)}},
        {"tensors": {"../head": np.zeros(3, np.float32)}},
        {"tensors": {"head.words": np.zeros(3, np.complex64)}},
    ],
)
def test_what_the_format_refuses_is_refused_before_writing(
    change: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(InputError):
        write_avatar(an_avatar(**change), tmp_path / "a.avatar")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_nothing_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.avatar"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        write_avatar(an_avatar(), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.avatar"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        write_avatar(an_avatar(), tmp_path / "none" / "a.avatar")
    with pytest.raises(StorageError, match="cannot be read"):
        read_avatar(tmp_path / "none.avatar")
