"""What a run has found, on the disk: one JSON file for each (clip, size, codec, point).

    RESULTS/run.json                              format, and what was asked
    RESULTS/clips/CLIP/                           cut, track, frames (see bench.footage)
    RESULTS/points/CLIP/SIZE/CODEC/POINT.json     one `Record`
    RESULTS/points/CLIP/SIZE/CODEC/POINT.mp4      what was shown, for people
    RESULTS/log/                                  what the workers said
Each file appears whole or not at all, so that a run can be stopped at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from avatar.errors import FormatError, InputError, VersionError
from avatar.storage import write_whole
from bench.accounting import CARRIAGES, Account
from bench.measure import Measured

FORMAT = 2  # of these files; whatever changes a figure or a field's meaning raises it

State = Literal["ok", "failed", "skipped"]
OK: State = "ok"
FAILED: State = "failed"
SKIPPED: State = "skipped"


@dataclass(frozen=True)
class Record:
    """One operating point.  key: of everything that it depends on.  reason: why it failed or was
    skipped, in the codec's own words.  parts: bytes; the rest as `bench.codec.Outcome` has it.
    counts: whether its bytes are a rate (not so for a still picture).  joules: of coding and
    decoding together, by the whole machine (`bench.energy`)."""

    clip: str
    size: int
    codec: str
    point: float
    key: str
    title: str = ""
    family: str = ""
    state: State = OK
    reason: str = ""
    settings: str = ""
    parts: Mapping[str, int] = field(default_factory=dict)
    packets: int = 0
    frames: int = 0
    seconds: float = 0.0
    archive: int = 0
    counts: bool = True
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    measure_seconds: float | None = None
    kmac: float | None = None
    joules: float | None = None
    figures: tuple[Measured, ...] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """Raises InputError for a record that has no bytes."""
        return Account(dict(self.parts), self.packets, self.seconds, self.archive)

    @property
    def kbps(self) -> float:
        return self.account.kbps

    def figure(self, metric: str, region: str = "whole") -> float | None:
        """None where it was not measured."""
        for one in self.figures:
            if (one.metric, one.region) == (metric, region) and not one.needs:
                return one.mean
        return None

    def values(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"figures": [one.values() for one in self.figures]}

    @staticmethod
    def parse(values: Mapping[str, Any]) -> Record:
        known = {f.name for f in fields(Record)}
        kept = {name: value for name, value in values.items() if name in known}
        kept["figures"] = tuple(Measured.parse(one) for one in values.get("figures", ()))
        return Record(**kept)

    def row(self) -> dict[str, Any]:
        """One line of a table: rates and figures, without a place for what was not measured."""
        row: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "clip", "size", "codec", "title", "family", "point", "state", "reason", "settings",
                "frames", "seconds", "archive", "encode_seconds", "decode_seconds", "kmac",
                "joules",
            )
        }  # fmt: skip
        if self.state == OK:
            account = self.account
            row |= {"bytes": account.payload, "packets": self.packets}
            if self.counts:
                row["kbps"] = account.kbps
                row |= {f"kbps {name}": account.wire_kbps(c) for name, c in CARRIAGES.items()}
        row |= {f"{one.metric} {one.region}": one.mean for one in self.figures if not one.needs}
        return row


class Results:
    """A folder of results.  Raises VersionError for one that another version wrote."""

    def __init__(self, folder: str | Path, create: bool = False) -> None:
        self.folder = Path(folder)
        said = self.folder / "run.json"
        if said.exists():
            self._check(said)
        elif create:
            if self.folder.exists() and any(self.folder.iterdir()):
                raise InputError(
                    f"{self.folder} holds other files than results",
                    "Choose a folder that is new or empty.",
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            self.describe({})
        else:
            raise InputError(
                f"{self.folder} holds no results", f"facewire bench run CLIPS... -o {self.folder}"
            )

    def describe(self, asked: Mapping[str, Any]) -> None:
        """What was asked, for whoever reads the results."""
        text = json.dumps({"format": FORMAT} | dict(asked), indent=1)
        write_whole(self.folder / "run.json", text.encode())

    @property
    def asked(self) -> dict[str, Any]:
        return dict(_read(self.folder / "run.json"))

    def clip_folder(self, clip: str) -> Path:
        return self.folder / "clips" / clip

    def path(self, clip: str, size: int, codec: str, point: float) -> Path:
        return self.folder / "points" / clip / str(size) / codec / f"{point:g}.json"

    def video(self, record: Record) -> Path:
        """What was shown, for people: H.264, no source of figures."""
        path = self.path(record.clip, record.size, record.codec, record.point)
        return path.with_suffix(".mp4")

    def find(self, clip: str, size: int, codec: str, point: float) -> Record | None:
        path = self.path(clip, size, codec, point)
        return Record.parse(_read(path)) if path.exists() else None

    def write(self, record: Record) -> None:
        path = self.path(record.clip, record.size, record.codec, record.point)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(record.values(), indent=1).encode())

    def adopt(self, published: Path) -> int:
        """Takes over those records of a report's `results.json` that are not here, and says how
        many.  A run keeps what still has the right key, and measures the rest again."""
        found = [Record.parse(values) for values in _read(published, list)]
        new = [r for r in found if not self.path(r.clip, r.size, r.codec, r.point).exists()]
        for record in new:
            self.write(record)
        return len(new)

    def __iter__(self) -> Iterator[Record]:
        """By clip, size, codec and point."""
        found = [
            Record.parse(_read(path)) for path in (self.folder / "points").glob("*/*/*/*.json")
        ]
        return iter(sorted(found, key=lambda r: (r.clip, r.size, r.codec, r.point)))

    @staticmethod
    def _check(said: Path) -> None:
        written = _read(said).get("format")
        if written != FORMAT:
            raise VersionError(
                f"{said.parent} holds results of format {written}; this lab writes {FORMAT}, and "
                "figures of two formats do not belong in one table",
                "Run again into another folder, or read it with the Facewire that wrote it.",
            )


def _read(path: Path, kind: type = dict) -> Any:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path} cannot be read: {error}", "Remove it; the next run measures it again."
        ) from None
    if not isinstance(values, kind):
        raise FormatError(f"{path} holds no record", "Remove it; the next run measures it again.")
    return values
