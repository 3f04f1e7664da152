"""The `.avatar` file: a person's avatar in one checked piece.  Normative text: docs/archive.md.

    read_avatar(path)     write_avatar(avatar, path)
    parse_avatar(bytes)   avatar_bytes(avatar)
    parse_first(prefix)   first_bytes(prefix)

Sections (section n) are those of docs/archive.md.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from avatar.avatar import Array, Avatar, Consent, StateStatistics
from avatar.byte_tensors import SUFFIX, from_bytes, to_bytes
from avatar.camera import Pinhole
from avatar.errors import ArchiveError, InputError, StorageError, VersionError
from avatar.face import GROUPS, StateLayout, Window
from avatar.layered_tensors import PLAN, image_tensors, layered, unlayered
from avatar.storage import write_whole

MAGIC = b"\x93FWA\r\n\x1a\n"  # section 2
VERSION = 2
MAX_HEADER = 1 << 20  # section 2: bytes of JSON
MAX_ARCHIVE = 1 << 30  # section 2
MAX_WIDTH = 4096  # section 3: numbers in a state
MAX_HISTORY = 2000  # section 4: rows

_FIXED = struct.Struct("<8sHHIQ")  # magic, version, reserved, header bytes, payload bytes
_FIRST = struct.Struct("<I")  # bytes of the first layer
_DIGEST = 32
_HALF_MAX = 6.0e4  # section 4: float16 ends at 65504
_HALF_MIN = 1.0e-3  # section 4: a tensor all below this would fall into float16's subnormals
_EXACT_BELOW = 256  # section 4: elements; halving so few saves nothing
_STATISTICS = "statistics."
_CURE = (
    "Copy the file again from where it came, or enrol again: facewire enroll VIDEO -o NAME.avatar"
)


def read_avatar(path: str | Path) -> Avatar:
    """The avatar in a file.  Raises ArchiveError, VersionError; StorageError if unreadable."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_ARCHIVE + 1)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be read ({error.strerror or error})", "Check the file's name."
        ) from error
    return parse_avatar(data)


def write_avatar(avatar: Avatar, path: str | Path) -> Avatar:
    """Writes atomically; returns what a reader of the file gets, with its digest.

    Raises InputError for what the format refuses and StorageError when the disk is full.
    """
    data = avatar_bytes(avatar)
    write_whole(path, data)
    return parse_avatar(data)


def avatar_bytes(avatar: Avatar) -> bytes:
    """The archive's bytes: the same avatar gives the same bytes (section 7)."""
    header = _header_bytes(avatar)
    first, rest = layered(_stored_tensors(avatar), avatar.settings.get("coarser", {}))
    size = _FIRST.size + len(first) + _DIGEST + len(rest)
    fixed = _FIXED.pack(MAGIC, VERSION, 0, len(header), size)
    body = fixed + header + _FIRST.pack(len(first)) + first
    body += hashlib.sha256(body).digest() + rest
    if len(body) + _DIGEST > MAX_ARCHIVE:
        raise InputError(
            f"the avatar takes {len(body)} bytes, more than the {MAX_ARCHIVE} an archive may hold",
            "Enrol with a smaller field.",
        )
    data = body + hashlib.sha256(body).digest()
    try:
        parse_avatar(data)
    except ArchiveError as error:  # the reader's rules are the writer's
        raise InputError(f"this avatar cannot be archived: {error.message}") from error
    return data


def stored_version(data: bytes) -> int:
    """The format that an archive is written in.  Raises as `parse_avatar`."""
    return _split(data)[0]


def parse_avatar(data: bytes) -> Avatar:
    """The avatar in an archive's bytes; float16 and byte tensors come back as float32.

    Raises ArchiveError for damage and VersionError for a sound archive of a newer format.
    Memory stays within a small multiple of len(data): lengths are checked before use.
    """
    version, header, payload = _split(data)
    if version == 1:
        tensors = image_tensors(payload)
    else:
        first, rest = _layers(data, payload)
        tensors = unlayered(first, rest)
    return _opened(header, tensors, data[-_DIGEST:].hex())


def first_bytes(data: bytes) -> int | None:
    """How long a prefix `parse_first` needs, told by an archive's first 2 MB or fewer.

    None: not known yet, or an archive of version 1, which opens whole only.
    """
    if len(data) < _FIXED.size or data[: len(MAGIC)] != MAGIC:
        return None
    _, version, _, header_size, _ = _FIXED.unpack_from(data)
    start = _FIXED.size + header_size
    if version != 2 or header_size > MAX_HEADER or len(data) < start + _FIRST.size:
        return None
    return start + _FIRST.size + int(_FIRST.unpack_from(data, start)[0]) + _DIGEST


def parse_first(data: bytes, digest: str = "") -> Avatar:
    """The avatar of lower quality in an archive's first bytes (section 6); more of them are let be.

    digest: that of the whole archive as its sender gives it, to match streams with; nothing in the
    prefix proves it, `parse_avatar` does when all is there.
    Raises ArchiveError: also where the prefix is too short.
    """
    size = first_bytes(data)
    if size is None or len(data) < size:
        needs = "" if size is None else f" of {size} needed"
        raise ArchiveError(
            f"avatar: {len(data)} bytes{needs} open nothing yet", "Fetch more of the archive."
        )
    if hashlib.sha256(memoryview(data)[: size - _DIGEST]).digest() != data[size - _DIGEST : size]:
        raise ArchiveError("avatar: damaged, its first layer's SHA-256 does not fit", _CURE)
    start = _FIXED.size + int(_FIXED.unpack_from(data)[3])
    tensors = unlayered(data[start + _FIRST.size : size - _DIGEST], None)
    return _opened(data[_FIXED.size : start], tensors, digest)


def _layers(data: bytes, payload: memoryview) -> tuple[bytes, bytes]:
    """The first layer and the rest of a payload of version 2 (section 2)."""
    size = first_bytes(data)
    if size is None or size > len(data) - _DIGEST:
        raise ArchiveError("avatar: the first layer is longer than the payload", _CURE)
    if hashlib.sha256(memoryview(data)[: size - _DIGEST]).digest() != data[size - _DIGEST : size]:
        raise ArchiveError("avatar: damaged, its first layer's SHA-256 does not fit", _CURE)
    inner = size - (len(data) - _DIGEST - len(payload))
    return bytes(payload[_FIRST.size : inner - _DIGEST]), bytes(payload[inner:])


def _opened(header: bytes, tensors: dict[str, Array], digest: str) -> Avatar:
    fields_ = _json(header)
    for name, value in tensors.items():
        _check_tensor(name, value)
        if value.dtype == np.float16:
            tensors[name] = value.astype(np.float32)
    _spread(tensors)
    return _avatar(fields_, tensors, digest)


def _spread(tensors: dict[str, Array]) -> None:
    """Byte tensors and their steps -> float32, in place (section 4)."""
    for name in [n.removesuffix(SUFFIX) for n in tensors if n.endswith(SUFFIX)]:
        value, step = tensors.get(name), tensors.pop(name + SUFFIX)
        if value is None or value.dtype != np.int8 or step.dtype != np.float32:
            raise ArchiveError(f"avatar: tensor {name}{SUFFIX} has no bytes to scale", _CURE)
        if step.ndim != value.ndim or any(
            a not in (1, b) for a, b in zip(step.shape, value.shape, strict=True)
        ):
            raise ArchiveError(
                f"avatar: tensor {name}{SUFFIX} is {step.shape}, {name} {value.shape}", _CURE
            )
        with np.errstate(over="ignore"):
            tensors[name] = from_bytes(value, step)
        _check_tensor(name, tensors[name])  # a unit near the end of float32


def _split(data: bytes) -> tuple[int, bytes, memoryview]:
    """Version, header and payload of an archive whose lengths and digest hold (section 2)."""
    if len(data) > MAX_ARCHIVE:
        raise ArchiveError(f"avatar: longer than the {MAX_ARCHIVE} bytes an archive may have")
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise ArchiveError("avatar: not an .avatar archive (magic at byte 0)", _CURE)
    if len(data) < _FIXED.size + _DIGEST:
        raise ArchiveError(f"avatar: cut short, only {len(data)} bytes are there", _CURE)
    view = memoryview(data)
    # The digest goes first: every version keeps it last, so damage is never mistaken for news.
    if hashlib.sha256(view[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise ArchiveError("avatar: damaged or cut short, its SHA-256 does not fit", _CURE)
    _, version, reserved, header_size, payload_size = _FIXED.unpack_from(data)
    if version > VERSION:
        raise VersionError(
            f"avatar: written in archive format {version}; this Facewire reads up to {VERSION}",
            "Update Facewire: pip install --upgrade facewire",
        )
    if version not in (1, VERSION) or reserved != 0:
        raise ArchiveError(f"avatar: version {version}.{reserved} does not exist", _CURE)
    if header_size > MAX_HEADER:
        raise ArchiveError(f"avatar: header of {header_size} bytes, at most {MAX_HEADER} allowed")
    if _FIXED.size + header_size + payload_size + _DIGEST != len(data):
        raise ArchiveError(
            f"avatar: header ({header_size}) and payload ({payload_size}) do not fill the file "
            f"of {len(data)} bytes",
            _CURE,
        )
    start = _FIXED.size + header_size
    return version, data[_FIXED.size : start], view[start:-_DIGEST]


def _json(header: bytes) -> dict[str, Any]:
    def no_constant(text: str) -> None:
        raise ValueError(f"{text} is not JSON")

    try:
        value = json.loads(header.decode("utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"avatar: the header is not JSON: {error}", _CURE) from error
    if not isinstance(value, dict):
        raise ArchiveError("avatar: the header is not a JSON object", _CURE)
    return value


def _avatar(header: dict[str, Any], tensors: dict[str, Array], digest: str) -> Avatar:
    """The header's fields (section 3), each checked before it is used."""
    name = _text(header, "name", 1, 120)
    check_name(name)
    layout = StateLayout(**_record(header, "layout", dict.fromkeys(GROUPS, int)))
    if any(getattr(layout, g) < 0 for g in GROUPS) or not 0 < layout.width <= MAX_WIDTH:
        raise ArchiveError(f"avatar: header field layout: {layout} is no layout", _CURE)
    camera = _record(header, "camera", {"focal": float, "centre": list})
    if len(camera["centre"]) != 2 or not all(_is(x, float) for x in camera["centre"]):
        raise ArchiveError("avatar: header field camera.centre is not two numbers", _CURE)
    if not 0.0 < camera["focal"] < 1e6:
        raise ArchiveError(f"avatar: header field camera.focal is {camera['focal']}", _CURE)
    window = {"left": float, "top": float, "side": float, "width": int, "height": int}
    consent = _record(header, "consent", {f.name: str for f in fields(Consent)})
    return Avatar(
        name=name,
        created=_text(header, "created", 0, 64),
        consent=Consent(**consent),
        camera=Pinhole(
            float(camera["focal"]), (float(camera["centre"][0]), float(camera["centre"][1]))
        ),
        window=Window(**_record(header, "window", window)),
        layout=layout,
        statistics=_statistics(tensors, layout.width),
        settings=_record(header, "settings", {}),
        report=_record(header, "report", {}),
        signer=_signer(header),
        tensors={k: v for k, v in tensors.items() if not k.startswith(_STATISTICS)},
        digest=digest,
    )


def _statistics(tensors: dict[str, Array], width: int) -> StateStatistics:
    values = {}
    for name in ("mean", "scale", "step"):
        value = tensors.get(_STATISTICS + name)
        if value is None or value.shape != (width,) or value.dtype != np.float32:
            raise ArchiveError(f"avatar: tensor statistics.{name} is not float32 [{width}]", _CURE)
        if not np.all(np.isfinite(value)):
            raise ArchiveError(f"avatar: tensor statistics.{name} is not finite", _CURE)
        values[name] = value
    if not (np.all(values["step"] > 0) and np.all(values["scale"] >= 0)):
        raise ArchiveError(
            "avatar: statistics.step must be above 0, statistics.scale not below", _CURE
        )
    history = tensors.get(_STATISTICS + "history")
    if history is None or history.dtype != np.int16 or history.ndim != 2:
        raise ArchiveError("avatar: tensor statistics.history is not int16 [N, D]", _CURE)
    if history.shape[0] > MAX_HISTORY or (history.size and history.shape[1] != width):
        raise ArchiveError(
            f"avatar: tensor statistics.history is {history.shape}, not up to {MAX_HISTORY} rows "
            f"of {width}",
            _CURE,
        )
    basis = tensors.get(_STATISTICS + "basis")
    if basis is not None and (
        basis.shape != (width, width) or basis.dtype != np.float32 or not np.all(np.isfinite(basis))
    ):
        raise ArchiveError(
            f"avatar: tensor statistics.basis is not finite float32 [{width}, {width}]", _CURE
        )
    return StateStatistics(**values, history=history, basis=basis)


def check_name(name: str) -> None:
    """Refuses names that would be dangerous as part of a path (section 3): ArchiveError."""
    if name != name.strip() or name.startswith(".") or any(c in name for c in "/\\"):
        raise ArchiveError(
            f"avatar: the name {name!r} could be taken for a path", "Choose a plain name."
        )
    if any(not c.isprintable() for c in name):
        raise ArchiveError(
            f"avatar: the name {name!r} has control characters", "Choose a plain name."
        )


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31
    return isinstance(value, kind)


def _text(header: dict[str, Any], name: str, low: int, high: int) -> str:
    value = header.get(name)
    if not isinstance(value, str) or not low <= len(value) <= high:
        raise ArchiveError(
            f"avatar: header field {name} is not text of {low} to {high} characters", _CURE
        )
    return value


def _signer(header: dict[str, Any]) -> str:
    if "signer" not in header:
        return ""
    value = _text(header, "signer", 64, 64)
    if set(value) - set("0123456789abcdef"):
        raise ArchiveError("avatar: header field signer is no key in hexadecimal", _CURE)
    return value


def _record(header: dict[str, Any], name: str, kinds: dict[str, type]) -> dict[str, Any]:
    """A sub-object with at least the keys in `kinds`; unknown keys are left out (section 3)."""
    value = header.get(name)
    if not isinstance(value, dict):
        raise ArchiveError(f"avatar: header field {name} is missing or not an object", _CURE)
    for key, kind in kinds.items():
        if not _is(value.get(key), kind):
            raise ArchiveError(
                f"avatar: header field {name}.{key} is missing or of a wrong kind", _CURE
            )
    return {key: value[key] for key in kinds} if kinds else value


def _header_bytes(avatar: Avatar) -> bytes:
    header = {
        "name": avatar.name,
        "created": avatar.created,
        "consent": asdict(avatar.consent),
        "camera": {"focal": avatar.camera.focal, "centre": list(avatar.camera.centre)},
        "window": asdict(avatar.window),
        "layout": asdict(avatar.layout),
        "settings": avatar.settings,
        "report": avatar.report,
    }
    if avatar.signer:
        header["signer"] = avatar.signer
    try:
        text = json.dumps(
            header, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_plain
        )
    except (ValueError, TypeError) as error:
        raise InputError(f"this avatar's header is not JSON: {error}") from error
    return text.encode("utf-8")


def _plain(value: Any) -> Any:
    """numpy's scalars and arrays as JSON values."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _stored_tensors(avatar: Avatar) -> dict[str, Array]:
    exact = frozenset(avatar.settings.get("exact_tensors", ()))
    coarse = frozenset(avatar.settings.get("byte_tensors", ()))
    stored: dict[str, Array] = {}
    for name, value in avatar.tensors.items():
        if name.startswith(_STATISTICS) or name.endswith((SUFFIX, PLAN)):
            raise InputError(
                f"tensor name {name}: statistics.*, *{SUFFIX} and *{PLAN} are the archive's"
            )
        if name in coarse and _fits_bytes(np.asarray(value)):
            stored[name], stored[name + SUFFIX] = to_bytes(value)
        else:
            stored[name] = _stored(np.asarray(value), name in exact)
    for name in ("mean", "scale", "step"):
        value = np.asarray(getattr(avatar.statistics, name))
        stored[_STATISTICS + name] = np.array(value, np.float32, order="C")
    stored[_STATISTICS + "history"] = np.array(avatar.statistics.history, np.int16, order="C")
    if avatar.statistics.basis is not None:
        stored[_STATISTICS + "basis"] = np.array(avatar.statistics.basis, np.float32, order="C")
    return stored


def _fits_bytes(value: Array) -> bool:
    """Of what does not, `_stored` and the reader's rules say what is wrong."""
    numbers = value.ndim > 0 and value.size > 0 and value.dtype.kind == "f"
    return numbers and bool(np.all(np.isfinite(value)))


def _stored(value: Array, exact: bool) -> Array:
    """As it goes into the file (section 4): float16 where that keeps 3 digits, never float64."""
    if not np.issubdtype(value.dtype, np.floating):
        return np.array(value, order="C")
    single = np.array(value, np.float32, order="C")
    largest = float(np.max(np.abs(single), initial=0.0))
    half = single.size > _EXACT_BELOW and (largest == 0.0 or _HALF_MIN <= largest <= _HALF_MAX)
    return single.astype(np.float16) if half and not exact else single


def _check_tensor(name: str, value: Array) -> None:
    plain = name.replace("_", "").replace(".", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum()) or ".." in name or name.startswith("."):
        raise ArchiveError(f"avatar: {name!r} is not a tensor's name", _CURE)
    if value.dtype.kind not in "fiub" or (value.dtype.kind == "f" and value.dtype.itemsize > 4):
        raise ArchiveError(f"avatar: tensor {name} has the type {value.dtype}", _CURE)
    if value.dtype.kind == "f" and not np.all(np.isfinite(value)):
        raise ArchiveError(f"avatar: tensor {name} has values that are not finite", _CURE)
