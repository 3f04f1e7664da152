"""Portrait Recovery: the network, its file, what a key frame says of it, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
av = pytest.importorskip("av")

from avatar.errors import FormatError, InputError, MissingError, StreamError  # noqa: E402
from codec.container import read_stream  # noqa: E402
from codec.mttf.decoder import Decoder  # noqa: E402
from codec.mttf.encoder import EncoderSettings  # noqa: E402
from codec.mttf.keyframe import decode_key, encode_key  # noqa: E402
from codec.mttf.packet import RESTORER, KeyFrame  # noqa: E402
from codec.mttf.recording import encode  # noqa: E402
from codec.mttf.recovery import (  # noqa: E402
    LEVELS,
    Recovery,
    RecoveryNet,
    RecoverySettings,
    RecoveryWeights,
    level_of,
    receive,
)
from codec.mttf.recovery_file import (  # noqa: E402
    FILE,
    load_recovery,
    recovery_at_hand,
    save_recovery,
)
from codec.mttf.recovery_training import (  # noqa: E402
    Pairs,
    RecoveryTrainer,
    RecoveryTraining,
    restoration_loss,
)
from codec.mttf.runtime import Runtime  # noqa: E402
from tests.codec.mttf.test_stream import psnr, stream_of  # noqa: E402
from tests.codec.mttf.untrained import untrained  # noqa: E402

SMALL = RecoverySettings(fold=2, width=8, blocks=1)


def weights_of(shift: float = 0.0, digest: str = "5a" * 32) -> RecoveryWeights:
    """Of a network that nobody trained, and that adds `shift` (1 = white) to every sample."""
    torch.manual_seed(0)
    tensors = {n: t.numpy() for n, t in RecoveryNet(SMALL).state_dict().items()}
    tensors["last.bias"] = tensors["last.bias"] + np.float32(shift)
    return RecoveryWeights(SMALL, tensors, digest, {"steps": 1})


def coarse(picture: np.ndarray, qp: int = 51) -> KeyFrame:
    return KeyFrame(0, 0, 1, picture.shape[0], encode_key(picture, "hevc", qp))


@pytest.mark.parametrize("side", [32, 64, 128])
def test_untrained_it_changes_nothing(side: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    for level in (1, LEVELS):
        assert np.array_equal(Recovery(weights_of()).restored(picture, level), picture)
    brighter = Recovery(weights_of(10 / 255)).restored(picture, 1)
    assert np.array_equal(brighter, np.minimum(picture.astype(int) + 10, 255))


def test_the_shipped_size_is_small() -> None:
    assert sum(p.numel() for p in RecoveryNet(RecoverySettings()).parameters()) <= 200_000


def test_the_level_tells_how_coarse(make_scene) -> None:
    assert [level_of("av1", qp) for qp in (10, 32, 63)] == [1, 1, LEVELS]
    assert level_of("hevc", 51) == LEVELS > level_of("vvc", 51)
    net = RecoveryNet(SMALL)
    torch.nn.init.normal_(net.last.weight, std=0.1)
    picture = torch.rand(1, 3, 32, 32)
    made = [net(picture, torch.tensor([level])) for level in (1.0, 15.0)]
    assert float((made[0] - made[1]).detach().abs().max()) > 1e-4


def test_a_key_frame_names_what_restores_it(make_scene) -> None:
    plain = coarse(make_scene(0.1))
    named = replace(plain, recovery=7, restorer=b"abcd")
    assert len(bytes(named)) == len(bytes(plain)) + RESTORER
    assert KeyFrame.parse(bytes(named)) == named
    assert bytes(replace(plain, restorer=b"abcd")) == bytes(plain)
    head = bytes(named)[: -len(named.data)]
    for cut in range(1, RESTORER + 1):
        with pytest.raises(StreamError, match="restorer"):
            KeyFrame.parse(head[:-cut])


def test_it_is_used_where_it_is_nearer(make_scene) -> None:
    source = make_scene(0.1)
    key = coarse(source)
    shown = decode_key(key.data, 1, 64)
    lighter = np.clip(shown.astype(int) + 9, 0, 255).astype(np.uint8)
    helps = Recovery(weights_of(9 / 255))
    sent, seen = helps.measured(key, shown, lighter, 51)
    assert (sent.recovery, sent.restorer) == (LEVELS, b"\x5a" * RESTORER)
    assert np.array_equal(seen, helps.restored(shown, LEVELS))
    sent, seen = helps.measured(key, shown, shown, 51)
    assert sent == key and seen is shown


def test_who_lacks_the_weights_knows_it(make_scene) -> None:
    key = coarse(make_scene(0.1))
    shown = decode_key(key.data, 1, 64)
    here, other = Recovery(weights_of(0.1)), Recovery(weights_of(0.1, "77" * 32))
    assert receive(key, None).restored and receive(key, here).restored
    named = replace(key, recovery=3, restorer=here.name)
    assert np.array_equal(receive(named, here).picture, here.restored(shown, 3))
    for without in (None, other):
        received = receive(named, without)
        assert not received.restored and np.array_equal(received.picture, shown)
    with pytest.raises(StreamError):
        receive(replace(named, data=key.data[:9]), here)


def darkened(tiny, make_scene):
    """A stream whose key frames a recovery brings nearer: what it codes is lighter than what its
    codec shows."""
    weights = untrained(tiny)
    runtime = Runtime(weights)
    recovery = Recovery(weights_of(8 / 255))
    frames = [make_scene(0.02 * n) for n in range(6)]
    choices = EncoderSettings(side=64, kbps=40.0, qp=60)
    times = [n * 40_000 for n in range(len(frames))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codec.mttf.encoder.encode_key", _darker)
        coded = encode(frames, times, runtime, weights.statistics, choices, recovery=recovery)
    return weights, runtime, recovery, coded, stream_of(weights, times, coded), frames


def _darker(picture: np.ndarray, name: str, qp: int) -> bytes:
    return encode_key(np.clip(picture.astype(int) - 8, 0, 255).astype(np.uint8), name, 20)


def test_a_stream_with_restored_key_frames(tiny, make_scene) -> None:
    weights, runtime, recovery, coded, data, frames = darkened(tiny, make_scene)
    keys = [c for c in coded.chunks if isinstance(c, KeyFrame)]
    assert keys and all(key.recovery == level_of("av1", 60) for key in keys)
    stream = read_stream(data, weights.statistics)
    decoder = Decoder(runtime, stream.fallback, recovery)
    shown = list(decoder.pictures(stream.states.values))
    assert decoder.unrestored == 0
    without = Decoder(runtime, stream.fallback)
    plain = list(without.pictures(stream.states.values))
    assert without.unrestored == len(keys)
    first = keys[0].frame
    assert psnr(shown[first], frames[first]) > psnr(plain[first], frames[first])


def test_weights_on_disk(tmp_path, monkeypatch) -> None:
    path = tmp_path / FILE
    weights = weights_of(0.05)
    save_recovery(path, SMALL, weights.tensors, weights.card)
    back = load_recovery(path)
    assert (back.settings, back.card) == (SMALL, {"steps": 1})
    for name, array in weights.tensors.items():
        assert np.allclose(back.tensors[name], array, atol=2e-3), name
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    found = recovery_at_hand()
    assert found is not None and found.name == bytes.fromhex(back.digest)[:RESTORER]
    with pytest.raises(MissingError):
        load_recovery(tmp_path / "none.safetensors")
    data = path.read_bytes()
    for wrong in (b"", b"no", data[: len(data) // 2], data[:8] + b"x" + data[9:]):
        path.write_bytes(wrong)
        with pytest.raises(FormatError):
            load_recovery(path)
    save_recovery(path, SMALL, {"a": np.zeros(3)}, {})
    with pytest.raises(FormatError, match="do not fit"):
        recovery_at_hand()


def test_without_weights_there_is_no_recovery(monkeypatch) -> None:
    def missing(file: str):
        raise MissingError(f"{file} is not there", "")

    monkeypatch.setattr("codec.mttf.recovery_file.find_file", missing)
    assert recovery_at_hand() is None


def pairs(make_scene) -> Pairs:
    wanted = np.stack([make_scene(0.05 * n - 0.1, seed=n) for n in range(6)])
    coded = np.stack([decode_key(encode_key(p, "hevc", 45), 1, 64) for p in wanted])
    return Pairs(coded, wanted, np.full(6, level_of("hevc", 45)))


def test_it_learns(make_scene) -> None:
    given = pairs(make_scene)
    settings = RecoveryTraining(steps=60, batch=4, side=32, rate=3e-3, ema=0.9, half=False)
    trainer = RecoveryTrainer(SMALL, given, given, settings)
    before = trainer.check()
    assert before.restored == pytest.approx(before.decoded)
    trainer.run(every=1000)
    assert [check.step for check in trainer.checks] == [60]
    assert trainer.checks[0].restored > before.decoded + 0.1
    again = RecoveryTrainer(SMALL, given, given, settings)
    again.run(every=1000)
    assert again.checks == trainer.checks
    with pytest.raises(InputError, match="equally many"):
        Pairs(given.coded, given.wanted[1:], given.level)


def test_its_loss() -> None:
    """Ten times the error of one patch counts as much as ten times that of another."""
    wanted = torch.zeros(2, 1, 2, 2)
    made = torch.tensor([0.1, 0.01])[:, None, None, None].expand_as(wanted)
    assert float(restoration_loss(made, wanted)) == pytest.approx(np.log(1e-3), abs=0.01)
    for worse in (made * torch.tensor([10.0, 1.0])[:, None, None, None], made * 10**0.5):
        more = float(restoration_loss(worse, wanted) - restoration_loss(made, wanted))
        assert more == pytest.approx(np.log(10), abs=0.01)
