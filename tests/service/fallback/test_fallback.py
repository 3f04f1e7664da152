"""The fallback from a video to a video, and what prepares its training."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("av")

from avatar.errors import InputError, MismatchError  # noqa: E402
from codec.container import read_stream  # noqa: E402
from codec.mttf.portraits import held_out_clips  # noqa: E402
from codec.mttf.settings import LITE  # noqa: E402
from codec.mttf.weights import load_weights  # noqa: E402
from enroll.capture import Frame  # noqa: E402
from service.fallback.crops import head_window  # noqa: E402
from service.fallback.people import same_people  # noqa: E402
from service.fallback.portraits import read_portraits, split  # noqa: E402
from service.fallback.receiver import decode_fallback, is_fallback, placed  # noqa: E402
from service.fallback.sender import FallbackSettings, encode_fallback, paced  # noqa: E402
from tests.demo.badge import has_badge  # noqa: E402


def moving(count: int, height: int = 128, width: int = 128) -> list[np.ndarray]:
    y, x = np.mgrid[0:height, 0:width] / min(height, width)
    return [
        np.stack([120 + 80 * np.sin(5 * x + 0.05 * n), 100 + 60 * y, 90 + 50 * x * y], -1)
        .clip(0, 255)
        .astype(np.uint8)
        for n in range(count)
    ]


def test_a_video_there_and_back(make_video, tmp_path, weights) -> None:
    source = make_video(moving(8), audio=True, name="talk.mkv")
    out, shown = tmp_path / "call.fw", tmp_path / "shown.mkv"
    known = load_weights(weights)
    settings = FallbackSettings(kbps=30.0, side=128, qp=40)
    sent = encode_fallback(source, out, known, settings)
    assert is_fallback(out)
    summary = sent.summary
    assert (summary["codec"], summary["frames"], summary["keys"]) == ("mttf", 8, 1)
    assert summary["audio_kbps"] > 0
    assert summary["size_bytes"] == out.stat().st_size
    again = tmp_path / "again.fw"
    encode_fallback(source, again, known, settings)
    assert again.read_bytes() == out.read_bytes()

    result = decode_fallback(out, known, shown)
    assert (result.frames, result.width, result.height) == (8, 128, 128)
    from enroll.capture import open_video

    pictures = [frame.image for frame in open_video(shown)]
    assert len(pictures) == 8
    error = np.abs(pictures[0].astype(int) - moving(1)[0]).mean()
    assert error < 12
    decode_fallback(out, known, tmp_path / "people.mp4")
    people = next(iter(open_video(tmp_path / "people.mp4"))).image
    assert has_badge(people) and not has_badge(pictures[0])
    other = type(known)(known.settings, known.tensors, known.statistics, "00" * 32, {})
    with pytest.raises(MismatchError, match="weights"):
        decode_fallback(out, other, tmp_path / "no.mkv")
    assert not (tmp_path / "no.mkv").exists()


def test_the_command_needs_no_avatar(make_video, tmp_path, weights, monkeypatch, capsys) -> None:
    from demo.cli import main

    monkeypatch.setenv("FACEWIRE_MODELS", str(weights.parent))
    source = make_video(moving(4, 96, 160))
    out, shown = tmp_path / "call.fw", tmp_path / "shown.mkv"
    assert main(["encode", str(source), "-o", str(out), "--kbps", "60", "--fps", "12.5"]) == 0
    assert read_stream(out).header.window.side == 96
    assert main(["decode", str(out), "-o", str(shown), "--size", "64x32"]) == 0
    assert "3 frames of 64x32" in capsys.readouterr().out
    code = main(["encode", str(source), "-o", str(out), "--codec", "avatar"])
    assert code == 2 and "--avatar" in capsys.readouterr().err


def test_a_layer_comes_on_top(make_video, tmp_path, weights, monkeypatch, capsys) -> None:
    from codec.mttf.packet import Layer, parse
    from demo.cli import main
    from enroll.capture import open_video

    monkeypatch.setenv("FACEWIRE_MODELS", str(weights.parent))
    known = load_weights(weights)
    texture = np.random.default_rng(0).integers(40, 216, (16, 16, 3))
    texture = np.kron(texture, np.ones((8, 8, 1))).astype(np.uint8)
    frames = [np.roll(texture, 3 * n, axis=1) for n in range(12)]
    source = make_video(frames, name="talk.mkv")
    errors, sizes = [], []
    for layer in (None, 16.0, 40.0):
        out, shown = tmp_path / "call.fw", tmp_path / "shown.mkv"
        settings = FallbackSettings(kbps=3.0, side=128, qp=60, layer=layer)
        encode_fallback(source, out, known, settings)
        chunks = [parse(c.kind, c.body) for c in read_stream(out).fallback]
        sizes.append(sum(len(bytes(c)) for c in chunks if isinstance(c, Layer)))
        decode_fallback(out, known, shown)
        pictures = np.stack([frame.image for frame in open_video(shown)]).astype(int)
        errors.append(np.abs(pictures - np.stack(frames)).mean())
    assert errors[0] > errors[1] > errors[2]
    assert sizes[0] == 0 < sizes[1] <= 16.0 * 125 * 12 / 25 and sizes[1] < sizes[2]

    settings = FallbackSettings(kbps=30.0, side=128, qp=50, layer=0.05)
    (warning,) = encode_fallback(source, tmp_path / "none.fw", known, settings).warnings
    assert "12 of 12 frames have none" in warning
    command = ["encode", str(source), "-o", str(tmp_path / "cli.fw"), "--kbps", "60"]
    assert main([*command, "--layer", "20"]) == 0
    assert any(c.kind == Layer.kind for c in read_stream(tmp_path / "cli.fw").fallback)
    capsys.readouterr()
    assert main([*command, "--layer", "0"]) == 2
    assert "rate above 0" in capsys.readouterr().err
    avatar = tmp_path / "ada.avatar"
    avatar.write_bytes(b"not looked at")
    assert main([*command, "--layer", "4", "--avatar", str(avatar)]) == 2
    assert "an avatar has no layer" in capsys.readouterr().err


def test_a_second_key_frame_travels_before_what_it_is_mixed_into(tmp_path, weights) -> None:
    """In the file, so that whoever reads it as it comes can show it."""
    from codec.mttf.encoder import stream_header
    from codec.mttf.packet import KeyFrame, Reference, SecondReference
    from service.fallback.sender import write_fallback

    known = load_weights(weights)
    time = np.arange(250, dtype=np.int64) * 40_000
    sent = [KeyFrame(0, 0, 1, 128, b"a"), SecondReference(120), KeyFrame(240, 1, 1, 128, b"b")]
    head = stream_header(known.digest, LITE.numbers, 256)
    path = tmp_path / "call.fw"
    with path.open("wb") as file:
        rows = np.zeros((250, LITE.numbers), np.float32)
        write_fallback(file, head, time, rows, known.statistics, [*sent, Reference(245, 0)])
    data = path.read_bytes()
    kinds = [(c.kind, c.body[0]) for c in all_chunks(data)]
    # Face packets (1, 2) hold 100 frames.
    assert [kind for kind, _ in kinds] == [16, 1, 20, 16, 2, 17, 2, 4]


def all_chunks(data: bytes):
    from codec.chunks import ChunkReader
    from codec.header import StreamHeader

    header, start = StreamHeader.parse(data)
    return list(ChunkReader(data, header, start, False).chunks())


def test_rates(make_video, tmp_path, weights) -> None:
    source = make_video(moving(6))
    known = load_weights(weights)
    tight = FallbackSettings(kbps=0.5, side=128, qp=63)
    sent = encode_fallback(source, tmp_path / "a.fw", known, tight)
    assert any("cannot be reached" in warning for warning in sent.warnings)
    with pytest.raises(InputError, match="sends nothing"):
        encode_fallback(source, tmp_path / "b.fw", known, FallbackSettings(kbps=0.0))
    assert not (tmp_path / "b.fw").exists()


def test_pacing_takes_the_nearest_picture() -> None:
    frames = [Frame(np.full((1, 1, 3), n, np.uint8), n * 40_000) for n in range(5)]
    half = [(int(f.image[0, 0, 0]), f.time) for f in paced(frames, 12.5)]
    assert half == [(0, 0), (2, 80_000), (4, 160_000)]
    double = [int(f.image[0, 0, 0]) for f in paced(frames, 50.0)]
    assert double == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    assert list(paced([], 25.0)) == []


def test_windows_are_about_the_head() -> None:
    window = head_window(np.array([[900.0, 300, 1100, 500]] * 3), 1920, 1080)
    assert (window.side, window.top) == (1080, 0) and window.left == 1000 - 540
    near_edge = head_window(np.array([[0.0, 0, 200, 200]]), 1920, 1080)
    assert (near_edge.left, near_edge.top) == (0, 0)
    close = head_window(np.array([[900.0, 300, 1100, 500]]), 1920, 1080, 2.0)
    assert close.side == 400 and close.left == 800


def test_likenesses_chain() -> None:
    a = np.array([1.0, 0, 0])
    b = np.array([0.8, 0.6, 0])
    c = np.array([0.28, 0.96, 0])  # like b, not like a
    d = np.array([0.0, 0, 1])
    people = same_people({"a": a, "b": b, "c": c, "d": d})
    assert people["a"] == people["b"] == people["c"] != people["d"]


def test_a_folder_of_crops_and_its_split(tmp_path) -> None:
    Image = pytest.importorskip("PIL.Image")
    tested = held_out_clips()[0]
    people = {tested: 0, "likeness": 0, **{f"p{n:02d}": n + 1 for n in range(10)}}
    for name in people:
        (tmp_path / name).mkdir()
        for n in range(2):
            Image.new("RGB", (16, 16), (n, 0, 0)).save(tmp_path / name / f"{n:03d}.jpg")
            Image.new("L", (8, 8), 255).save(tmp_path / name / f"{n:03d}.png")
            np.save(tmp_path / name / f"{n:03d}.npy", np.zeros((482, 2), np.float16))
    (tmp_path / "people.json").write_text(json.dumps(people))
    portraits, found = read_portraits(tmp_path)
    assert found == people and portraits.pictures.shape == (24, 16, 16, 3)
    assert portraits.meshes.shape == (24, 482, 2)
    learned, check = split(portraits, found)
    persons = set(learned.person.tolist()), set(check.person.tolist())
    assert not persons[0] & persons[1]
    assert persons[0] | persons[1] == set(range(1, 11))  # neither the tested nor their likeness
    with pytest.raises(InputError, match="no folder of prepared crops"):
        read_portraits(tmp_path / "p00")
    np.save(tmp_path / "p00" / "001.npy", np.zeros((478, 2), np.float16))
    with pytest.raises(InputError, match="older version"):
        read_portraits(tmp_path)
    (tmp_path / "p00" / "001.npy").unlink()
    with pytest.raises(InputError, match="001.npy"):
        read_portraits(tmp_path)


def test_a_square_in_another_shape() -> None:
    picture = np.full((64, 64, 3), 200, np.uint8)
    shown = placed(picture, 96, 32)
    assert shown.shape == (32, 96, 3)
    assert (shown[:, 32:64] == 200).all() and not shown[:, :32].any() and not shown[:, 64:].any()


def test_crops_of_a_real_clip(clips, models, tmp_path, monkeypatch) -> None:
    from service.fallback.crops import BUDGET, prepare_crops

    monkeypatch.setenv("FACEWIRE_MODELS", str(models))
    paths = [clips / "short" / name for name in ("s110.mp4", "s107.mp4")]
    (tmp_path / "noise.mp4").write_bytes(b"no video")
    said = prepare_crops([*paths, tmp_path / "noise.mp4"], tmp_path / "crops", size=64)
    assert len(said) == 1 and "noise.mp4" in said[0]
    portraits, people = read_portraits(tmp_path / "crops")
    assert set(people) == {"s110", "s107"}
    assert portraits.pictures.shape[1:] == (64, 64, 3) and len(portraits.pictures) >= 12
    middle = portraits.meshes.mean(axis=1)
    assert (0.2 < middle).all() and (middle < 0.8).all()
    size = sum(p.stat().st_size for p in (tmp_path / "crops").rglob("*"))
    assert size < BUDGET
    assert 0.1 < (portraits.mattes > 127).mean() < 0.95
