"""The fallback as an elementary stream: key frames for any player, their motion for ours."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
av = pytest.importorskip("av")

from avatar.errors import MismatchError, StreamError  # noqa: E402
from codec.mttf.gfv import SUFFIXES, scenes_in  # noqa: E402
from codec.mttf.weights import load_weights  # noqa: E402
from enroll.capture import open_video  # noqa: E402
from service.fallback.elementary import decode_elementary, encode_elementary  # noqa: E402
from service.fallback.receiver import decode_fallback  # noqa: E402
from service.fallback.sender import FallbackSettings, encode_fallback  # noqa: E402


@pytest.fixture
def video(make_video):
    """Two takes: what the first one's key frame shows says nothing of the second."""
    y, x = np.mgrid[0:128, 0:128] / 128
    first = [
        np.stack([120 + 80 * np.sin(5 * x + 0.004 * n), 100 + 60 * y, 90 + 50 * x * y], -1)
        for n in range(10)
    ]
    frames = first[:5] + [frame[::-1, :, ::-1] for frame in first[5:]]
    return make_video([frame.clip(0, 255).astype(np.uint8) for frame in frames], audio=True)


def shown(path):
    return np.stack([frame.image for frame in open_video(path)]).astype(int)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_video_there_and_back(video, tmp_path, weights, suffix) -> None:
    if suffix == ".vvc":
        pytest.importorskip("imageio_ffmpeg")
    known, out, seen = load_weights(weights), tmp_path / f"call{suffix}", tmp_path / "seen.mkv"
    settings = FallbackSettings(kbps=60.0, side=128, qp=30)
    sent = encode_elementary(video, out, known, settings)
    assert (sent.frames, sent.keys, sent.seconds) == (10, 2, pytest.approx(0.4))
    assert sent.kbps == pytest.approx(out.stat().st_size * 8e-3 / 0.4)
    got = decode_elementary(out, known, seen)
    assert (got.frames, got.width, got.height) == (10, 128, 128)
    assert [frame.time for frame in open_video(seen)] == [40_000 * n for n in range(10)]
    # As by our own container, whose key frames are the same; its numbers' steps are as fine.
    call, other = tmp_path / "call.fw", tmp_path / "other.mkv"
    own = FallbackSettings(kbps=60.0, side=128, qp=30, key_codec=SUFFIXES[suffix], lookback=0)
    encode_fallback(video, call, known, own)
    decode_fallback(call, known, other)
    assert np.abs(shown(seen) - shown(other)).mean() < 0.5
    # Any player shows the key frames, one for each take.
    with av.open(str(out)) as plain:
        assert [(f.width, f.height) for f in plain.decode(video=0)] == [(128, 128)] * 2


def test_what_cannot_be_shown_is_told(video, tmp_path, weights) -> None:
    known, out = load_weights(weights), tmp_path / "call.hevc"
    encode_elementary(video, out, known, FallbackSettings(kbps=60.0, side=128, qp=40))
    other = type(known)(known.settings, known.tensors, known.statistics, "00" * 32, {})
    with pytest.raises(MismatchError, match="weights"):
        decode_elementary(out, other, tmp_path / "no.mkv")
    (first, _) = scenes_in(out.read_bytes(), "hevc")
    for data, why in ((b"", "no picture"), (first.key[: len(first.key) // 2], "SEI")):
        damaged = tmp_path / "damaged.hevc"
        damaged.write_bytes(data)
        with pytest.raises(StreamError, match=why):
            decode_elementary(damaged, known, tmp_path / "no.mkv")
    assert not (tmp_path / "no.mkv").exists()


def test_the_command_writes_what_its_suffix_says(video, tmp_path, weights, monkeypatch, capsys):
    from demo.cli import main

    monkeypatch.setenv("FACEWIRE_MODELS", str(weights.parent))
    out, seen = tmp_path / "call.hevc", tmp_path / "seen.mkv"
    assert main(["encode", str(video), "-o", str(out), "--kbps", "40", "--fps", "12.5"]) == 0
    assert "6 frames, 0.48 s" in capsys.readouterr().out
    assert main(["decode", str(out), "-o", str(seen), "--size", "64x32"]) == 0
    assert "6 frames of 64x32" in capsys.readouterr().out
    assert main(["encode", str(video), "-o", str(out), "--layer", "4"]) == 2
    assert "no layer" in capsys.readouterr().err
    assert main(["encode", str(video), "-o", str(tmp_path / "call.webm")]) == 2
    assert ".fw or .hevc" in capsys.readouterr().err
