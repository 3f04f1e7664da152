"""The server's settings, each from one environment variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from avatar.errors import InputError

PREFIX = "FACEWIRE_"


def _of(default: Any, about: str, secret: bool = False, none: bool = False) -> Any:
    """none: 0 is a value, too."""
    return field(default=default, metadata={"help": about, "none": none}, repr=not secret)


@dataclass(frozen=True)
class ServiceSettings:
    """The variable of a field is its name in capitals behind FACEWIRE_."""

    data: Path = _of(Path("facewire-data"), "folder of the database and the sealed files")
    database: str = _of(
        "", "URL of the database; without it SQLite in the data folder", secret=True
    )
    blobs: str = _of(
        "", "URL of a store for the sealed files, such as s3://bucket/folder; without it sealed in"
        " the data folder",
    )  # fmt: skip
    master_key: str = _of("", "32 bytes in base64, over all users' keys", secret=True)
    master_key_file: str = _of(
        "", "file with the master key, made if missing; without it master.key in the data folder"
    )
    host: str = _of("127.0.0.1", "address to listen on")
    port: int = _of(8710, "port to listen on")
    registration: bool = _of(True, "whether anybody may register: 1 or 0")
    liveness: bool = _of(
        False, "whether only films that follow their guided script are enrolled, and no avatars"
        " are taken from elsewhere: 1 or 0",
    )  # fmt: skip
    pages: bool = _of(True, "whether the pages are served beside the API: 1 or 0")
    lab: str = _of("", "results of `facewire bench run`; with them there is a compare page")
    metrics: bool = _of(False, "whether /metrics tells Prometheus how the server fares: 1 or 0")
    log_json: bool = _of(False, "whether the log is JSON, an object a line: 1 or 0")
    body_kib: int = _of(64, "largest request body, KiB, but for avatars")
    avatar_mib: int = _of(64, "largest avatar, MiB")
    avatars: int = _of(20, "most avatars a user may keep")
    uploads: int = _of(
        4, "avatars, videos and streams taken in at the same time, avatars in memory"
    )
    upload_seconds: float = _of(120.0, "longest time a request's body may take to come")
    user_uploads: int = _of(2, "of them for one user")
    video_mib: int = _of(512, "largest video to enrol from, MiB")
    video_seconds: float = _of(600.0, "longest video to enrol from")
    video_upload_seconds: float = _of(900.0, "longest time a video may take to come")
    enrolments: int = _of(2, "most enrolments of a user that wait or run")
    fit_seconds: float = _of(1800.0, "longest fit that may be asked for")
    fit_size: int = _of(512, "largest size that may be learned, pixels a side")
    renderings: int = _of(2, "most renderings of a user that wait or run")
    rendering_mib: int = _of(16, "largest stream to render, MiB")
    rendering_seconds: float = _of(600.0, "longest stream to render")
    rendering_side: int = _of(1920, "largest picture that is rendered, pixels a side")
    rendering_hours: float = _of(24.0, "how long a rendered video is kept")
    workers: int = _of(
        1, "processes that work enrolments and renderings off; 0: others do", none=True
    )
    ray: str = _of("", "address of a Ray cluster that works them off instead, such as auto")
    ray_cpus: float = _of(1.0, "processor cores of the cluster that a job takes")
    ray_gpus: float = _of(0.0, "GPUs of the cluster that a job takes", none=True)
    work: str = _of("", "folder for videos while they are worked on; without it work in the data")
    job_lease: float = _of(30.0, "seconds after which a worker that is silent has lost its job")
    checkpoint_seconds: float = _of(20.0, "seconds of a fit that a killed worker loses at most")
    device: str = _of("auto", "what fits and renders: auto, cpu or cuda")
    shard: int = _of(
        0, "number of this process, 1 to 255, among several behind one balancer: its rooms' ids"
        " begin with it; 0: it is the only one", none=True,
    )  # fmt: skip
    rooms: int = _of(1000, "rooms for calls at the same time")
    user_rooms: int = _of(20, "of them for one user; the oldest empty one makes room")
    browsers: int = _of(8, "browsers in calls at the same time, each drawn for here")
    user_browsers: int = _of(2, "of them for one user")
    visits: int = _of(4, "cameras that are tracked or mirrored here at the same time")
    user_visits: int = _of(2, "of them for one user")
    visit_minutes: float = _of(60.0, "longest time that one of them is at work")
    streams: int = _of(200, "progress streams that are open at the same time")
    user_streams: int = _of(20, "of them for one user")
    user_tokens: int = _of(100, "most tokens that are kept of a user")
    user_grants: int = _of(500, "most grants that are kept of a user")
    user_leases: int = _of(100, "most keys of downloads that a user may hold")
    ended_days: float = _of(90.0, "how long ended tokens, grants and enrolments stay listed")
    event_days: float = _of(365.0, "how long the audit log goes back")
    rate: float = _of(600.0, "requests a minute for each token, four times that for an address")
    sign_in_rate: float = _of(10.0, "sign-ins and registrations a minute for each address")
    session_hours: float = _of(24.0, "how long a sign-in lasts")
    token_days: float = _of(90.0, "longest life of a token")
    grant_days: float = _of(365.0, "longest life of a grant")
    lease_minutes: float = _of(15.0, "how long the key of a download opens it")
    password_passes: int = _of(3, "cost of a password's hash, passes of argon2id")
    password_memory: int = _of(65_536, "cost of a password's hash, KiB")


def settings_from(environment: Mapping[str, str]) -> ServiceSettings:
    """Raises InputError, which names the variable but not what it holds."""
    values = {}
    for item in fields(ServiceSettings):
        text = environment.get(variable(item))
        if text is not None:
            values[item.name] = _parsed(item, text)
    return ServiceSettings(**values)


def variable(item: Field[Any]) -> str:
    return PREFIX + item.name.upper()


def described() -> list[tuple[str, str, str]]:
    """Variable, default and meaning of every setting."""
    return [
        (variable(item), "" if item.default == "" else _shown(item.default), item.metadata["help"])
        for item in fields(ServiceSettings)
    ]


def _shown(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else f"{value}"


def _parsed(item: Field[Any], text: str) -> Any:
    default: Any = item.default
    kind: Any = type(default)
    try:
        if kind is bool:
            return {"0": False, "1": True}[text.strip()]
        value = kind(text)
    except (ValueError, KeyError):
        raise _refused(item, "1 or 0" if kind is bool else "a number") from None
    least = item.metadata["none"] and value == 0
    if kind in (int, float) and not (0 < value < 1e9 or least):
        raise _refused(item, "a number above 0")
    return value


def _refused(item: Field[Any], wanted: str) -> InputError:
    return InputError(f"{variable(item)} is not {wanted}", f"It sets: {item.metadata['help']}.")
