"""The guide of motion: meshes to a few numbers and back, and what a receiver makes of them."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from avatar.errors import InputError, StreamError  # noqa: E402
from avatar.morphable import FaceModel  # noqa: E402
from codec.mttf.blocks import identity_grid  # noqa: E402
from codec.mttf.guide import BODY, LANDMARKS, MARKS, Guide  # noqa: E402
from codec.mttf.lesson import lesson  # noqa: E402
from codec.mttf.network import Mttf  # noqa: E402
from codec.mttf.outlines import EYES, LIPS, MOUTH, outlined  # noqa: E402
from codec.mttf.runtime import Runtime  # noqa: E402
from tests.codec.mttf.conftest import TINY  # noqa: E402
from tests.codec.mttf.untrained import untrained  # noqa: E402

GUIDED = replace(TINY, name="guided", mesh=20, shape=6)


def face(
    turn: float = 0.0, smile: float = 0.0, wide: float = 1.0, at=(0.5, 0.5), body=(0.0, 0.0)
) -> np.ndarray:
    """[482, 2] the model's mean head in the middle of a picture, turned by `turn` radians, and the
    body's marks, shifted by `body`."""
    model = FaceModel.load()
    points = model.mean + smile * model.expression[7]
    x = points[:, 0] * wide * np.cos(turn) + points[:, 2] * np.sin(turn)
    flat = np.stack([x, -points[:, 1]], axis=-1)
    flat = flat / (2.5 * np.ptp(model.mean[:, 1]))
    return np.concatenate([flat - flat.mean(axis=0) + at, BODY + body]).astype(np.float32)


@pytest.fixture(scope="module")
def meshes() -> tuple[np.ndarray, np.ndarray]:
    """Twelve pictures each of six people."""
    rng = np.random.default_rng(0)
    rows, clips = [], []
    for person in range(6):
        wide = rng.uniform(0.85, 1.15)
        for _ in range(12):
            turn, smile = rng.uniform(-0.4, 0.4), rng.uniform(-2, 2)
            rows.append(face(turn, smile, wide, rng.uniform(0.4, 0.6, 2)))
            clips.append(person)
    return np.stack(rows), np.array(clips)


@pytest.fixture(scope="module")
def guide(meshes) -> Guide:
    found = Guide(20, 6)
    found.learn(*meshes)
    return found


def test_a_mesh_comes_back_from_its_numbers(guide) -> None:
    one = torch.from_numpy(face(0.3, 1.0, 1.1, (0.42, 0.55)))[None]
    said = guide.face(one)
    assert said.shape == (1, 26) and guide.count == 20
    off = (guide.mesh(said) - one).norm(dim=-1)
    assert float(off.mean()) < 0.5 / 256
    # Somebody it has not seen, moved as nobody: an affine motion is always among the numbers.
    moved = (one - 0.5) @ torch.tensor([[1.2, 0.3], [-0.3, 0.8]]) + 0.45
    other = guide.mesh(torch.cat([guide.face(moved)[:, :20], said[:, 20:]], dim=1))
    assert float((other - guide.mesh(said) - (moved - one)).norm(dim=-1).mean()) < 1.5 / 256


def test_bases_are_orthonormal(guide) -> None:
    both = torch.cat([guide.motion, guide.shape])
    products = both @ both.T
    real = products.diag() > 0.5  # six people have five differences
    assert torch.allclose(products[real][:, real], torch.eye(int(real.sum())), atol=1e-4)
    assert int(real[20:].sum()) == 5


def test_a_step_is_a_fraction_of_a_pixel(guide) -> None:
    said = guide.face(torch.from_numpy(face())[None])
    rng = np.random.default_rng(1)
    noise = torch.from_numpy(rng.uniform(-0.5, 0.5, (64, 20)).astype(np.float32)) * 0.125
    off = guide.mesh(said + torch.cat([noise, torch.zeros(64, 6)], 1)) - guide.mesh(said)
    assert 0.05 < 256 * float(off.norm(dim=-1).square().mean().sqrt()) < 0.5


def test_too_few_meshes_are_refused(meshes) -> None:
    rows, clips = meshes
    with pytest.raises(InputError, match="5 meshes of 482"):
        Guide(20, 6).learn(rows[:5], clips[:5])
    with pytest.raises(InputError, match="of 20 marks"):
        Guide(20, 6).learn(rows[:, :20], clips)


def test_what_it_tells_is_the_meshes_own_lesson(guide) -> None:
    key, wanted = (torch.from_numpy(face(*how))[None] for how in ((0.0, 0.0), (0.25, 1.5)))
    told = guide(guide.face(key), guide.face(wanted)[:, :20], 32)
    taught = lesson(key[:, :LANDMARKS], wanted[:, :LANDMARKS], 32, guide.depth)
    sure = taught.weight[0] > 0.5
    assert 0.05 < float(sure.float().mean()) < 0.6
    off = (told.motion[:, 0] - taught.motion)[0][sure].norm(dim=-1)
    assert float(off.mean()) * 128 < 0.5  # pixels of 256
    moved = (taught.motion - identity_grid(32, key))[0][sure].norm(dim=-1)
    assert float(moved.mean()) * 128 > 2
    assert torch.allclose(told.hints[:, 0], taught.weight, atol=0.05)


def test_without_a_face_everything_stays(guide) -> None:
    told = guide(None, torch.randn(2, 20), 16)
    assert torch.equal(told.motion, identity_grid(16, told.motion).expand(2, 2, -1, -1, -1))
    assert float(told.hints[:, :2].abs().max()) == 0 and float(told.hints[:, 2:].max()) == -1


def test_the_body_moves_by_itself(guide) -> None:
    """As far as its marks say, below the chin; the head's trust is where the face is."""
    key, wanted = (torch.from_numpy(face(body=at))[None] for at in ((0.0, 0.0), (0.06, 0.03)))
    told = guide(guide.face(key), guide.face(wanted)[:, :20], 32)
    moved = told.motion[0, 1] - identity_grid(32, key)[0]
    assert torch.allclose(moved, torch.tensor([-0.12, -0.06]), atol=0.01)
    assert (told.motion[0, 0] - identity_grid(32, key)[0]).abs().max() < 0.01
    face_trust, body_trust = told.hints[0, 0], told.hints[0, 1]
    assert float(face_trust[16, 16]) > 0.9 and float(body_trust[16, 16]) == 0
    assert float(face_trust[31, 16]) < 0.1 and float(body_trust[31].min()) == 0.5


def test_a_mouth_that_opens_is_new_and_one_that_closes_is_not(guide) -> None:
    shut, open_ = face(), face()
    open_[list(MOUTH[11:]), 1] += 0.06
    open_[14, 1] += 0.06
    for key, wanted, new in ((shut, open_, True), (open_, open_, False), (open_, shut, False)):
        key, wanted = (torch.from_numpy(mesh)[None] for mesh in (key, wanted))
        # The model of meshes has not seen such a mouth: the meshes themselves.
        told = Told(guide, key, wanted)(guide.face(key), guide.face(wanted)[:, :20], 32)
        assert (float(told.novel.max()) > 0.3) == new, (new, told.novel.max())


def test_a_turning_heads_outline_moves_as_what_lies_behind_its_face(guide) -> None:
    model, turn = FaceModel.load(), 0.3
    key, wanted = (torch.from_numpy(face(by))[None, :LANDMARKS] for by in (0.0, turn))
    behind = model.mean[[234, 454], 2].mean() - 0.015 - model.mean[:, 2].mean()  # metres
    moved = -2 * behind * np.sin(turn) / (2.5 * np.ptp(model.mean[:, 1]))
    hair = 4, 16  # well above the forehead
    flat, deep = (
        float(
            lesson(key, wanted, 32, depth).motion[0][hair][0] - identity_grid(32, key)[0][hair][0]
        )
        for depth in (None, guide.depth)
    )
    assert moved > 0.05 and deep == pytest.approx(moved, rel=0.1)
    assert abs(flat) < 0.3 * moved


class Told:
    """A guide whose numbers mean these meshes, the wanted one's first."""

    def __init__(self, guide: Guide, key: torch.Tensor, wanted: torch.Tensor) -> None:
        self._guide, self._meshes = copy.copy(guide), iter([wanted, key])

    def __call__(self, *given):
        self._guide.mesh = lambda face: next(self._meshes)
        return self._guide(*given)


def test_outlines_are_the_polygons(guide) -> None:
    """Against OpenCV's own filling."""
    cv2 = pytest.importorskip("cv2")
    mesh = face(0.2)
    mesh[list(MOUTH), 1] += np.where(np.arange(len(MOUTH)) > 10, 0.06, 0.0)  # open it wide
    maps = outlined(torch.from_numpy(mesh)[None], 256)[0].numpy()
    for drawn, polygons in ((maps[0], [MOUTH]), (maps[1], EYES)):
        filled = np.zeros((256, 256), np.uint8)
        for polygon in polygons:
            places = np.round((mesh[list(polygon)] * 256 - 0.5) * 16).astype(np.int32)
            cv2.fillPoly(filled, [places], 1, shift=4)
        edge = np.abs(drawn) < 1 / (0.03 * 256)  # within a pixel
        assert filled.sum() > 30
        assert np.array_equal(drawn[~edge] > 0, filled[~edge] > 0)
    assert maps[2].max() > 0 and len(LIPS) == len(MOUTH)
    assert (maps[:, 0, 0] == -1).all()


def test_a_guided_network_moves_untrained(meshes) -> None:
    """What it shows follows the face before it has learned anything."""
    torch.manual_seed(0)
    net = Mttf(GUIDED)
    net.guide.learn(*meshes)
    net.eval()
    key, wanted = (torch.from_numpy(face(at=at))[None] for at in ((0.45, 0.5), (0.55, 0.5)))
    line = torch.arange(64) / 64
    blob = torch.exp(-((line[None] - 0.45) ** 2 + (line[:, None] - 0.5) ** 2) / 0.004)
    picture = blob.expand(1, 3, -1, -1) * 0.8 + 0.1
    with torch.no_grad():
        held = net.hold(picture, net.face(key))
        shown = net.generate(held, net.vectors(picture, wanted)).picture[0, 0]
        still = net.generate(net.hold(picture), net.vectors(picture, wanted)).picture[0, 0]
    middles = [float((x - x.min()).mul(line).sum() / (x - x.min()).sum()) for x in (still, shown)]
    assert middles[1] > middles[0] + 0.02
    assert net.told == 26 and net.own(held).shape == (1, GUIDED.numbers)
    assert torch.equal(net.own(held)[:, 8:], net.face(key)[:, :20])


def test_sender_and_receiver_hold_the_same(meshes) -> None:
    weights = untrained(GUIDED)
    runtime = Runtime(weights)
    assert runtime.guided and not Runtime(untrained(TINY)).guided
    picture = np.zeros((64, 64, 3), np.uint8)
    mesh = face()
    said = runtime.face(mesh)
    assert len(said) == 26 and runtime.face(None) == ()
    assert runtime.hold(picture, said).face.shape == (1, 26)
    assert runtime.hold(picture).face is None
    assert Runtime(untrained(TINY)).face(mesh) == ()
    with pytest.raises(StreamError, match="a face of 3 numbers"):
        runtime.hold(picture, (1, 2, 3))
    with pytest.raises(StreamError, match="a face of 26 numbers"):
        Runtime(untrained(TINY)).hold(picture, said)
    assert MARKS == len(mesh)
