"""Pictures of any size and aspect, before any background."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from avatar.avatar import Avatar, Consent, StateStatistics
from avatar.camera import Pinhole
from avatar.errors import ArchiveError, InputError, MissingError, StateError
from avatar.face import StateLayout, Window
from render import picture
from render.fields.settings import COLOUR, FieldSettings
from render.person import Person
from render.picture import Thrift
from render.portrait import Portrait, RenderSettings
from render.tensors import fields_of, fields_to_arrays, settings_to_json

FIELDS = FieldSettings(
    coarse=(12, 12, 12), plane=24, side=12, channels=8, blend=8, blend_channels=4, warp=(3, 4, 4),
    hidden=16, torso_plane=16, torso_channels=8, background=16,
)  # fmt: skip
LAYOUT = StateLayout()


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """An orange ball for a head, no torso, and a background that is bluer to the right."""
    torch.manual_seed(0)
    person = Person(FIELDS, Pinhole(2.0), LAYOUT)
    with torch.no_grad():
        axis = [torch.linspace(-1, 1, n) for n in FIELDS.coarse]
        z, y, x = torch.meshgrid(*axis, indexing="ij")
        person.head.coarse[0, ..., 0] = torch.where(x**2 + y**2 + z**2 < 0.5, 6.0, -12.0)
        person.head.front[0, ..., COLOUR] = torch.tensor([0.9, 0.5, 0.1])
        for network in (person.head.colour, person.torso.colour):
            network.last.weight.zero_()
            network.last.bias.zero_()
        person.torso.plane[..., 0] = -20.0
        person.background.plane[0] = 0.2
        person.background.plane[0, ..., 2] = torch.linspace(0.2, 0.9, 16)
    mean = np.zeros(LAYOUT.width, np.float32)
    mean[LAYOUT.groups["translation"]] = [0.0, 0.0, -0.9]
    return Avatar(
        name="Ball", created="2026-01-01T00:00:00+00:00",
        consent=Consent("nobody", "a test", "2026-01-01T00:00:00+00:00", "flag", "1"),
        camera=Pinhole(2.0), window=Window(0, 0, 64, 64, 64), layout=LAYOUT,
        statistics=StateStatistics(mean, np.ones_like(mean), np.full_like(mean, 0.01)),
        settings=settings_to_json(FIELDS), tensors=fields_to_arrays(person),
    )  # fmt: skip


@pytest.fixture(scope="module")
def portrait(avatar):
    return Portrait(avatar, device="cpu")


def orange(image: np.ndarray) -> np.ndarray:
    return (image[..., 0] > 180) & (image[..., 2] < 80)


@pytest.mark.parametrize("width, height", [(16, 16), (64, 64), (97, 41), (40, 120)])
def test_every_size_shows_the_head_in_the_middle(portrait, avatar, width, height):
    image = portrait.render(avatar.statistics.mean, width, height)
    assert image.shape == (height, width, 3) and image.dtype == np.uint8
    rows, columns = np.nonzero(orange(image))
    side = min(width, height)
    assert abs(rows.mean() - (height - 1) / 2) < 0.06 * side + 1
    assert abs(columns.mean() - (width - 1) / 2) < 0.06 * side + 1


def test_an_expression_out_of_reach_is_drawn_as_far_as_was_learned(avatar):
    """In its direction; one within reach is left as it is."""
    person = fields_of(avatar)
    person.reach.fill_(2.0)
    state = torch.from_numpy(avatar.statistics.mean)[None].clone()
    code = LAYOUT.groups["code"]
    for size, drawn in ((1.5, 1.5), (2.0, 2.0), (20.0, 2.0)):
        state[:, code] = person.mean[: LAYOUT.code] + size * LAYOUT.code**-0.5
        got = person.drive(state).expression
        assert float(got.norm()) == pytest.approx(drawn, rel=1e-5)
        assert float(got[0, : LAYOUT.code].std()) < 1e-6


def test_rays_are_cast_at_the_size_asked_for(portrait, avatar):
    """A large picture is not a small one scaled up: averaged down, it is the small one."""
    mean = avatar.statistics.mean
    large = portrait.render(mean, 256, 256).astype(float)
    small = portrait.render(mean, 64, 64).astype(float)
    averaged = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(averaged - small).mean() < 3.0
    edges = np.abs(np.diff(large, axis=1)).max()
    assert edges > 60  # the ball's outline is one or two pixels wide in the large one, too


def test_the_head_goes_where_its_pose_says(portrait, avatar):
    row = avatar.statistics.mean.copy()
    row[LAYOUT.groups["translation"]] = [0.1, 0.05, -0.9]
    rows, columns = np.nonzero(orange(portrait.render(row, 64, 64)))
    u, v = Pinhole(2.0).project(np.array([0.1, 0.05, -0.9]))
    assert abs(columns.mean() + 0.5 - 64 * u) < 2.5 and abs(rows.mean() + 0.5 - 64 * v) < 2.5


def test_fits_differ_only_beside_the_square(portrait, avatar):
    mean = avatar.statistics.mean
    contain = portrait.render(mean, 96, 48, fit="contain")
    extend = portrait.render(mean, 96, 48, fit="extend")
    cover = portrait.render(mean, 96, 48, fit="cover")
    assert not contain[:, :24].any() and not contain[:, 72:].any()
    assert np.abs(contain[:, 24:72].astype(int) - extend[:, 24:72]).max() <= 1
    assert extend[:, :24].any()
    assert orange(cover).sum() > 3 * orange(contain).sum()


def test_backgrounds(portrait, avatar):
    mean = avatar.statistics.mean
    green = portrait.render(mean, 48, 48, background=(0, 255, 0))
    assert green[2, 2].tolist() == [0, 255, 0] and orange(green).any()
    picture_behind = np.zeros((10, 30, 3), np.uint8)
    picture_behind[..., 1] = 77
    assert portrait.render(mean, 48, 48, background=picture_behind)[2, 2].tolist() == [0, 77, 0]
    learned = portrait.render(mean, 48, 48)
    blurred = portrait.render(mean, 48, 48, background="blur")
    assert int(learned[2, 45, 2]) - int(learned[2, 2, 2]) > 100
    assert abs(int(blurred[2, 24, 0]) - int(learned[2, 24, 0])) < 10


def test_tiles_do_not_show(portrait, avatar, monkeypatch):
    whole = portrait.render(avatar.statistics.mean, 40, 40)
    monkeypatch.setattr(picture, "TILE", 100)
    assert np.abs(portrait.render(avatar.statistics.mean, 40, 40).astype(int) - whole).max() <= 1


def test_what_is_kept_for_the_next_picture_is_of_its_size(portrait, avatar, monkeypatch):
    """The wall behind, and where pixels are."""
    from render import portrait as portraits

    shapes = [(64, 48, "contain"), (48, 48, "contain"), (64, 48, "extend"), (64, 48, "contain")]
    mean = avatar.statistics.mean
    kept = [portrait.render(mean, *shape) for shape in shapes for _ in range(2)]
    assert all((kept[n] == kept[n + 1]).all() for n in range(0, 8, 2))
    monkeypatch.setattr(portraits, "_KEPT", 0)
    for n, shape in enumerate(shapes):
        fresh = portraits.Portrait(avatar, "cpu").render(mean, *shape)
        assert np.abs(fresh.astype(int) - kept[2 * n]).max() <= 1


@pytest.mark.parametrize(
    "bad, error",
    [
        ({"width": 15}, InputError),
        ({"height": 5000}, InputError),
        ({"fit": "squeeze"}, InputError),
        ({"background": "beach"}, InputError),
        ({"background": np.zeros((4, 4), np.uint8)}, InputError),
    ],
)
def test_what_cannot_be_drawn_is_refused(portrait, avatar, bad, error):
    with pytest.raises(error):
        portrait.render(avatar.statistics.mean, **({"width": 32, "height": 32} | bad))


def test_bad_states_are_refused(portrait, avatar):
    row = avatar.statistics.mean.copy()
    row[3] = np.nan
    with pytest.raises(StateError, match="not finite"):
        portrait.render(row, 32, 32)
    with pytest.raises(StateError):
        portrait.render(row[:-1], 32, 32)


def test_fields_that_do_not_fit_are_refused(avatar):
    from dataclasses import replace

    tensors = dict(avatar.tensors)
    tensors["fields.head.front"] = tensors["fields.head.front"][:, :5]
    with pytest.raises(ArchiveError, match="do not fit"):
        Portrait(replace(avatar, tensors=tensors), device="cpu")
    with pytest.raises(ArchiveError, match="do not fit"):
        Portrait(replace(avatar, settings=avatar.settings | {"wings": 2}), device="cpu")


def test_a_gpu_that_is_not_there_is_said(avatar):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(MissingError, match="CUDA"):
        Portrait(avatar, device="cuda")


def test_many_at_once_are_the_same_pictures(portrait, avatar):
    rows = np.tile(avatar.statistics.mean, (5, 1))
    rows[:, LAYOUT.groups["translation"].start] = np.linspace(-0.1, 0.1, 5)
    together = list(portrait.render_all(iter(rows), 40, 30))
    assert len(together) == 5
    for row, picture_of in zip(rows, together, strict=True):
        np.testing.assert_array_equal(picture_of, portrait.render(row, 40, 30))


def test_rays_are_saved_where_they_tell_nothing(avatar):
    """All rays are the plain twin; no contrast is too small is the twin again."""
    with_spots = replace(avatar, tensors=dict(avatar.tensors))
    spots = np.array(avatar.tensors["fields.head.front"])
    spots[0, ..., COLOUR] = np.random.default_rng(0).uniform(-1, 2, spots[0, ..., COLOUR].shape)
    with_spots.tensors["fields.head.front"] = spots

    def drawn(thrift: Thrift | None) -> np.ndarray:
        settings = RenderSettings(whole=False, thrift=thrift)
        one = Portrait(with_spots, "cpu", settings)
        return one.render(avatar.statistics.mean, 97, 80).astype(int)

    every = drawn(None)
    assert np.abs(drawn(Thrift(2, 2, -1.0)) - every).max() <= 1

    def off(thrift: Thrift) -> float:
        return float(np.sqrt(np.square(drawn(thrift) - every).mean()))

    assert off(Thrift()) < 1.0
    assert off(Thrift()) < 0.5 * off(Thrift(2, 1, 9.0)) < 0.5 * off(Thrift(4, 1, 9.0))
    head = orange(drawn(Thrift(3, 1, 9.0)))
    assert not head[:5].any() and not head[-5:].any()


def test_shoulders_are_looked_at_as_often_as_asked(avatar, monkeypatch):
    clothed = replace(avatar, tensors=dict(avatar.tensors))
    plane = np.array(avatar.tensors["fields.torso.plane"])
    plane[0, 9:, :, 0] = 20.0
    plane[0, ..., COLOUR] = np.linspace(0.1, 0.8, 16)[:, None]
    clothed.tensors["fields.torso.plane"] = plane
    looked = 0
    shoulders = Person.shoulders

    def counted(self, consistency, drive, points):
        nonlocal looked
        looked += points.shape[1]
        return shoulders(self, consistency, drive, points)

    monkeypatch.setattr(Person, "shoulders", counted)

    def drawn(torso: int) -> tuple[np.ndarray, int]:
        nonlocal looked
        looked = 0
        settings = RenderSettings(whole=False, thrift=Thrift(2, torso, 9.0))
        picture = Portrait(clothed, "cpu", settings).render(avatar.statistics.mean, 192, 192)
        return picture.astype(int), looked

    (every, rays), (thin, fewer) = drawn(1), drawn(2)
    guide = 65 * 65  # the lattice that both look at first
    assert rays - guide > 10_000 and fewer - guide < 0.35 * (rays - guide)
    assert 0 < np.sqrt(np.square(thin - every).mean()) < 2.0
    np.testing.assert_allclose(thin[150:, :40], every[150:, :40], atol=2)  # cloth
