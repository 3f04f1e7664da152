"""Pictures in one pass, on a CPU in float32 and half precision, against one after another."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from avatar.avatar import Avatar, Consent, StateStatistics
from avatar.camera import Pinhole
from avatar.errors import InputError, StateError
from avatar.face import StateLayout, Window
from render import crowd
from render.crowd import Crowd, CrowdSettings, stacked
from render.fields.settings import COLOUR, FieldSettings
from render.gathered import plane_samples_gathered, volume_samples_gathered
from render.graph import Replayed
from render.interpolate import in_torch, plane_samples_plain, volume_samples_plain
from render.metrics import psnr
from render.person import Person
from render.picture import pixel_points
from render.portrait import Portrait, RenderSettings
from render.tensors import fields_of, fields_to_arrays, settings_to_json
from render.whole import MARCHED, View, Whole, halved

FIELDS = FieldSettings(
    coarse=(8, 10, 10), plane=24, side=12, channels=8, blend=8, blend_channels=4, warp=(3, 4, 4),
    hidden=16, torso_plane=16, torso_channels=8, background=16,
)  # fmt: skip
LAYOUT = StateLayout()
CPU = torch.device("cpu")
EXACT = CrowdSettings(half=False)


def made_up(seed: int, fields: FieldSettings = FIELDS, focal: float = 2.0) -> Avatar:
    """A ball of a colour of its own before a random wall, with networks that say something."""
    torch.manual_seed(seed)
    person = Person(fields, Pinhole(focal), LAYOUT)
    with torch.no_grad():
        axis = [torch.linspace(-1, 1, n) for n in fields.coarse]
        z, y, x = torch.meshgrid(*axis, indexing="ij")
        person.head.coarse[0, ..., 0] = (0.6 - (x**2 + y**2 + z**2)) * 14.0
        person.head.front[0, ..., COLOUR] = torch.rand(3)
        person.head.warp.normal_(0.0, 0.02)
        person.head.blend.normal_(0.0, 0.1)
        person.torso.plane[0, 12:, :, 0] = 9.0
        person.torso.plane[0, :12, :, 0] = -9.0
        person.background.plane.uniform_()
    mean = np.zeros(LAYOUT.width, np.float32)
    mean[LAYOUT.groups["translation"]] = [0.0, 0.0, -0.45 * focal]
    return Avatar(
        name=f"Nr {seed}", created="2026-01-01T00:00:00+00:00",
        consent=Consent("nobody", "a test", "2026-01-01T00:00:00+00:00", "flag", "1"),
        camera=Pinhole(focal), window=Window(0, 0, 64, 64, 64), layout=LAYOUT,
        statistics=StateStatistics(mean, np.ones_like(mean), np.full_like(mean, 0.01)),
        settings=settings_to_json(fields), tensors=fields_to_arrays(person),
    )  # fmt: skip


@pytest.fixture(scope="module")
def avatars() -> list[Avatar]:
    """Three of one size, two of them with cameras of their own, and one of another size."""
    other = replace(FIELDS, plane=32)
    return [made_up(0), made_up(1, focal=1.6), made_up(2), made_up(3, other, 2.4)]


@pytest.fixture(scope="module")
def states(avatars):
    drawn = np.random.default_rng(5)
    rows = [avatar.statistics.mean.copy() for avatar in avatars]
    for row in rows:
        row[:6] += drawn.normal(size=6)
        row[LAYOUT.groups["rotation"]] = drawn.normal(0, 0.15, 3)
    return rows


def away(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(int) - b)


def test_many_avatars_at_once_are_each_one_alone(avatars, states):
    many = Crowd(avatars, 40, 32, CPU, EXACT)
    assert many.rows == [[0, 1, 2], [3]]
    together = many.render(states)
    for avatar, row, picture in zip(avatars, states, together):
        alone = Crowd([avatar], 40, 32, CPU, EXACT).render([row])[0]
        assert away(picture, alone).max() <= 1
    assert away(together[0], together[1]).mean() > 5


def test_one_avatar_for_many_receivers(avatars, states):
    together = Crowd([avatars[0]] * 2, 32, 32, CPU, EXACT).render(states[:2])
    for row, picture in zip(states, together):
        assert away(picture, Crowd([avatars[0]], 32, 32, CPU, EXACT).render([row])[0]).max() <= 1
    assert away(*together).mean() > 0.5


def test_the_whole_pass_is_the_portraits_picture(avatars, states):
    """Its shortcuts leave out less than half a level; tiles do not show."""
    every = RenderSettings(whole=False, sampling=EXACT.sampling, thrift=None)
    one = Portrait(avatars[1], "cpu", every).render(states[1], 48, 40, fit="extend")
    many = Crowd([avatars[1]], 48, 40, CPU, replace(EXACT, rays=500)).render([states[1]])[0]
    assert away(one, many).max() <= 4 and np.median(away(one, many)) == 0
    assert psnr(one, many) > 45.0


def test_a_portrait_can_be_drawn_by_the_whole_pass(avatars, states):
    quick = Portrait(avatars[0], "cpu", RenderSettings(sampling=EXACT.sampling))
    whole = Portrait(avatars[0], "cpu", RenderSettings(whole=True))
    for size, fit in (((32, 32), "contain"), ((40, 24), "cover"), ((24, 40), "contain")):
        one = quick.render(states[0], *size, fit)
        assert psnr(one, whole.render(states[0], *size, fit)) > 45.0
    green = whole.render(states[0], 24, 24, background=(0, 255, 0))
    assert (
        green[1, 1].tolist()
        == quick.render(states[0], 24, 24, background=(0, 255, 0))[1, 1].tolist()
    )


def test_half_precision_stays_with_its_twin(avatars, states):
    exact = Crowd(avatars, 32, 32, CPU, EXACT).render(states)
    half = Crowd(avatars, 32, 32, CPU, CrowdSettings()).render(states)
    assert np.median(away(exact, half)) < 1 and psnr(exact, half) > 45.0
    assert away(exact, half).any()  # it was another computation


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_gathers_are_the_plain_operators(kind):
    torch.manual_seed(1)
    points = torch.rand(3, 50, 3) * 3.0 - 1.5
    for grids in (1, 3):
        planes = torch.randn(grids, 7, 5, 4).to(kind)
        volumes = torch.randn(grids, 4, 6, 5, 2).to(kind)
        torch.testing.assert_close(
            plane_samples_gathered(planes, points[..., :2]),
            plane_samples_plain(planes.float(), points[..., :2]),
            atol=1e-5, rtol=1e-5,
        )  # fmt: skip
        torch.testing.assert_close(
            volume_samples_gathered(volumes, points),
            volume_samples_plain(volumes.float(), points),
            atol=1e-5, rtol=1e-5,
        )  # fmt: skip


@pytest.mark.parametrize("marched", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_a_compiler_sees_the_pass_as_one_graph(avatars, states, count, marched):
    """Each break would be launches, and copies between them, of its own."""
    persons = [halved(fields_of(avatar)) for avatar in avatars[:count]]
    if count == 1:
        whole = Whole(persons[0], EXACT.sampling, marched)
    else:
        whole = stacked(persons, EXACT.sampling, marched)
    view = View.of(pixel_points(0.0, 0.0, 1.0, 1.0, 12, 12))
    values = torch.from_numpy(np.stack(states[:count]))
    compiled = torch.compile(whole, fullgraph=True, backend="aot_eager", dynamic=False)
    with torch.no_grad(), in_torch():
        rest = view.points, view.lattice, view.unit
        torch.testing.assert_close(
            compiled(values, *rest), whole(values, *rest), atol=1 / 255, rtol=0.0
        )


def test_the_march_is_the_fine_stage(avatars, states):
    """For one person, and for many stacked, whose grids it takes as they are."""
    persons = [fields_of(avatar) for avatar in avatars[:3]]
    view = View.of(pixel_points(0.0, 0.0, 1.0, 1.0, 20, 16))
    rest = view.points, view.lattice, view.unit
    values = torch.from_numpy(np.stack(states[:3]))
    with torch.no_grad(), in_torch():
        for pass_ in (Whole, lambda person, *how: stacked(persons, *how)):
            marched = pass_(persons[0], EXACT.sampling, True)(values, *rest)
            plain = pass_(persons[0], EXACT.sampling)(values, *rest)
            torch.testing.assert_close(marched, plain, atol=1e-4, rtol=0.0)


def test_half_a_person_is_a_copy_that_shares_the_rest(avatars):
    """What was recorded with the person before it reads its memory still."""
    person = fields_of(avatars[0])
    half = halved(person, MARCHED)
    assert person.head.front.dtype == person.head.coarse.dtype == torch.float32
    assert half.head.front.dtype == torch.float16 and half.head.coarse is person.head.coarse
    assert half.head.colour.pixel.weight is person.head.colour.pixel.weight
    assert (person.head.colour.precision, half.head.colour.precision) == (
        torch.float32, torch.bfloat16,
    )  # fmt: skip


@pytest.mark.parametrize("broken", ["compiled", "marched", "recorded"])
def test_what_fails_here_is_left_out_and_said_once(avatars, states, monkeypatch, caplog, broken):
    """As on a machine whose driver, compiler or graphs do not work."""

    def broke(*_, **__):
        raise RuntimeError("a trace\nSomeError: no such instruction\nand more")

    monkeypatch.setattr(crowd, "_failed", set())
    monkeypatch.setattr(crowd, "possible", lambda asked, device: replace(
        asked, **dict.fromkeys(crowd._failed, False)
    ))  # fmt: skip
    monkeypatch.setattr(torch, "compile", lambda whole, **_: whole)
    monkeypatch.setattr(crowd, "recorded", lambda draw, example, settings: draw)
    if broken == "compiled":
        monkeypatch.setattr(torch, "compile", lambda whole, **_: broke)
    elif broken == "marched":
        monkeypatch.setattr(Person, "fine_features_marched", broke)
        monkeypatch.setattr(crowd, "_EXTRAS", {"marched": "the kernel", "recorded": "graphs"})
    else:
        monkeypatch.setattr(
            crowd, "recorded", lambda draw, _, asked: broke() if asked.recorded else draw
        )
    asked = CrowdSettings(half=False, compiled=broken != "marched")
    for _ in range(2):
        drawn = Crowd(avatars[:1], 32, 32, CPU, asked)
        assert not getattr(drawn.drawn_by[0], broken)
    assert len(caplog.records) == 1
    assert "which failed here: RuntimeError: SomeError: no such instruction" in caplog.text
    picture = Portrait(avatars[0], "cpu", RenderSettings(whole=True)).render(states[0], 32, 32)
    assert away(picture, drawn.render(states[:1])[0]).max() <= 1


def test_a_recording_keeps_what_it_reads(monkeypatch):
    """A graph knows addresses alone: parameters that went with their function were overwritten."""

    class Recording:
        replay = staticmethod(lambda: None)

    def nothing(*_, **__):
        return MagicMock()

    for name in ("Stream", "current_stream", "stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, nothing)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recording)
    weights = torch.ones(3)
    alive = weakref.ref(weights)
    replayed = Replayed(lambda values, held=weights: values * held, torch.ones(3))
    del weights
    gc.collect()
    assert alive() is not None and replayed(torch.zeros(3)).shape == (3,)


def test_no_points_have_no_samples():
    """As where a tile shows nothing of a head."""
    assert plane_samples_plain(torch.rand(1, 3, 4, 5), torch.rand(2, 0, 2)).shape == (2, 0, 5)
    assert volume_samples_plain(torch.rand(1, 3, 3, 4, 2), torch.rand(2, 0, 3)).shape == (2, 0, 2)


def test_tiles_are_of_one_size_where_that_goes():
    view = View.of(pixel_points(0.0, 0.0, 1.0, 1.0, 48, 27))
    assert [len(tile.points) for tile in view.tiles(1000)] == [648, 648]
    assert [len(tile.points) for tile in view.tiles(500)] == [432] * 3
    assert [len(tile.points) for tile in view.tiles(1296)] == [1296]
    assert torch.equal(torch.cat([tile.unit for tile in view.tiles(500)]), view.unit)


def test_bad_rows_are_refused(avatars, states):
    with pytest.raises(InputError):
        Crowd([], 32, 32, CPU)
    one = Crowd(avatars[:1], 16, 16, CPU, EXACT)
    with pytest.raises(StateError):
        one.render(states)
    with pytest.raises(StateError):
        one.render([states[0] * np.nan])
