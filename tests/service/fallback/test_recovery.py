"""Portrait Recovery from crops to a file that says when it is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("av")
Image = pytest.importorskip("PIL.Image")

from codec.container import read_stream  # noqa: E402
from codec.mttf.packet import KeyFrame  # noqa: E402
from codec.mttf.recovery import COARSE, Recovery, RecoverySettings, level_of  # noqa: E402
from codec.mttf.recovery_file import FILE, load_recovery  # noqa: E402
from codec.mttf.recovery_training import RecoveryTraining  # noqa: E402
from service.calls.fallback_end import CallFallback, FallbackEnd  # noqa: E402
from service.fallback import receiver, recovery_pairs, sender  # noqa: E402
from service.fallback.recovery_pairs import PairSettings, pairs_of  # noqa: E402
from service.fallback.recovery_training import lessons_of, train_recovery  # noqa: E402
from tests.codec.mttf.conftest import TINY, people, scene  # noqa: E402
from tests.codec.mttf.test_recovery import weights_of  # noqa: E402
from tests.codec.mttf.untrained import untrained  # noqa: E402

QUICK = PairSettings(count=5, shares=(("hevc", 1.0),))


def test_pairs_are_coded_once(tmp_path, monkeypatch) -> None:
    given, path = people(), tmp_path / "pairs.npz"
    pairs = pairs_of(given, path, QUICK)
    assert pairs.coded.shape == pairs.wanted.shape == (5, 64, 64, 3)
    assert pairs.level.min() >= 1 and pairs.level.max() <= level_of("hevc", 51)
    error = np.abs(pairs.coded.astype(int) - pairs.wanted).mean((1, 2, 3))
    assert (error > 0).all() and (error < 20).all()
    calls: list[int] = []
    true = recovery_pairs.encode_key
    monkeypatch.setattr(
        recovery_pairs, "encode_key", lambda p, n, qp: (calls.append(qp), true(p, n, qp))[1]
    )
    again = pairs_of(given, path, QUICK)
    assert not calls and np.array_equal(again.coded, pairs.coded)
    more = pairs_of(given, path, replace(QUICK, count=7))
    assert len(calls) == 2 and np.array_equal(more.coded[:5], pairs.coded)
    assert min(calls) >= COARSE
    other = replace(given, pictures=255 - given.pictures)
    assert len(pairs_of(other, path, QUICK).coded) == 5 and len(calls) == 7
    path.write_bytes(b"PK no")
    pairs_of(given, path, QUICK)
    assert len(calls) == 12


def test_from_crops_to_weights(tmp_path, monkeypatch) -> None:
    given = people()
    monkeypatch.setattr(
        "service.fallback.recovery_training.read_portraits",
        lambda folder: (given, {"a": 0, "b": 1, "c": 2}),
    )
    monkeypatch.setattr(
        "service.fallback.recovery_training.split",
        lambda portraits, people: (portraits.of([0, 1]), portraits.of([2])),
    )
    told: list[float] = []
    lessons = lessons_of(tmp_path, tmp_path, QUICK, lambda done, total: told.append(done))
    assert lessons.people == 2 and told == [1, 2, 3, 4, 5]
    settings = RecoveryTraining(steps=3, batch=2, side=32)
    network = RecoverySettings(width=8, blocks=1)
    out = tmp_path / FILE
    card = train_recovery(lessons, out, settings, network, every=2)
    weights = load_recovery(out)
    assert weights.card == card and (card["steps"], card["pairs"]) == (3, 5)
    assert [check["step"] for check in card["checks"]] == [2, 3]
    picture = Recovery(weights).restored(given.pictures[0], 9)
    assert picture.shape == (64, 64, 3)


def test_the_command_says_what_it_cannot(tmp_path, capsys) -> None:
    from demo.cli import main

    words = ["train-mttf", str(tmp_path), "-o", str(tmp_path / FILE), "--part", "recovery"]
    for more in (["--resume"], ["--method", "dac"]):
        assert main([*words, *more]) == 2
        assert "--part recovery is one network" in capsys.readouterr().err


def test_a_file_says_what_it_lacks(make_video, tmp_path, monkeypatch) -> None:
    weights, recovery = untrained(TINY), Recovery(weights_of(2 / 255))
    monkeypatch.setattr(sender, "recovery_at_hand", lambda: recovery)
    source = make_video([scene(0.02 * n) for n in range(4)])
    out = tmp_path / "call.fw"
    settings = sender.FallbackSettings(kbps=60.0, side=64, qp=30)
    monkeypatch.setattr(recovery, "measured", _always(recovery))
    sender.encode_fallback(source, out, weights, settings)
    chunks = read_stream(out).fallback
    keys = [KeyFrame.parse(c.body) for c in chunks if c.kind == KeyFrame.kind]
    assert all(key.recovery == 5 and key.restorer == recovery.name for key in keys)
    for here, count in ((recovery, 0), (None, 1)):
        monkeypatch.setattr(receiver, "recovery_at_hand", lambda device, here=here: here)
        shown = receiver.decode_fallback(out, weights, tmp_path / "shown.mkv")
        assert len(shown.warnings) == count
    assert shown.warnings == (receiver.unrestored(len(keys)),)
    assert "1 key frame is shown as it was coded" in receiver.unrestored(1)


def _always(recovery: Recovery):
    def measured(key, shown, wanted, qp):
        return replace(key, recovery=5, restorer=recovery.name), recovery.restored(shown, 5)

    return measured


def test_an_end_of_a_call_counts_what_it_lacks() -> None:
    from codec.mttf.keyframe import encode_key
    from codec.session.playout import Shown

    weights, recovery = untrained(TINY), Recovery(weights_of(20 / 255))
    data = encode_key(scene(0.1), "av1", 40)
    key = KeyFrame(0, 0, 2, 64, data, 9, recovery.name)
    shown, pictures = Shown(0, 0, np.zeros(8, np.float32), True, "exact"), []
    for here, count in ((recovery, 0), (None, 1)):
        end = FallbackEnd(weights, CallFallback(side=64), recovery=here).anew()
        end._keys_in._held[0] = (0, key)
        end._keys_in._name(0, 0)
        pictures.append(end.picture(shown))
        assert end.unrestored == count and end.damaged == 0
    assert pictures[0].mean() > pictures[1].mean() + 5
