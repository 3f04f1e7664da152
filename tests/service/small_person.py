"""A small person made by hand: a ball for a head, shoulders below the middle, a grey wall."""

from __future__ import annotations

import numpy as np
import torch

from avatar.avatar import Avatar, Consent, StateStatistics
from avatar.camera import Pinhole
from avatar.face import StateLayout, Window
from avatar.morphable import FaceModel
from render.fields.settings import COLOUR, FieldSettings
from render.person import Person
from render.tensors import fields_to_arrays, settings_to_json

FIELDS = FieldSettings(
    coarse=(12, 16, 16), plane=32, side=12, channels=8, blend=8, blend_channels=4, warp=(3, 4, 4),
    hidden=16, torso_plane=32, torso_channels=8, background=16,
)  # fmt: skip
LAYOUT = StateLayout()
SIZE = 64
WINDOW = Window(0, 0, SIZE, SIZE, SIZE)


def small_person() -> Person:
    """Without colours; deterministic."""
    torch.manual_seed(0)
    person = Person(FIELDS, Pinhole(2.0), LAYOUT)
    with torch.no_grad():
        axis = [torch.linspace(-1, 1, n) for n in FIELDS.coarse]
        z, y, x = torch.meshgrid(*axis, indexing="ij")
        person.head.coarse[0, ..., 0] = torch.where(x**2 + y**2 + z**2 < 0.6, 6.0, -12.0)
        person.torso.plane[0, :22, :, 0] = -12.0
        person.torso.plane[0, 22:, :, 0] = 12.0
        person.background.plane[0] = 0.5
    return person


def colour(person: Person, spots: int) -> None:
    """Head and shoulders in colours between 0.25 and 0.75, so many spots each way."""
    with torch.no_grad():
        for plane in (person.head.front, person.torso.plane):
            size = plane.shape[1]
            made = torch.rand(1, 3, spots, spots)
            made = torch.nn.functional.interpolate(made, size=(size, size), mode="bilinear")
            plane[0, ..., COLOUR] = 0.25 + 0.5 * made[0].permute(1, 2, 0)


def avatar_of(person: Person) -> Avatar:
    """At rest 0.9 m away."""
    mean = np.zeros(LAYOUT.width, np.float32)
    mean[LAYOUT.groups["translation"]] = [0.0, 0.0, -0.9]
    tensors = fields_to_arrays(person)
    tensors["tracker.identity"] = np.zeros(FaceModel.load().identities, np.float32)  # the average
    return Avatar(
        name="Spots", created="2026-01-01T00:00:00+00:00",
        consent=Consent("nobody", "a test", "2026-01-01T00:00:00+00:00", "flag", "1"),
        camera=Pinhole(2.0), window=WINDOW, layout=LAYOUT,
        statistics=StateStatistics(mean, np.ones_like(mean), np.full_like(mean, 0.01)),
        settings=settings_to_json(FIELDS), tensors=tensors,
        report={"size": SIZE}, digest="cd" * 32,
    )  # fmt: skip
