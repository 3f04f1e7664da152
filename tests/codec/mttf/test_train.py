"""The trainer: what it draws, that it learns, that it can be stopped and goes on the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from avatar.errors import InputError  # noqa: E402
from codec.mttf.blocks import identity_grid  # noqa: E402
from codec.mttf.losses import still_loss, warp_loss  # noqa: E402
from codec.mttf.pairs import Look, PairSampler  # noqa: E402
from codec.mttf.portraits import Portraits, held_out_clips  # noqa: E402
from codec.mttf.train import Trainer, TrainSettings  # noqa: E402
from tests.codec.mttf.conftest import people  # noqa: E402
from tests.codec.mttf.test_guide import GUIDED, face  # noqa: E402

SMALL = TrainSettings(steps=40, batch=4, rate=3e-3, sides=((16, 0.5), (32, 0.5)))


@pytest.fixture
def portraits() -> Portraits:
    return people()


def test_a_person_is_never_on_both_sides(portraits) -> None:
    assert set(portraits.without([0]).person) == {1, 2}
    assert set(portraits.of([0]).clip) == {0, 1}
    with pytest.raises(InputError, match="nobody"):
        portraits.of([9])
    assert len(held_out_clips()) == 11  # of ten people, one in two clips
    with pytest.raises(InputError, match="equally many"):
        replace(portraits, clip=portraits.clip[1:])


def test_pairs_are_of_one_clip_and_change_alike(portraits) -> None:
    sampler = PairSampler(portraits.of([1]))
    plain = sampler.draw(np.random.default_rng(0), 3, 64, jitter=False)
    shown = [torch.from_numpy(p.transpose(2, 0, 1).copy()) / 255 for p in portraits.pictures[8:12]]
    for key, wanted in zip(plain.key, plain.wanted):
        assert any(torch.allclose(key, s, atol=1e-6) for s in shown)
        assert any(torch.allclose(wanted, s, atol=1e-6) for s in shown)
        assert not torch.equal(key, wanted)
    batch = sampler.draw(np.random.default_rng(3), 4, 32)
    assert batch.key.shape == batch.wanted.shape == (4, 3, 32, 32)
    assert batch.mattes.shape == (2, 4, 1, 32, 32)
    # The ground does not move, so that it is the same in both, however they were changed.
    corner = (batch.key - batch.wanted)[:, :, 28:, :4].abs().max()
    assert float(corner) < 0.02
    assert batch.meshes.shape == (2, 4, 20, 2)
    one = portraits.of([1])
    one = replace(one, **{n: a[:1] for n, a in vars(one).items() if n != "mirror"})
    with pytest.raises(InputError, match="two pictures"):
        PairSampler(one)


def test_marks_stay_on_what_they_mark_however_it_is_looked_at() -> None:
    """A dot in a picture is where its landmark says; turned, cut and mirrored looks alike."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0.4, 0.6, (6, 2)).astype(np.float32)
    line = (np.arange(128) + 0.5) / 128
    off = (line - places[:, :1, None]) ** 2 + (line[:, None] - places[:, 1:, None]) ** 2
    dots = torch.from_numpy(np.exp(-off / 0.001)).float()[:, None]
    look = Look.drawn(rng, 6, dots)
    marks = torch.from_numpy(places)[None, :, None].repeat(2, 1, 1, 1)
    moved = look.marks(marks, torch.zeros(1, dtype=torch.int64))[0, :, 0]
    for side in (128, 64):
        seen = look.seen(dots, side)[:, 0]
        grid = (torch.arange(side) + 0.5) / side
        x = (seen.sum(1) * grid).sum(1) / seen.sum((1, 2))
        y = (seen.sum(2) * grid).sum(1) / seen.sum((1, 2))
        assert (torch.stack([x, y], 1) - moved).abs().max() < 0.01
    assert set(look.mirrored.tolist()) == {True, False}
    corners = torch.tensor([[-1.0, -1], [1, -1], [-1, 1], [1, 1]])
    shown = corners @ look.turn.mT + look.middle[:, None]
    assert float(shown.abs().max()) <= 1 + 1e-5  # nothing beyond the picture


def test_it_learns(tiny, portraits) -> None:
    trainer = Trainer(tiny, portraits, portraits.of([1]), SMALL)
    before = trainer.check()
    assert before.still_error > before.error * 0.5
    first = np.mean([sum(trainer.step().values()) for _ in range(5)])
    trainer.run(every=1000)
    last = np.mean([sum(trainer.step().values()) for _ in range(5)])
    assert last < 0.8 * first
    assert trainer.checks[-1].step == 40
    assert trainer.sheet(2).shape == (96, 64, 3)


def test_a_guided_network_learns_with_what_it_sends(portraits) -> None:
    """The guide's model is of the meshes learned from, is no gradient's, and no teacher speaks."""
    rng = np.random.default_rng(0)
    meshes = np.stack([face(rng.uniform(-0.4, 0.4)) for _ in portraits.clip])
    portraits = replace(portraits, meshes=meshes, mirror=np.arange(482))
    guided = replace(GUIDED, mesh=12)  # fewer numbers than pictures
    trainer = Trainer(guided, portraits, portraits.of([1]), SMALL)
    guide = trainer.net.guide
    model = guide.motion.clone(), guide.shape.clone()
    assert float(guide.mean.std()) > 0.05
    parts = [trainer.step() for _ in range(12)]
    assert "detail" in parts[0] and "motion" not in parts[0]
    assert parts[0]["rate"] == 0 < parts[-1]["rate"]
    assert sum(p["detail"] for p in parts[-3:]) < sum(p["detail"] for p in parts[:3])
    assert torch.equal(guide.motion, model[0]) and torch.equal(guide.shape, model[1])
    assert trainer.vectors(portraits.pictures[:3], meshes[:3]).shape == (3, guided.numbers)
    assert torch.equal(trainer.kept.guide.motion, model[0])


def test_stopped_and_resumed_it_is_the_same(tiny, portraits, tmp_path) -> None:
    def fresh() -> Trainer:
        return Trainer(tiny, portraits, portraits.of([2]), SMALL)

    through = fresh()
    through.run(until=6, every=3)
    part = fresh()
    part.run(until=3, every=3)
    part.save(tmp_path / "at3")
    rest = fresh()
    rest.step()  # whatever it did before
    rest.load(tmp_path / "at3")
    rest.run(until=6, every=3)
    assert rest.checks == through.checks and rest.done == 6
    for a, b in zip(through.net.state_dict().values(), rest.net.state_dict().values()):
        assert torch.equal(a, b)
    few = portraits.pictures[:3], portraits.meshes[:3]
    assert np.array_equal(through.vectors(*few), rest.vectors(*few))


def test_a_checkpoint_goes_on_on_another_device(tiny, portraits, tmp_path) -> None:
    """A GPU's optimiser keeps its rate and steps as tensors, and says that it can be recorded."""
    first = Trainer(tiny, portraits, portraits.of([2]), SMALL)
    first.run(until=2)
    first.save(tmp_path / "cpu")
    state = torch.load(tmp_path / "cpu", weights_only=True)
    for group in state["optimiser"]["param_groups"]:
        group |= {"lr": torch.tensor(1.0), "capturable": True, "fused": True}
    torch.save(state, tmp_path / "gpu")
    found = []
    for name in ("cpu", "gpu"):
        again = Trainer(tiny, portraits, portraits.of([2]), SMALL)
        again.load(tmp_path / name)
        again.step()
        found.append(again.net.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(found[0].values(), found[1].values()))


def test_trained_weights_are_a_start(tiny, portraits) -> None:
    first = Trainer(tiny, portraits, portraits.of([2]), SMALL)
    first.run(until=3)
    tensors = {name: value.numpy() for name, value in first.kept.state_dict().items()}
    second = Trainer(tiny, portraits, portraits.of([2]), SMALL)
    assert second.check().psnr != pytest.approx(first.check().psnr, abs=1e-4)
    second.start_from(tensors)
    assert second.done == 0 and second.check().psnr == pytest.approx(first.check().psnr, abs=1e-4)
    with pytest.raises(InputError, match="another network"):
        second.start_from({"factors": np.zeros(3, np.float32)})


def test_checkpoints_of_something_else(tiny, portraits, tmp_path) -> None:
    trainer = Trainer(tiny, portraits, portraits, SMALL)
    trainer.save(tmp_path / "one")
    other = Trainer(replace(tiny, predictor=4), portraits, portraits, SMALL)
    with pytest.raises(InputError, match="another network"):
        other.load(tmp_path / "one")
    (tmp_path / "bad").write_bytes(b"PK no")
    with pytest.raises(InputError, match="cannot be read"):
        trainer.load(tmp_path / "bad")
    with pytest.raises(InputError, match="cannot be read"):
        trainer.load(tmp_path / "none")


def test_the_rate_falls_at_60_and_90_percent(tiny, portraits) -> None:
    trainer = Trainer(tiny, portraits, portraits, replace(SMALL, steps=10, rate=1.0))
    rates = []
    for trainer.done in range(10):
        rates.append(trainer._rate())
    assert rates == [1.0] * 6 + [0.1] * 3 + [0.01]


def test_the_teacher_fades_and_needs_meshes(tiny, portraits) -> None:
    trainer = Trainer(tiny, portraits, portraits, replace(SMALL, steps=4, taught=0.5))
    assert ["motion" in trainer.step() for _ in range(4)] == [True, True, False, False]
    bare = replace(portraits, meshes=portraits.meshes[:, :0], mirror=portraits.mirror[:0])
    assert "motion" not in Trainer(tiny, bare, bare, SMALL).step()


def test_the_motion_is_told_what_it_shows_by_itself(tiny) -> None:
    """The right motion loses nothing where the person is, wherever the ground goes."""
    rng = np.random.default_rng(0)
    key = torch.from_numpy(rng.random((1, 3, 16, 16))).float()
    wanted = key.roll(4, 3)
    matte = torch.zeros(1, 1, 16, 16)
    matte[..., 4:12] = 1
    stay = identity_grid(16, key)
    moved = stay - torch.tensor([8 / 16, 0.0])
    assert float(warp_loss(moved, key, wanted, matte)) < 0.01
    assert float(warp_loss(stay, key, wanted, matte)) > 0.1
    assert "warp" in Trainer(tiny, people(), people(), SMALL).step()


def test_a_background_that_both_show_stays() -> None:
    stay = identity_grid(16, torch.zeros(1))
    mattes = torch.zeros(2, 1, 1, 32, 32)
    mattes[0, ..., 8:16], mattes[1, ..., 16:24] = 1, 1
    moved = stay.clone()
    moved[:, :, 4:12] += 0.3  # where one of them shows the person
    assert float(still_loss(moved, mattes)) == pytest.approx(0, abs=1e-4)
    assert float(still_loss(stay + torch.tensor([0.02, 0.0]), mattes)) == pytest.approx(2, abs=1e-3)


class HostWatch(TorchDispatchMode):
    """Notes what a recorded step could not do: take something from the host, or look at a value."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in ("lift_fresh", "_local_scalar_dense", "nonzero", "is_nonzero", "equal"):
            self.seen.add(name)
        return function(*args, **(kwargs or {}))


def test_a_step_can_be_recorded(portraits) -> None:
    """All but the first, which makes what lasts."""
    rng = np.random.default_rng(0)
    meshes = np.stack([face(rng.uniform(-0.4, 0.4)) for _ in portraits.clip])
    portraits = replace(portraits, meshes=meshes, mirror=np.arange(482))
    trainer = Trainer(replace(GUIDED, mesh=12), portraits, portraits.of([1]), SMALL)
    batch = trainer._sampler.draw(rng, 4, 32)
    noise, young = torch.zeros(4, trainer.net.settings.numbers), torch.tensor(0.5)
    given = (batch.key, batch.wanted, batch.mattes, batch.meshes, noise, young)
    seen = []
    for _ in range(2):
        with HostWatch() as watch:
            total, _ = trainer._forward(True, None, *given)
            total.backward()
        seen.append(watch.seen)
    assert seen[1] == set()
    with HostWatch() as watch:  # it would have noticed
        batch.meshes[:, :, [1, 2]].sum().item()
    assert "_local_scalar_dense" in watch.seen
