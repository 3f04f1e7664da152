"""A watermark outlives what happens to a video, and is not found where there is none."""

from __future__ import annotations

import io

import numpy as np
import pytest

from service.watermark.mark import Watermark
from service.watermark.pattern import drawn, order, pattern, seen
from service.watermark.payload import BITS, bits_of, prefix_of
from service.watermark.reader import WatermarkReader

DIGEST = "c0ffee42" + 56 * "7"
PERIOD = 40_000  # us


def filmed(frames=25, height=256, width=256, seed=3):
    """A picture with as much detail as a photograph, of which a disc moves: [F, H, W, 3]."""
    random = np.random.default_rng(seed)
    across = np.fft.rfftfreq(width)[None] + 1e-3
    noise = np.fft.rfft2(random.normal(size=(height, width)))
    noise = np.fft.irfft2(
        noise / np.hypot(np.fft.fftfreq(height)[:, None], across), (height, width)
    )
    still = 128 + 45 * (noise - noise.mean()) / noise.std()
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    out = np.empty((frames, height, width, 3), np.uint8)
    for n in range(frames):
        down, right = 0.03 * np.sin(n / 5), 0.02 * np.cos(n / 4)  # as a head sways
        moved = np.roll(still, (round(down * height), round(right * width)), (0, 1))
        disc = np.hypot(y - 0.5 - down, x - 0.5 - right) < 0.25
        out[n] = np.clip(np.where(disc, moved, still), 0, 255)[:, :, None]
    return out


def marked(pictures, first=0):
    mark = Watermark(DIGEST)
    return [mark.on(p, first + n * PERIOD) for n, p in enumerate(pictures)]


def h264(pictures, crf=28):
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": str(crf)})
        stream.height, stream.width = pictures[0].shape[:2]
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as coded:
        return [frame.to_ndarray(format="rgb24") for frame in coded.decode(video=0)]


def scaled(pictures, by):
    cv2 = pytest.importorskip("cv2")
    way = cv2.INTER_AREA if by < 1 else cv2.INTER_CUBIC
    return [cv2.resize(p, None, fx=by, fy=by, interpolation=way) for p in pictures]


def read(pictures, period=PERIOD):
    reader = WatermarkReader()
    for n, picture in enumerate(pictures):
        reader.add(picture, round(n * period))
    return reader.read()


def right(reading):
    """Share of the bits."""
    share = float(np.mean((reading.bits > 0) == (bits_of(DIGEST) > 0)))
    return max(share, 1 - share)  # without its CRC the sign of all of them is open


def psnr(one, other):
    error = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return 10 * np.log10(255**2 / np.mean(error**2))


ROADS = {
    "as it is": lambda p: p,
    "coded": h264,
    "half": lambda p: scaled(p, 0.5),
    "double": lambda p: scaled(p, 2),
    "coded, half": lambda p: scaled(h264(p), 0.5),
    "coded, double": lambda p: scaled(h264(p), 2),
    "half, coded": lambda p: h264(scaled(p, 0.5)),
    "double, coded": lambda p: h264(scaled(p, 2)),
}


@pytest.mark.parametrize("road", ROADS)
def test_a_second_tells_the_bits_after_coding_and_scaling(road):
    assert right(read(ROADS[road](marked(filmed())))) >= 0.95


def test_it_changes_little_and_least_where_nothing_hides_it():
    pictures = filmed(4)
    assert psnr(pictures, marked(pictures)) >= 42
    plain = np.full((2, 256, 256, 3), 128, np.uint8)
    assert 46 <= psnr(plain, marked(plain)) < 50
    assert (pictures == filmed(4)).all()  # the caller's stay as they are


def test_more_seconds_tell_what_one_does_not():
    worn = scaled(h264(marked(filmed(75)), 34), 0.5)
    assert read(worn).prefix == DIGEST[:8] and read(worn).clarity > read(worn[:25]).clarity


@pytest.mark.parametrize("first", [0, 13_000, 80_000, 123_456])
def test_a_stretch_from_the_middle_is_read(first):
    found = read(h264(marked(filmed(), first)))
    assert found.prefix == DIGEST[:8] and found.seconds == pytest.approx(1, abs=0.05)


def test_something_cut_out_between_harms_nothing():
    pictures = marked(filmed(75))
    assert read(h264(pictures[:25] + pictures[52:])).prefix == DIGEST[:8]


@pytest.mark.parametrize("shape", [(144, 256), (256, 144), (90, 90)])
def test_any_shape_carries_it(shape):
    assert read(h264(marked(filmed(50, *shape)), 23)).prefix == DIGEST[:8]


def test_other_frame_rates_carry_it():
    pictures, mark = filmed(60), Watermark(DIGEST)
    shown = [mark.on(p, n * 1_000_000 // 30) for n, p in enumerate(pictures)]
    assert read(shown, 1e6 / 30).prefix == DIGEST[:8]
    for period in (110_000, 230_000):
        slow = [mark.on(p, n * period) for n, p in enumerate(pictures)]
        assert read(slow, period).prefix == DIGEST[:8]


def test_what_carries_none_shows_none():
    for seed in range(20):
        assert read(filmed(seed=seed)).prefix is None
    assert read(h264(list(filmed()))).clarity < 2 < read(h264(marked(filmed()))).clarity
    for odd in ([], [np.zeros((64, 64, 3), np.uint8)] * 30, list(filmed(3))):
        assert read(odd).prefix is None


def test_a_changed_bit_is_no_payload():
    bits = bits_of(DIGEST)
    assert prefix_of(bits) == DIGEST[:8] and prefix_of(-bits) is None
    for n in range(BITS):
        changed = bits.copy()
        changed[n] *= -1
        assert prefix_of(changed) is None


def test_the_pattern_holds_what_it_is_given_and_stays_what_it_is():
    values = np.random.default_rng(1).normal(size=BITS)
    picture = drawn(pattern().spectrum(values), 100, 132)
    np.testing.assert_allclose(pattern().values(seen(picture)), values, atol=1e-5)
    assert picture.shape == (100, 132) and order() == 19
    np.testing.assert_allclose((picture**2).mean(), (values**2).sum(), rtol=1e-5)
    # Videos that are out there are read with this pattern: it never changes.
    assert pattern().chips.shape == (BITS, 226)
    assert int((pattern().rows * 31 + pattern().columns) @ np.arange(226)) == PLACES
    assert int(np.sign(pattern().chips).sum(0) @ np.arange(226)) == SIGNS


PLACES, SIGNS = 6_670_130, 2195
