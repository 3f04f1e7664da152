"""Track files: exact, and every damage to one is noticed."""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from avatar.camera import Pinhole
from avatar.errors import FacewireError, InputError, StorageError, TrackError, VersionError
from avatar.face import FaceTrack, Window
from avatar.track_file import VERSION, read_track, write_track


def made_track(frames: int = 5) -> FaceTrack:
    rng = np.random.default_rng(3)

    def some(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return FaceTrack(
        time=np.arange(frames, dtype=np.int64) * 33_333,
        expression=some(frames, 79),
        rotation=some(frames, 3),
        translation=some(frames, 3),
        gaze=some(frames, 4),
        lids=some(frames, 2),
        torso=some(frames, 4),
        confidence=np.linspace(0, 1, frames).astype(np.float32),
        box=some(frames, 4),
        mask=rng.integers(0, 256, (frames, 64, 64)).astype(np.uint8),
        identity=some(40),
        camera=Pinhole(2.25, (0.5, 0.4375)),
        window=Window(420.0, 0.0, 1080.0, 1920, 1080),
        torso_reference=rng.integers(0, 256, (64, 64)).astype(np.uint8),
    )


def test_what_is_written_is_read(tmp_path: Path):
    track = made_track()
    write_track(track, tmp_path / "a.track")
    again = read_track(tmp_path / "a.track")
    for field in fields(FaceTrack):
        want, got = getattr(track, field.name), getattr(again, field.name)
        if isinstance(want, np.ndarray):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
        else:
            assert got == want


def test_every_cut_and_every_flipped_header_byte_is_noticed(tmp_path: Path):
    path = tmp_path / "a.track"
    write_track(made_track(2), path)
    whole = path.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    rng = np.random.default_rng(0)
    cuts = [*range(64), *rng.integers(0, len(whole), 60), len(whole) - 1]
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(TrackError):
            read_track(path)
    for at in [*range(header), *rng.integers(header, len(whole), 200)]:
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            track = read_track(path)
        except FacewireError:
            continue
        # Only white space of the header's JSON may differ without a difference.
        np.testing.assert_array_equal(track.expression, made_track(2).expression)
        assert track.camera == made_track(2).camera, at


def test_a_track_from_the_future_says_so(tmp_path: Path):
    path = tmp_path / "a.track"
    write_track(made_track(1), path)
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"]["version"] = str(VERSION + 1)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    with pytest.raises(VersionError, match="newer"):
        read_track(path)


def test_what_is_no_track_says_so(tmp_path: Path):
    from safetensors.numpy import save

    path = tmp_path / "a.track"
    path.write_bytes(save({"x": np.zeros(3)}))
    with pytest.raises(TrackError, match="not a face track"):
        read_track(path)
    path.write_bytes(b"\x00" * 5000)
    with pytest.raises(TrackError):
        read_track(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_track(tmp_path / "absent.track")


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path):
    with pytest.raises(StorageError):
        write_track(made_track(1), tmp_path / "no" / "a.track")
