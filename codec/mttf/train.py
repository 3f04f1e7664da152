"""The trainer: crops and mattes as arrays in, weights out.

Deterministic: what step N draws follows from the seed and N alone, so that a run that was stopped
and resumed is the run that was not, on the same machine and number of threads.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import InputError
from avatar.storage import whole_file
from codec.mttf.average import follow
from codec.mttf.backend import half_precision, torch
from codec.mttf.guide import LANDMARKS
from codec.mttf.kind import NetworkKind
from codec.mttf.lesson import lesson
from codec.mttf.losses import LossWeights, losses, still_loss, warp_loss
from codec.mttf.pairs import PairSampler
from codec.mttf.portraits import Portraits
from codec.mttf.recorded import Recorded
from codec.mttf.teacher import MeshReader, motion_loss
from codec.mttf.vectors import STEP

Tensor = Any
_CHECK_PAIRS = 32
_CURE = "Start over: the same command without --resume."


@dataclass(frozen=True)
class TrainSettings:
    """batch: pairs a step at the smallest resolution, a quarter as many at the next, always four
    at least (for batch normalisation).  rate: Adam's;
    a tenth of it from 60 % of the steps, a hundredth from 90 %.  sides: how often each
    resolution is drawn (in the place of Eq. 28's sum over all).  ema: of the weights that are
    kept.  taught: share of the steps over which the teacher of motion fades out.  half: bfloat16,
    where the processor computes with it (`half_precision`).  recorded: steps as CUDA graphs, on a
    GPU."""

    steps: int = 20_000
    seed: int = 0
    batch: int = 8
    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    sides: tuple[tuple[int, float], ...] = ((128, 0.6), (256, 0.35), (512, 0.05))
    ema: float = 0.999
    taught: float = 0.5
    weights: LossWeights = field(default_factory=LossWeights)
    half: bool = True
    recorded: bool = True


@dataclass(frozen=True)
class Check:
    """On people who are not learned from, at the middle resolution (256): mean PSNR in dB of the
    pictures made and of the key frame instead of them, and the mean |difference| of both."""

    step: int
    psnr: float
    still_psnr: float
    error: float
    still_error: float


class Trainer:
    """Of any `codec.mttf.kind.Network`.  `run` goes on from `done` steps; `save` and `load` keep
    everything that it depends on.  pairs: what the checks are made with."""

    def __init__(
        self,
        network: NetworkKind,
        portraits: Portraits,
        check: Portraits,
        settings: TrainSettings = TrainSettings(),
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.device = device
        self.net = network.network()
        self.net.prepare(portraits)
        self.net = self.net.to(device, memory_format=torch.channels_last)
        self._half = settings.half and half_precision(device)
        self.kept = network.network().to(device).eval().requires_grad_(False)
        self.kept.load_state_dict(self.net.state_dict())
        self._recorded = settings.recorded and device.startswith("cuda") and not self.net.draws
        self._steps: dict[tuple[int, bool], Recorded] = {}
        self.reader = None
        if portraits.meshes.shape[1] and self.net.learns_motion:
            self.reader = MeshReader(network.numbers, portraits.meshes).to(device)
        self.optimiser = torch.optim.Adam(
            [*self.net.parameters(), *(self.reader.parameters() if self.reader else ())],
            lr=torch.tensor(settings.rate, device=device) if self._recorded else settings.rate,
            betas=settings.betas,
            capturable=self._recorded,
            fused=device.startswith("cuda"),
        )
        self.done = 0
        self.checks: list[Check] = []
        self._sampler = PairSampler(portraits, device)
        rng = np.random.default_rng([settings.seed, 1])
        self.pairs = PairSampler(check, device).draw(
            rng, _CHECK_PAIRS, network.sides[1], jitter=False
        )

    def step(self) -> dict[str, Tensor]:
        """One batch; the losses by name, on the device."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, 2, self.done])
        names, chances = zip(*settings.sides, strict=True)
        side = int(rng.choice(names, p=np.array(chances) / sum(chances)))
        smallest = self.net.settings.sides[-1]
        count = max(4, settings.batch * smallest * smallest // (side * side))
        batch = self._sampler.draw(rng, count, side)
        noise = torch.from_numpy(rng.uniform(-0.5, 0.5, (count, self.net.settings.numbers)))
        self._set_rate()
        self.net.train()
        young = self._young()
        by_chance = noise.float().to(self.device), torch.tensor(young, device=self.device)
        given = (batch.key, batch.wanted, batch.mattes, batch.meshes, *by_chance)
        if self._recorded:
            parts = self._recording(side, young > 0, given)(*given)
        else:
            parts = self._learn(*given, taught=young > 0, rng=rng)
        self.done += 1
        follow(self.kept, self.net, self.done, settings.ema)
        return parts

    def _learn(
        self, *given: Tensor, taught: bool, rng: np.random.Generator | None = None
    ) -> dict[str, Tensor]:
        """One step of the optimiser; without `rng` it takes nothing from the host and looks at no
        value."""
        total, parts = self._forward(taught, rng, *given)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimiser.step()
        return parts

    def _recording(self, side: int, taught: bool, given: tuple[Tensor, ...]) -> Recorded:
        kind = (side, taught)
        if kind not in self._steps:
            self._steps[kind] = Recorded(partial(self._learn, taught=taught), given)
        return self._steps[kind]

    def _set_rate(self) -> None:
        for group in self.optimiser.param_groups:
            if self._recorded:
                group["lr"].fill_(self._rate())
            else:
                group["lr"] = self._rate()

    def run(
        self,
        until: int | None = None,
        every: int = 500,
        told: Callable[[int, dict[str, Tensor]], None] | None = None,
        checked: Callable[[Check], None] | None = None,
    ) -> None:
        """To `until` steps, all by default; a check every so many and at the end."""
        until = self.settings.steps if until is None else min(until, self.settings.steps)
        while self.done < until:
            parts = self.step()
            if told:
                told(self.done, parts)
            if self.done % every == 0 or self.done == until:
                self.checks.append(self.check())
                if checked:
                    checked(self.checks[-1])

    def check(self) -> Check:
        """The kept weights on people they do not learn from."""
        key, wanted = self.pairs.key, self.pairs.wanted
        made = self.pictures(key, wanted, self.pairs.meshes)

        def psnr(x: Tensor) -> float:
            squares = ((x - wanted) ** 2).flatten(1).mean(1)
            return float((-10 * torch.log10(squares + 1e-10)).mean())

        def error(x: Tensor) -> float:
            return float((x - wanted).abs().mean())

        return Check(self.done, psnr(made), psnr(key), error(made), error(key))

    def sheet(self, count: int = 6) -> Any:
        """[3 R, count R, 3] uint8: key frames, what is wanted, what is made of the check's."""
        key, wanted = self.pairs.key[:count], self.pairs.wanted[:count]
        made = self.pictures(key, wanted, self.pairs.meshes[:, :count])
        rows = [torch.cat(list(x.cpu()), dim=2) for x in (key, wanted, made)]
        sheet = torch.cat(rows, dim=1).permute(1, 2, 0)
        return (sheet * 255).round().to(torch.uint8).numpy()

    def vectors(self, pictures: Any, meshes: Any) -> Any:
        """Of the kept weights: [F, S, S, 3] uint8 and [F, P, 2] -> [F, D] float32."""
        rows = []
        parts = np.array_split(np.arange(len(pictures)), max(1, len(pictures) // 8))
        with torch.no_grad():
            for part in parts:
                x = torch.from_numpy(np.ascontiguousarray(pictures[part].transpose(0, 3, 1, 2)))
                mesh = torch.from_numpy(meshes[part]).to(self.device)
                found = self.kept.vectors(x.to(self.device).float() / 255, mesh)
                rows.append(found.cpu().numpy())
        return np.concatenate(rows)

    def pictures(self, key: Tensor, wanted: Tensor, meshes: Tensor) -> Tensor:
        """What a receiver of the rounded vectors would see, [B, 3, R, R].  meshes: [2, B, P, 2]
        of the key frames and of what is wanted."""
        out = []
        parts = zip(key.split(4), wanted.split(4), *(m.split(4) for m in meshes))
        with torch.no_grad():
            for a, b, mesh_a, mesh_b in parts:
                vectors = (self.kept.vectors(b, mesh_b) / STEP).round() * STEP
                held = self.kept.hold(a, self.kept.face(mesh_a))
                out.append(self.kept.generate(held, vectors).picture)
        return torch.cat(out)

    def _forward(
        self,
        taught: bool,
        rng: np.random.Generator | None,
        key: Tensor,
        wanted: Tensor,
        mattes: Tensor,
        meshes: Tensor,
        noise: Tensor,
        young: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        key_mesh, wanted_mesh = meshes
        kind, weights = torch.device(self.device).type, self.settings.weights
        # What autocast keeps of weights would be of the first recorded step for good.
        keep = not self._recorded
        with torch.autocast(kind, torch.bfloat16, enabled=self._half, cache_enabled=keep):
            held = self.net.hold(key, self.net.face(key_mesh))
            exact = self.net.vectors(wanted, wanted_mesh)
            own = self.net.own(held)
            made = self.net.generate(held, exact + STEP * noise.to(exact))
            asked = self.net.penalties(wanted, exact, rng)
        mask = None if made.mask is None else made.mask.float()
        made = replace(made, picture=made.picture.float(), mask=mask)
        # As long as the motion does not heed the vectors, the rate's is their only gradient: it
        # would make them say nothing, for good.
        lost = losses(
            made,
            wanted,
            mattes[1],
            wanted_mesh,
            exact.float(),
            own.detach().float(),
            STEP,
            weights,
            1 - young,
        )
        if made.mask is not None:
            asked["still"] = weights.still * still_loss(made.motion.background.float(), mattes)
        if taught:
            motion = made.motion.foreground.float()
            asked["warp"] = young * weights.warp * warp_loss(motion, key, wanted, mattes[1])
            if self.reader is not None:
                key_face, face = key_mesh[:, :LANDMARKS], wanted_mesh[:, :LANDMARKS]
                said = lesson(key_face, face, motion.shape[1])
                asked["motion"] = young * weights.motion * motion_loss(motion, said)
                asked["mesh"] = young * weights.mesh * self.reader(exact.float(), wanted_mesh)
        parts = lost.parts | {name: value.detach() for name, value in asked.items()}
        return lost.total + sum(asked.values()), parts

    def _young(self) -> float:
        """How much a teacher says: all at the start, nothing from `taught` on."""
        return max(0.0, 1 - self.done / max(self.settings.steps * self.settings.taught, 1e-9))

    def _rate(self) -> float:
        share = self.done / max(self.settings.steps, 1)
        return self.settings.rate * (1.0 if share < 0.6 else 0.1 if share < 0.9 else 0.01)

    def start_from(self, tensors: dict[str, Any]) -> None:
        """Weights of this network, arrays by name, in the place of random ones; Adam begins anew.

        Raises InputError for those of another network."""
        found = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}
        try:
            self.net.load_state_dict(found)
            self.kept.load_state_dict(found)
        except RuntimeError:
            raise InputError(
                "the weights to go on from are of another network", "Choose its --method, --size."
            ) from None

    def save(self, path: Path) -> None:
        """Replaces the file as a whole."""
        state = {
            "version": 4,
            "network": asdict(self.net.settings),
            "seed": self.settings.seed,
            "net": self.net.state_dict(),
            "kept": self.kept.state_dict(),
            "reader": self.reader.state_dict() if self.reader else {},
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
            "checks": [asdict(check) for check in self.checks],
        }
        with whole_file(path) as file:
            torch.save(state, file)

    def load(self, path: Path) -> None:
        """Raises InputError for a checkpoint that is damaged or of another network."""
        try:
            state = torch.load(path, weights_only=True, map_location=self.device)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise InputError(f"the checkpoint {path} cannot be read: {error}", _CURE) from None
        if state.get("network") != asdict(self.net.settings) or state.get("version") != 4:
            raise InputError(f"the checkpoint {path} is of another network or version", _CURE)
        self.net.load_state_dict(state["net"])
        self.kept.load_state_dict(state["kept"])
        if self.reader:
            self.reader.load_state_dict(state["reader"])
        # How a step is made is this device's; what it has come to is the checkpoint's.
        for group, ours in zip(state["optimiser"]["param_groups"], self.optimiser.param_groups):
            group |= {name: ours[name] for name in ("lr", "capturable", "fused")}
        self.optimiser.load_state_dict(state["optimiser"])
        self._steps = {}  # they know addresses of what is no more
        self.done = int(state["done"])
        self.checks = [Check(**check) for check in state["checks"]]
