"""PSNR, VMAF and XPSNR against what ffmpeg itself says of the same planes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bench.ffmpeg import missing_in_ffmpeg, run_ffmpeg
from bench.metrics.by_ffmpeg import vmaf, xpsnr
from render.metrics import psnr

pytest.importorskip("imageio_ffmpeg")
SIZE = 64


def _clips(frames: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A grating that moves, and the same with noise that grows from frame to frame."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    waves = [128 + 60 * np.sin((x + 2 * f) / 5) + 40 * np.cos(y / 7) for f in range(frames)]
    clean = np.stack([np.stack([w, w * 0.8, w * 0.6], axis=2) for w in waves])
    noise = rng.normal(size=clean.shape) * (6 * np.arange(1, frames + 1)[:, None, None, None])
    return clean.astype(np.uint8), np.clip(clean + noise, 0, 255).astype(np.uint8)


def _raw(path: Path, frames: np.ndarray) -> list[str]:
    frames.tofile(path)
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE}x{SIZE}", "-r", "25"]
    return [*form, "-i", str(path)]


def test_psnr_is_ffmpeg_s(tmp_path: Path) -> None:
    clean, noisy = _clips()
    log = tmp_path / "log.txt"
    inputs = [*_raw(tmp_path / "a", noisy), *_raw(tmp_path / "b", clean)]
    graph = f"[0:v]format=gbrp[a];[1:v]format=gbrp[b];[a][b]psnr=stats_file={log}"
    run_ffmpeg([*inputs, "-lavfi", graph, "-f", "null", "-"])
    theirs = [float(v) for v in re.findall(r"psnr_avg:(\S+)", log.read_text())]
    ours = [psnr(a, b) for a, b in zip(clean, noisy)]
    np.testing.assert_allclose(ours, theirs, atol=0.006)  # its log has two decimals


def test_vmaf_is_what_ffmpeg_prints_of_the_same_planes(tmp_path: Path) -> None:
    if needs := missing_in_ffmpeg("filters", "libvmaf"):
        pytest.skip(needs)
    clean, noisy = _clips()
    ours = vmaf(clean, noisy)
    # The planes are made here, written as Y4M, and judged by a run of its own.
    paths = []
    for name, frames in (("noisy", noisy), ("clean", clean)):
        path = tmp_path / f"{name}.y4m"
        run_ffmpeg(
            [*_raw(tmp_path / name, frames), "-vf", "scale=out_color_matrix=bt709:out_range=tv:"
             "flags=accurate_rnd", "-pix_fmt", "yuv444p", "-strict", "-1", str(path)]
        )  # fmt: skip
        paths += ["-i", str(path)]
    said = run_ffmpeg([*paths, "-lavfi", "libvmaf", "-f", "null", "-"])
    (mean,) = re.findall(r"VMAF score: (\S+)", said)
    assert ours.shape == (4,)
    assert ours.mean() == pytest.approx(float(mean), abs=1e-4)


def test_vmaf_knows_which_side_was_filmed() -> None:
    if needs := missing_in_ffmpeg("filters", "libvmaf"):
        pytest.skip(needs)
    texture = np.random.default_rng(1).integers(60, 200, (SIZE, SIZE, 1)).repeat(3, axis=2)
    sharp = np.stack([np.roll(texture, 3 * f, axis=1) for f in range(3)])
    soft = np.mean([np.roll(sharp, d, axis=2) for d in (-1, 0, 1)], axis=0)
    sharp, soft = sharp.astype(np.uint8), soft.astype(np.uint8)
    lost = vmaf(sharp, soft).mean()
    assert lost + 10 < vmaf(sharp, sharp).mean()
    assert lost + 10 < vmaf(soft, sharp).mean()  # detail that was not filmed is no loss to it


def test_xpsnr_falls_with_noise_and_ends_at_100() -> None:
    if needs := missing_in_ffmpeg("filters", "xpsnr"):
        pytest.skip(needs)
    clean, noisy = _clips()
    judged = xpsnr(clean, noisy)
    assert judged.shape == (4,) and (np.diff(judged) < 0).all()
    # Without texture to hide in, XPSNR is near the PSNR of the planes.
    assert np.abs(judged - [psnr(a, b) for a, b in zip(clean, noisy)]).max() < 8
    assert xpsnr(clean, clean).min() == 100


def test_a_filter_that_is_not_there_is_named() -> None:
    assert missing_in_ffmpeg("filters", "scale") == ""
    assert missing_in_ffmpeg("encoders", "libx265") == ""
    assert missing_in_ffmpeg("filters", "no_such") == "needs an ffmpeg built with no_such"
