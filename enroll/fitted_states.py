"""The states of the training frames: the tracker's, corrected by what the pictures say."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from avatar.avatar import Avatar
from avatar.calibration import calibrated
from avatar.errors import MismatchError
from avatar.face import EXPRESSIONS, FaceTrack, StateLayout
from enroll.embedding import AttentionEmbedding
from enroll.initial import ExpressionBasis, linear_path


class FittedStates(nn.Module):
    """State rows of F tracked frames, differentiable in the embedding and in the corrections.

    The tracker is the prior: corrections start at zero, in units of `UNITS`, the tracker's own
    uncertainty, and `penalty` holds them there.
    """

    # Standard deviations of the tracker's error: rotation (rad), translation (m), torso.
    UNITS = (0.01,) * 3 + (0.001, 0.001, 0.004) + (0.002, 0.002, 0.005, 0.005)
    COEFFICIENT_UNIT = 0.15

    def __init__(self, track: FaceTrack, basis: ExpressionBasis, layout: StateLayout) -> None:
        super().__init__()
        self.layout = layout
        self._identity = track.identity.astype(np.float32)
        for name in ("expression", "rotation", "translation", "gaze", "lids", "torso"):
            values = torch.from_numpy(np.ascontiguousarray(getattr(track, name), np.float32))
            self.register_buffer(name, values)
        linear, bias = linear_path(basis)
        self.embedding = AttentionEmbedding(linear)
        with torch.no_grad():
            self.embedding.bias.copy_(bias)
        self.register_buffer("units", torch.tensor(self.UNITS))
        self.motion = nn.Embedding(len(track), 10, sparse=True)
        self.coefficients = nn.Embedding(len(track), EXPRESSIONS, sparse=True)
        nn.init.zeros_(self.motion.weight)
        nn.init.zeros_(self.coefficients.weight)

    def go_on_from(self, avatar: Avatar) -> None:
        """Takes an avatar's embedding.  Raises MismatchError where the track is not of that
        avatar's face model, shape and layout: its numbers would mean something else."""
        if avatar.layout != self.layout:
            raise MismatchError(
                "the avatar to go on from sends other groups of numbers",
                "Enrol anew, without --from.",
            )
        if not np.array_equal(avatar.identity, self._identity):
            raise MismatchError(
                "the track was not made for the avatar to go on from",
                "Leave --track away: the video is then tracked with that avatar's face.",
            )
        arrays = avatar.group("embedding")
        self.embedding.load_state_dict(
            {name: torch.from_numpy(np.array(a, np.float32)) for name, a in arrays.items()}
        )

    def forward(self, rows: Tensor, corrected: Tensor | bool = True) -> tuple[Tensor, Tensor]:
        """Rows [B] -> states [B, D], and the corrections' penalty (mean squared units).

        corrected: [B] of which rows, where not of all or (False) of none."""
        expression = self.expression[rows]
        motion = torch.cat([self.rotation[rows], self.translation[rows], self.torso[rows]], -1)
        penalty = motion.new_zeros(())
        if corrected is not False:
            moved, changed = self.motion(rows), self.coefficients(rows)
            share = 1.0 if corrected is True else corrected.float()[:, None]
            motion = motion + share * moved * self.units
            expression = expression + share * changed * self.COEFFICIENT_UNIT
            penalty = moved.square().mean() + changed.square().mean()
        parts = {
            "code": self.embedding(expression),
            "rotation": motion[:, :3],
            "translation": motion[:, 3:6],
            "gaze": self.gaze[rows],
            "lids": self.lids[rows],
            "torso": motion[:, 6:],
        }
        used = [part for name, part in parts.items() if getattr(self.layout, name)]
        return torch.cat(used, dim=-1), penalty

    @torch.no_grad()
    def corrections(self, rows: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Motion as tracked [B, 10], and what the fit added to it [B, 10]."""
        tracked = torch.cat([self.rotation[rows], self.translation[rows], self.torso[rows]], -1)
        added = self.motion(rows) * self.units
        return tracked.double().numpy(), added.double().numpy()

    @torch.no_grad()
    def calibrated_values(self, rows: Tensor, matrix: np.ndarray) -> Tensor:
        """States [B, D] as a sender will find them: tracked, then calibrated."""
        values, _ = self(rows, corrected=False)
        motion = torch.from_numpy(calibrated(matrix, self.corrections(rows)[0]))
        columns = self.layout.groups
        for name, part in zip(
            ("rotation", "translation", "torso"), motion.split((3, 3, 4), dim=1), strict=True
        ):
            if getattr(self.layout, name):
                values[:, columns[name]] = part
        return values
