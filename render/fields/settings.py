"""Sizes of the fields.  They are part of an archive: a receiver builds the same modules."""

from __future__ import annotations

from dataclasses import dataclass

COLOUR = slice(1, 4)  # of a texel's features: the density logit before, what is decoded behind


@dataclass(frozen=True)
class FieldSettings:
    # Head, in its canonical box.
    coarse: tuple[int, int, int] = (40, 56, 48)  # cells in depth, height, width
    plane: int = 160  # texels along x and y of the plane that faces the viewer
    side: int = 64  # texels in depth of the two other planes
    channels: int = 16  # features of a texel; the first is a density logit
    blend: int = 40  # texels along x and y of the planes that the expression blends
    blend_channels: int = 8
    warp: tuple[int, int, int] = (8, 24, 24)  # cells of the deformation in depth, height, width
    hidden: int = 64  # width of the colour networks
    # Torso, in the window.
    torso_plane: int = 192
    torso_channels: int = 12
    torso_warp: int = 12
    consistency: int = 8  # width of the consistency code (003 section 3.2); 0 switches it off
    # Background.
    background: int = 256
    # Density of a logit of 1, per metre: a surface of one 5 mm sample is opaque at logit 6.
    density_scale: float = 100.0

    @classmethod
    def of_size(cls, size: int) -> FieldSettings:
        """Grids for pictures of size x size: the head takes about 5/8 of a window, and a texel
        finer than a pixel of the pictures learned from holds nothing."""
        return cls(
            plane=min(max(size * 5 // 8, 48), 288),
            torso_plane=min(max(size * 3 // 4, 48), 320),
            background=min(max(size, 48), 512),
        )
