"""The fallback's trainer trains every method, and its weights are found, loaded and coded with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("imageio_ffmpeg")
Image = pytest.importorskip("PIL.Image")

from avatar.errors import FormatError, InputError  # noqa: E402
from bench.codec import Clip, run_point  # noqa: E402
from bench.codecs import codecs  # noqa: E402
from bench.generative.keypoints import UNIT  # noqa: E402
from bench.generative.settings import METHODS, MethodSettings  # noqa: E402
from codec.mttf.runtime import Runtime  # noqa: E402
from codec.mttf.train import Trainer, TrainSettings  # noqa: E402
from codec.mttf.vectors import STEP, statistics_of  # noqa: E402
from codec.mttf.weights import load_weights, save_weights  # noqa: E402
from service.fallback.training import train  # noqa: E402
from tests.bench.generative.conftest import learned_from, mesh, tiny_of  # noqa: E402
from tests.codec.mttf.conftest import people, scene  # noqa: E402

SMALL = TrainSettings(steps=40, batch=4, rate=3e-3, sides=((16, 0.5), (32, 0.5)))


def test_it_learns_and_goes_on_where_it_was_stopped(tiny_method, tmp_path) -> None:
    portraits = learned_from(tiny_method)

    def fresh() -> Trainer:
        return Trainer(tiny_method, portraits, portraits.of([1]), SMALL)

    trainer = fresh()
    first = np.mean([sum(trainer.step().values()) for _ in range(3)])
    trainer.run(until=17, every=1000)
    last = np.mean([sum(trainer.step().values()) for _ in range(5)])
    assert last < 0.8 * first
    trainer.save(tmp_path / "at22")
    trainer.run(until=24, every=1000)
    again = fresh()
    again.load(tmp_path / "at22")
    again.run(until=24, every=1000)
    assert again.checks == trainer.checks


def test_its_penalties_are_learned_from(tiny_method) -> None:
    portraits = learned_from(tiny_method)
    trainer = Trainer(tiny_method, portraits, portraits, SMALL)
    asked = {
        "fomm": {"equivariance", "jacobians"},
        "fv2v": {"equivariance", "prior", "displacements"},
        "dac": {"equivariance"},
        "tps": {"equivariance"},
        "mraa": {"equivariance", "axes"},
    }
    found = trainer.step()
    assert set(found) >= {"perceptual", "pixels", "rate", "motion", "mesh"}
    assert "mask" not in found  # no method here tells the person from the background
    assert set(found) >= asked.get(tiny_method.method, set())


def save(settings: MethodSettings, path: Path) -> None:
    torch.manual_seed(0)
    net = settings.network()
    tensors = {name: t.numpy() for name, t in net.state_dict().items()}
    rows = np.random.default_rng(0).normal(0, 8, (9, settings.numbers))
    save_weights(path, settings, tensors, statistics_of(rows), {"steps": 0})


def test_weights_say_which_network_they_are_of(tiny_method, tmp_path) -> None:
    save(tiny_method, tmp_path / "w.safetensors")
    weights = load_weights(tmp_path / "w.safetensors", {tiny_method.name: tiny_method})
    runtime = Runtime(weights)
    picture = scene(0.0)
    assert runtime.vectors(picture).shape == (tiny_method.numbers,)
    made = runtime.generate(runtime.hold(picture), runtime.vectors(picture))
    assert float(np.abs(made.astype(int) - picture).mean()) < 8
    with pytest.raises(FormatError, match="holds no weights"):
        load_weights(tmp_path / "w.safetensors")
    with pytest.raises(FormatError, match="do not fit"):
        Runtime(replace(weights, settings=replace(tiny_method, residuals=2)))


def test_landmarks_are_asked_of_what_is_learned_from() -> None:
    with pytest.raises(InputError, match="meshes of 20 marks have no 68 landmarks"):
        Trainer(tiny_of("bilayer"), people(), people(), SMALL)


def test_landmarks_travel_with_key_frames_too(tmp_path) -> None:
    kind = tiny_of("bilayer")
    save(kind, tmp_path / "w.safetensors")
    runtime = Runtime(load_weights(tmp_path / "w.safetensors", {kind.name: kind}))
    assert runtime.guided
    said, sent = runtime.face(mesh(0.1)), runtime.vectors(scene(0.1), mesh(0.1))
    assert np.abs(np.array(said) * STEP - sent).max() <= STEP / 2
    moved = runtime.vectors(scene(0.1), mesh(0.2))
    assert moved - sent == pytest.approx(np.tile([2 * 0.1 * UNIT, 0.0], 68), abs=1e-3)
    held = runtime.hold(scene(0.1), said)
    assert runtime.generate(held, moved).shape == (64, 64, 3)


def test_without_weights_they_are_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    for kind in METHODS.values():
        codec = codecs()[kind.method]
        assert codec.missing() == (
            f"needs {kind.name}.safetensors in a folder that $FACEWIRE_MODELS names"
        )
        assert f"{kind.numbers} numbers a frame" in codec.title


def test_every_method_goes_through_the_labs_door(tmp_path, monkeypatch) -> None:
    """A person that jumps: DAC sends another key frame, the others bear it."""
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    shown = [scene(0.0, 128)] * 2 + [scene(0.35, 128, seed=4)] * 2
    clip = Clip("jump", np.stack(shown), fps=2.0)  # time enough that a key frame is affordable
    keys = {}
    for kind in METHODS.values():
        save(kind, tmp_path / kind.file)
        codec = codecs()[kind.method]
        assert codec.missing() == ""
        found = run_point(codec, clip, 52)
        assert set(found.parts) == {"header", "key frames", "vectors"}
        assert found.settings.endswith(f"{kind.numbers} numbers a frame")
        assert ("the first alone" in found.settings) == (kind.method != "dac")
        assert found.kmac is not None and found.kmac > 10
        assert np.abs(found.frames[0].astype(int) - clip.frames[0]).mean() < 12
        keys[kind.method] = found.parts["key frames"]
    assert keys.pop("dac") > max(keys.values())
    assert len(set(keys.values())) == 1


def test_strategies_build_on_dac(tmp_path, monkeypatch) -> None:
    """A person that jumps: two key frames, of which MRDAC may take both; HDAC's layer follows."""
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    assert codecs()["hdac"].missing().startswith("needs dac-lite.safetensors")
    dac = METHODS["dac-lite"]
    save(dac, tmp_path / dac.file)
    shown = [scene(0.0, 128)] * 3 + [scene(0.35, 128, seed=4)] * 3
    clip = Clip("jump", np.stack(shown), fps=2.0)
    plain, hybrid, several = (
        run_point(codecs()[name], clip, point)
        for name, point in (("dac", 42), ("hdac", 8), ("mrdac", 42))
    )
    assert "layer" in hybrid.parts and "layer" not in plain.parts
    away = [np.abs(f.frames.astype(float) - clip.frames).mean() for f in (plain, hybrid)]
    assert away[1] < away[0]
    assert "two-sided" in several.settings and "two-sided" not in plain.settings


def test_rdac_codes_what_dac_is_off(tmp_path, monkeypatch) -> None:
    """A person that goes and comes: the first key frame stays, and what it is off is sent."""
    monkeypatch.setenv("FACEWIRE_MODELS", str(tmp_path))
    codec = codecs()["rdac"]
    assert codec.missing() == ("needs dac-lite.safetensors in a folder that $FACEWIRE_MODELS names")
    assert codec.points == (32.0, 27.0, 22.0, 17.0)
    save(METHODS["dac-lite"], tmp_path / "dac-lite.safetensors")
    shown = [scene(0.03 * (n % 6), 128) for n in range(10)]
    clip = Clip("goes", np.stack(shown))
    coarse, fine = (run_point(codec, clip, point) for point in (32, 17))
    animated = codec.animation.code(clip, 17)
    assert set(fine.parts) == {"header", "key frames", "vectors", "residuals"}
    assert {**animated.parts, "residuals": fine.parts["residuals"]} == fine.parts
    assert 0 < coarse.parts["residuals"] < fine.parts["residuals"]
    assert "the first alone" in fine.settings
    assert fine.settings.endswith("residuals by hevc at QP 36, anew every 8")
    away = [np.abs(f.frames.astype(float) - clip.frames).mean() for f in (animated, coarse, fine)]
    assert away[2] < away[1] < away[0] and away[2] < 0.3 * away[0]
    with pytest.raises(InputError, match="no QP 22.5"):
        run_point(codec, clip, 22.5)


def test_the_fallbacks_training_command_trains_a_method(tmp_path) -> None:
    """A folder of crops in, weights and a checkpoint of the method's own name out."""
    folder, shown = tmp_path / "crops", people()
    names = [f"c{n}" for n in range(6)]  # so many people that one of them is a check
    for name in names:
        (folder / name).mkdir(parents=True)
        for n in range(4):
            path = folder / name / f"{n}.jpg"
            Image.fromarray(shown.pictures[n]).save(path)
            Image.fromarray(shown.mattes[n]).save(path.with_suffix(".png"))
            np.save(path.with_suffix(".npy"), np.full((482, 2), 0.5, np.float16))
    (folder / "people.json").write_text(json.dumps({name: n for n, name in enumerate(names)}))
    kind, out = tiny_of("dac"), tmp_path / "dac-tiny.safetensors"
    card = train(folder, out, tmp_path, kind, replace(SMALL, steps=2), every=1)
    assert card["steps"] == 2 and (tmp_path / "dac-tiny.checkpoint").is_file()
    assert (tmp_path / "dac-tiny.png").is_file()
    assert load_weights(out, {kind.name: kind}).statistics.mean.shape == (20,)
    assert train(folder, out, tmp_path, kind, replace(SMALL, steps=3), resume=True)["steps"] == 3
