"""The fit: pictures and a face track -> an avatar, in the time given.

003 Eq. 4 and 5: the squared error of the coarse and of the fine stage, over rays drawn where
they matter, for the head, torso and background fields, the embedding, and small corrections of
the tracked states, all at once.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar.avatar import Avatar, Consent
from avatar.errors import VideoError
from avatar.face import FaceTrack, StateLayout
from avatar.morphable import FaceModel
from enroll.average import Average
from enroll.checkpoint import load_checkpoint, save_checkpoint
from enroll.crops import Crops
from enroll.draw import ON_A_GPU, Drawn, DrawSettings, RayDraw
from enroll.exposure import levelled
from enroll.finish import finished, learned_psnr, report
from enroll.fitted_states import FittedStates
from enroll.initial import ExpressionBasis, start_person
from enroll.initial_pictures import lips_of, start_pictures
from enroll.recorded import Recorded
from render.allocator import keep_memory
from render.fields.settings import FieldSettings
from render.person import ANYWHERE, Person, SamplingSettings
from render.picture import head_rectangle, picture, pixel_points
from render.portrait import chosen_device
from render.tensors import fields_of

Progress = Callable[[float, float, str], None]
_log = logging.getLogger("facewire.enroll")
_SURE = 0.02  # matte: what has less is the wall


@dataclass(frozen=True)
class FitSettings:
    """size: side of the pictures in pixels.  budget: seconds of wall clock, or else `steps`."""

    size: int = 256
    budget: float | None = 300.0
    steps: int | None = None
    device: str = "auto"
    half: bool = True  # on a GPU the colour networks compute in bfloat16
    recorded: bool = True  # and a step's passes are a CUDA graph
    seed: int = 0
    rate_grids: float = 2e-2  # learning rates at the start
    rate_networks: float = 3e-3
    rate_warp: float = 2e-3
    rate_states: float = 5e-2  # of the corrections, in the tracker's units
    last_rate: float = 0.1  # share of the rates left at the end
    average: float = 0.995  # decay of the weights' average, a step
    coarse_weight: float = 0.2
    matte_weight: float = 0.02
    prior_weight: float = 2e-5  # of the corrections' penalty
    as_tracked: float = 0.3  # share of the frames drawn that are learned without corrections
    smooth_weight: float = 1e-5  # of the density's total variation
    wall_weight: float = 0.03  # of the head's opacity squared where the matte is sure of the wall
    ghost_weight: float = 0.2  # of the torso's opacity squared where only the head can be
    side_weight: float = 0.015  # of the mean square of what neighbours in depth's planes differ by
    warp_weight: float = 0.03  # of the mean squared offset of the head's deformation, box units
    bend_weight: float = 0.3  # of the mean square of what neighbouring offsets differ by
    held_out: float = 0.06  # share of the frames, at the end, for the report
    report_at: float = 0.92  # share of the budget after which those frames are learned from, too
    checkpoint_every: float = 20.0  # seconds
    fields: FieldSettings | None = None  # None: as fits `size`
    draw: DrawSettings | None = None  # None: as fits the device
    sampling: SamplingSettings = field(default_factory=lambda: SamplingSettings(20, 8))
    layout: StateLayout = field(default_factory=StateLayout)
    attention: bool = True  # False: the embedding is its linear path alone


class Fit:
    """A fit under way: `step` until done."""

    def __init__(
        self,
        crops: Crops,
        track: FaceTrack,
        model: FaceModel,
        settings: FitSettings,
        start: Avatar | None = None,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.device = chosen_device(settings.device)
        self.generator = torch.Generator(self.device).manual_seed(settings.seed)
        self.jitter = torch.Generator(self.device).manual_seed(settings.seed)
        self.settings = settings
        self.track = track
        images = levelled(crops.images, track.mask)
        self.images = torch.from_numpy(images)
        self.rows = _usable(crops, track)
        self.training, self.held_out = _split(self.rows, settings.held_out)
        basis = ExpressionBasis.of(track.cut(self.training), settings.layout.code)
        self.states = FittedStates(track, basis, settings.layout)
        self.states.embedding.out.requires_grad_(settings.attention)  # 0: nothing flows through it
        if start is not None:
            self.states.go_on_from(start)
            self.person = fields_of(start).train().requires_grad_(True)
            self.person.reach.fill_(ANYWHERE)  # what is new may be farther
        else:
            fields = settings.fields or FieldSettings.of_size(crops.size)
            self.person = Person(fields, track.camera, settings.layout)
            start_person(self.person, track, model, basis)
            start_pictures(self.person, images, track, model, basis, self.training)
            self._measure_scales()
        self.person.to(self.device)
        self.states.to(self.device)
        if settings.half and self.device.type == "cuda":
            self.person.compute_in(torch.bfloat16)
        self.draw = RayDraw(  # on a GPU with a copy of all pictures: a step then waits for no host
            self.images.to(self.device),
            torch.from_numpy(track.mask).to(self.device),
            torch.from_numpy(track.box).to(self.device),
            settings.draw or (ON_A_GPU if self.device.type == "cuda" else DrawSettings()),
            self.generator,
        )
        self._learn_from(self.training)
        self._may_record = settings.recorded and self.device.type == "cuda"
        self._recorded: Recorded | None = None
        self._last_batch: list[Tensor] = []
        self.optimiser, self.row_optimiser = self._optimisers()
        learned = [*self.person.parameters(), *self.states.embedding.parameters()]
        self.average = Average(learned, settings.average)
        self.done_steps = 0
        self.spent = 0.0  # seconds, over all resumed runs
        self.report: dict[str, Any] = {}

    def _learn_from(self, rows: np.ndarray) -> None:
        self.training = rows
        self._learned = torch.from_numpy(rows).to(self.device)  # once: a copy waits for the device

    def _measure_scales(self) -> None:
        """One unit for all driving numbers: that of the training frames."""
        rows = torch.from_numpy(self.training)
        with torch.no_grad():
            values, _ = self.states(rows, corrected=False)
            person, columns = self.person, self.settings.layout.groups
            k = self.settings.layout.code
            beside = torch.cat([values[:, columns["gaze"]], values[:, columns["lids"]]], -1)
            if beside.shape[1]:
                person.mean[k:] = beside.mean(0)
                # Three deviations are one: a blink is far from the mean of the lids.  Eyes that
                # hardly moved in the enrolment must not be driven far when they do.
                person.scale[k:] = 3.0 * beside.std(0).clamp(min=0.06)
            motion = self.person.drive(values).motion
            person.consistency.mean.copy_(motion.mean(0))
            person.consistency.scale.copy_(motion.std(0).clamp(min=1e-3))

    def _optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        s, person = self.settings, self.person
        grids = [
            person.head.front,
            person.head.top,
            person.head.profile,
            person.head.coarse,
            person.torso.plane,
        ]
        slow = [person.head.warp, person.torso.warp, person.head.blend, person.background.plane]
        named = {id(p) for p in grids + slow}
        networks = [p for p in person.parameters() if id(p) not in named]
        groups = [
            {"params": grids, "lr": s.rate_grids},
            {"params": slow, "lr": s.rate_warp},
            {"params": networks, "lr": s.rate_networks},
            {"params": list(self.states.embedding.parameters()), "lr": s.rate_networks * 0.3},
        ]
        rows = [self.states.motion.weight, self.states.coefficients.weight]
        return (
            torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-10, fused=True),
            torch.optim.SparseAdam(rows, lr=s.rate_states, betas=(0.9, 0.95)),
        )

    def step(self, progress: float) -> dict[str, Tensor]:
        """One step of gradient descent; `progress` 0..1 says how far along the fit is."""
        s = self.settings
        factor = min(1.0, (self.done_steps + 1) / 50) * s.last_rate**progress
        for optimiser in (self.optimiser, self.row_optimiser):
            for group in optimiser.param_groups:
                group.setdefault("first_lr", group["lr"])
                group["lr"] = group["first_lr"] * factor
        picked = torch.randint(
            len(self._learned), (self.draw.settings.frames,),
            generator=self.generator, device=self.device,
        )  # fmt: skip
        values, penalty, batch = self._batch(self._learned[picked])
        self.optimiser.zero_grad(set_to_none=True)
        self.row_optimiser.zero_grad(set_to_none=True)
        recorded = self._recording(batch)
        if recorded is None:
            loss, parts = self._picture_loss(values, *batch[1:])
            (loss + s.prior_weight * penalty).backward()
        else:
            parts, gradient = recorded(batch)
            torch.autograd.backward([values, s.prior_weight * penalty], [gradient, None])
        self.optimiser.step()
        self.row_optimiser.step()
        self.done_steps += 1
        self.average.follow(self.done_steps)
        return parts

    def _recording(self, batch: list[Tensor]) -> Recorded | None:
        """On a GPU, from the third step on: that of the second is what it is recorded with, and
        another one is what it is checked with."""
        if self._may_record and self.done_steps >= 2 and self._recorded is None:
            parameters = [p for p in self.person.parameters() if p.requires_grad]
            try:
                self._recorded = Recorded(self._picture_loss, parameters, self._last_batch)
                self._recorded.check(batch)
            except Exception as error:  # a driver's own
                self._recorded, self._may_record = None, False
                for parameter in parameters:
                    parameter.grad = None
                _log.warning(
                    "The fit's steps are not recorded as a CUDA graph, and take longer: %s: %s",
                    type(error).__name__, str(error).partition("\n")[0][:300],
                )  # fmt: skip
        self._last_batch = [value.detach() for value in batch] if self._may_record else []
        return self._recorded

    def _batch(self, rows: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The rows' states, their penalty, and what `_picture_loss` takes."""
        person = self.person
        # A call sends what is tracked, or what comes near it: fields that met corrected states
        # alone drew it worse the longer they learned.
        chance = torch.rand(len(rows), generator=self.generator, device=self.device)
        values, penalty = self.states(rows, chance >= self.settings.as_tracked)
        with torch.no_grad():
            rectangle = head_rectangle(person, person.drive(values))
        near = self.draw.head(rows, rectangle)
        far = self.draw.behind(rows)
        # Over the whole window only what the head cannot cover is torso's and background's alone.
        left, top, right, bottom = rectangle[:, None].unbind(-1)
        u, v = far.points.unbind(-1)
        alone = ((u < left) | (u > right) | (v < top) | (v > bottom)).float()
        above = (near.points[..., 1] < lips_of(self.draw.faces[rows])[:, None]).float()
        jitter = [
            torch.rand(near.matte.shape, generator=self.jitter, device=self.device)
            for _ in range(2)
        ]
        seen = [near.points, near.colour, near.matte, far.points, far.colour, far.matte]
        return values, penalty, [values, *seen, alone, above, *jitter]

    def loss(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        values, penalty, batch = self._batch(rows)
        loss, parts = self._picture_loss(values, *batch[1:])
        return loss + self.settings.prior_weight * penalty, parts

    def _picture_loss(
        self,
        values: Tensor,  # [B, D]
        near_points: Tensor, near_colour: Tensor, near_matte: Tensor,  # as `Drawn`
        far_points: Tensor, far_colour: Tensor, far_matte: Tensor,
        alone: Tensor,  # [B, far rays], 1 where no head can be
        above: Tensor,  # [B, near rays], 1 where no shoulder can be
        *jitter: Tensor,  # two, [B, near rays]
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """All but the states' penalty; no step in it waits for the device."""
        s, person = self.settings, self.person
        near = Drawn(near_points, near_colour, near_matte)
        far = Drawn(far_points, far_colour, far_matte)
        drive = person.drive(values)
        count = near.points.shape[1]
        consistency = person.consistency(drive.motion)
        behind, torso = person.behind(consistency, drive, torch.cat([near.points, far.points], 1))
        driven = person.head.drive(drive.expression, consistency)
        shifts = (jitter[0], jitter[1])
        layers = person.head_layers(driven, drive, near.points, s.sampling, shifts)
        seen = layers.head + (1 - layers.head_opacity[..., None]) * behind[:, :count]
        fine = (seen - near.colour).square().mean()
        rest = (behind[:, count:] - far.colour).square().mean(-1) * alone
        rest = rest.sum() / (count * len(values))
        through = 1 - layers.coarse_opacity[..., None]
        coarse_seen = layers.coarse + through * behind[:, :count].detach()
        coarse = (coarse_seen - near.colour).square().mean()
        covered = 1 - (1 - layers.head_opacity) * (1 - torso[:, :count])
        matte = (covered - near.matte).square().mean()
        matte = matte + ((torso[:, count:] - far.matte).square() * alone).mean()
        grid = person.head.coarse[0, ..., 0]
        rough = sum(grid.diff(dim=d).abs().mean() for d in range(3))
        # What no frame has shown still gets what the planes of other places there add up to: specks
        # where a head turns farther than it was filmed.  So they are even, and hold no wall.
        beside = (person.head.top, person.head.profile)
        uneven = sum(plane.diff(dim=d).square().mean() for plane in beside for d in (1, 2))
        wall = (layers.head_opacity.square() * (near.matte < _SURE)).mean()
        # Behind a head the torso is free to be anything, and was a second head, left standing where
        # the first leans aside.
        ghost = (torso[:, :count].square() * above).mean()
        # Where pictures hardly say how a place moves, Adam's steps are as large as elsewhere:
        # offsets wandered to ten times what faces move by, and new poses fell apart.
        still = driven.warp.square().mean()
        bent = sum(driven.warp.diff(dim=d).square().mean() for d in (1, 2, 3))
        loss = (
            fine
            + s.wall_weight * wall
            + s.ghost_weight * ghost
            + s.side_weight * uneven
            + s.warp_weight * still
            + s.bend_weight * bent
            + rest
            + s.coarse_weight * coarse
            + s.matte_weight * matte
            + s.smooth_weight * rough
        )
        # Left where they are: to read one is to wait for the device.
        return loss, {"fine": fine.detach(), "coarse": coarse.detach(), "matte": matte.detach()}

    def picture_of(self, row: int, size: int, corrected: bool = False) -> np.ndarray:
        """The avatar's picture of a tracked frame, uint8 [size, size, 3]."""
        points = pixel_points(0.0, 0.0, 1.0, 1.0, size, size).to(self.device)
        with torch.no_grad(), self.average.shown():
            rows = torch.tensor([row], device=self.device)
            drive = self.person.drive(self.states(rows, corrected=corrected)[0])
            seen = picture(self.person, drive, points, self.settings.sampling)
        return (seen * 255.0 + 0.5).to(torch.uint8).cpu().numpy()

    def learn_everything(self) -> None:
        """The held-out frames have been judged: from here on they are learned from, too."""
        self._learn_from(self.rows)


def fit(
    crops: Crops,
    track: FaceTrack,
    name: str,
    consent: Consent,
    settings: FitSettings = FitSettings(),
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    start: Avatar | None = None,
    clock: Callable[[], float] = time.monotonic,
    watch: Callable[[Fit], None] | None = None,
) -> Avatar:
    """Fits an avatar to the frames of a track.

    crops: pictures of the track's window, one for each of its frames.  progress(done, total,
    note): seconds, or steps where the budget is None.  checkpoint: kept up to date, so that
    `resume` after a kill loses at most `checkpoint_every` seconds.  start: an avatar to go on
    from, whose camera and identity the track has.  watch: shown the fit beside every `progress`,
    for previews.  Raises VideoError where no frame shows a face,
    InputError where crops and track differ, MismatchError where track and `start` do.
    """
    keep_memory()
    say = progress or (lambda done, total, note: None)
    run = Fit(crops.at(track.time), track, FaceModel.load(), settings, start)
    if resume and checkpoint is not None and checkpoint.exists():
        load_checkpoint(run, checkpoint)
    total = float(settings.steps or 0) if settings.budget is None else settings.budget
    last = saved = clock()
    done = 0.0
    while True:
        now = clock()
        run.spent += now - last
        last = now
        done = run.done_steps if settings.budget is None else run.spent
        if done >= total or (settings.steps is not None and run.done_steps >= settings.steps):
            break
        if not run.report and done >= settings.report_at * total:
            run.report = report(run)
            run.learn_everything()
        loss = run.step(min(1.0, done / total))
        if checkpoint is not None and now - saved > settings.checkpoint_every:
            save_checkpoint(run, checkpoint)
            saved = now
        if run.done_steps % 10 == 0:
            say(done, total, f"fitting, {-10 * math.log10(max(float(loss['fine']), 1e-9)):.1f} dB")
            if watch is not None:
                watch(run)
    run.report = run.report or report(run)
    run.report |= {"steps": run.done_steps, "seconds": round(run.spent, 1)}
    run.report["psnr_learned"] = learned_psnr(run)
    say(total, total, f"{run.report['psnr']:.1f} dB on frames it had not seen; finishing")
    if watch is not None:
        watch(run)
    run.average.settle()
    return finished(run, name, consent, run.report)


def _usable(crops: Crops, track: FaceTrack) -> np.ndarray:
    """Frames to learn from: a face in them, and not the frame before once more."""
    seen = track.confidence > 0
    stride = max(1, crops.size // 64)
    thumbs = crops.images[:, ::stride, ::stride].reshape(len(crops), -1).astype(np.int16)
    fresh = np.ones(len(crops), bool)
    fresh[1:] = np.abs(np.diff(thumbs, axis=0)).max(1) > 2
    rows = np.flatnonzero(seen & fresh)
    if len(rows) < 8:
        rows = np.flatnonzero(seen)
    if not len(rows):
        raise VideoError("no frame of the video shows a face", "Film yourself facing the camera.")
    return rows


def _split(rows: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Training rows, and the last ones held out for the report."""
    count = max(1, round(len(rows) * share)) if len(rows) > 1 else 0
    return (rows[:-count], rows[-count:]) if count else (rows, rows)
