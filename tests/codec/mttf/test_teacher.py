"""The teacher of motion: where two meshes say that a picture's parts come from."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from codec.mttf.blocks import identity_grid, warped  # noqa: E402
from codec.mttf.lesson import lesson  # noqa: E402
from codec.mttf.teacher import MeshReader, motion_loss  # noqa: E402


def marks(count: int = 200) -> torch.Tensor:
    """[1, P, 2] all over the middle of a picture."""
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.uniform(0.3, 0.7, (1, count, 2)).astype(np.float32))


def test_a_turned_and_shifted_mesh_says_so_everywhere() -> None:
    wanted = marks()
    turn = torch.tensor([[0.98, -0.17], [0.17, 0.98]])
    key = (wanted - 0.5) @ turn.T + 0.5 + torch.tensor([0.05, -0.02])
    taught = lesson(key, wanted, 16)
    grid = identity_grid(16, wanted)
    said = ((grid / 2) @ turn.T + torch.tensor([0.05, -0.02])) * 2
    heard = taught.weight > 0.25
    assert heard.float().mean() > 0.2
    assert (taught.motion - said)[heard].abs().max() < 0.03
    assert float(taught.weight[0, 0, 0]) < 0.05  # nothing is known of the corner


def test_what_moves_by_itself_moves_in_the_lesson() -> None:
    wanted = marks(400)
    mouth = ((wanted - torch.tensor([0.5, 0.6])) ** 2).sum(-1) < 0.06**2
    key = wanted.clone()
    key[mouth] += torch.tensor([0.0, -0.05])
    motion = lesson(key, wanted, 32).motion - identity_grid(32, wanted)
    assert float(motion[0, 19, 16, 1]) == pytest.approx(-0.1, abs=0.025)
    assert float(motion[0, 12, 16].abs().max()) < 0.025


def test_a_key_seen_through_the_lesson_is_what_is_wanted() -> None:
    line = torch.linspace(0, 1, 64)
    picture = torch.exp(-((line[:, None] - 0.55) ** 2 + (line[None] - 0.45) ** 2) / 0.01)
    wanted = torch.roll(picture, (4, -3), (0, 1))[None, None]
    place = marks(300)
    shift = torch.tensor([3 / 64, -4 / 64])
    seen = warped(picture[None, None], lesson(place + shift, place, 64).motion)
    inside = slice(22, 42)
    assert (seen - wanted)[..., inside, inside].abs().max() < 0.05
    assert (picture - wanted)[..., inside, inside].abs().max() > 0.3


def test_the_loss_is_in_hundredths_of_a_half() -> None:
    place = marks()
    taught = lesson(place, place, 8)
    same = identity_grid(8, place)
    assert float(motion_loss(same, taught)) == pytest.approx(0, abs=1e-3)
    assert float(motion_loss(same + torch.tensor([0.01, 0.0]), taught)) == pytest.approx(
        1, abs=1e-3
    )


def test_the_reader_learns_to_read_a_mesh_off_vectors() -> None:
    rng = np.random.default_rng(2)
    moves = rng.normal(size=(3, 40))
    turns = rng.normal(size=(200, 3))
    meshes = (0.5 + 0.02 * (turns @ moves)).reshape(200, 20, 2).astype(np.float32)
    torch.manual_seed(0)
    reader = MeshReader(6, meshes)
    vectors = torch.from_numpy(np.hstack([turns, rng.normal(size=(200, 3))]).astype(np.float32))
    optimiser = torch.optim.Adam(reader.parameters(), lr=0.03)
    first = float(reader(vectors, torch.from_numpy(meshes)).detach())
    for _ in range(150):
        optimiser.zero_grad()
        lost = reader(vectors, torch.from_numpy(meshes))
        lost.backward()
        optimiser.step()
    assert float(lost.detach()) < 0.15 * first
