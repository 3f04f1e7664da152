"""What goes over the wire as JSON, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.api.settings import ServiceSettings
from service.guide.script import PROMPTS
from service.jobs.queue import DONE
from service.store.models import Grant, Job, StoredAvatar, Token
from service.view import LARGEST, SMALLEST

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="32 hex digits")]
_PLAIN = r"^[^\x00-\x1f\x7f]*$"  # no control characters
Label = Annotated[str, StringConstraints(max_length=64, pattern=_PLAIN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_PLAIN)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Credentials(Asked):
    name: Name
    password: Password


class PasswordAgain(Asked):
    """For what a stolen token shall not do."""

    password: Password


class SigningKey(BaseModel):
    public: str = Field(description="64 hex digits, as in your avatars")
    pem: str = Field(description="the private key, PKCS #8: give it to nobody")


class TokenWanted(Asked):
    scopes: list[Name] = Field(min_length=1, max_length=16)
    days: float = Field(gt=0, le=366)
    label: Label = ""


class GrantWanted(Asked):
    holder: Name = Field(description="the user name of who may fetch the avatar")
    days: float = Field(gt=0, le=36_600)


class ConsentGiven(Asked):
    """What the person agreed to.  version: of the wording at GET /v1/consent."""

    subject: Name = Field(description="whose face: a name, or self")
    purpose: Label = Field(min_length=1)
    version: Label
    agreed: Literal[True]


class EnrolmentWanted(Asked):
    name: Name = Field(description="of the avatar")
    consent: ConsentGiven
    size: int = Field(256, ge=32, le=1024, description="pixels a side to learn from")
    seconds: float | None = Field(None, gt=0, le=86_400, description="of fitting")
    steps: int | None = Field(None, ge=1, le=1_000_000, description="of fitting, instead")
    guided: bool = Field(False, description="check the video against a script of gestures")


class ConsentWording(BaseModel):
    version: str
    wording: str
    purpose: str


class Prompt(BaseModel):
    gesture: str
    words: str


class JobShown(BaseModel):
    """state: empty (send what it works on), waiting, running, done, failed or cancelled."""

    id: str
    state: str
    progress: float = Field(description="0 to 1")
    note: str
    seconds_left: float | None = Field(description="until it ends, where known, when updated")
    ahead: int | None = Field(None, description="jobs that wait before it, while it waits")
    report: dict[str, Any] | None
    error: str
    created: datetime
    updated: datetime


def _told(job: Job) -> dict[str, Any]:
    """The fields of a `JobShown`."""
    return {
        "id": job.id,
        "state": job.state,
        "progress": job.progress,
        "note": job.note,
        "seconds_left": job.report.get("seconds_left"),
        "report": job.report if job.state == DONE else None,
        "error": job.error,
        "created": moment(job.created),
        "updated": moment(job.updated),
    }


class EnrolmentShown(JobShown):
    name: str
    script: list[Prompt] | None
    preview: bool = Field(description="whether there is one at .../preview")
    avatar: str | None = Field(description="the avatar's id, once done")

    @classmethod
    def of(cls, job: Job, _: ServiceSettings) -> EnrolmentShown:
        script = job.settings.get("script")
        return cls(
            **_told(job),
            name=job.settings["name"],
            script=script and [Prompt(gesture=g, words=PROMPTS[g]) for g in script],
            preview=job.preview is not None,
            avatar=job.result,
        )


class RenderingWanted(Asked):
    """Of what size and look; a square where no size is given."""

    avatar: str = Field(pattern="^[0-9a-f]{32}$", description="yours, or one you hold a grant for")
    size: int | None = Field(None, ge=SMALLEST, le=LARGEST, description="pixels a side of a square")
    width: int | None = Field(None, ge=SMALLEST, le=LARGEST, description="pixels, with a height")
    height: int | None = Field(
        None, ge=SMALLEST, le=LARGEST,
        description="lines; without a width in the shape in which the person was filmed",
    )  # fmt: skip
    fit: Literal["contain", "cover", "extend"] = "contain"
    background: str = Field(
        "learned", max_length=16, description="learned, blur, or a colour: a name or #rrggbb"
    )


class RenderingShown(JobShown):
    avatar: str
    video: bool = Field(description="whether there is one at .../video")
    expires: datetime | None = Field(description="when the video is destroyed")

    @classmethod
    def of(cls, job: Job, limits: ServiceSettings) -> RenderingShown:
        expires = None if job.output is None else job.updated + limits.rendering_hours * 3600
        return cls(
            **_told(job),
            avatar=job.settings["avatar"],
            video=job.output is not None,
            expires=None if expires is None else moment(expires),
        )


class Account(BaseModel):
    id: str
    name: str
    created: datetime


class TokenShown(BaseModel):
    id: str
    label: str
    scopes: list[str]
    created: datetime
    expires: datetime
    revoked: datetime | None

    @classmethod
    def of(cls, token: Token) -> TokenShown:
        return cls(
            id=token.id,
            label=token.label,
            scopes=token.scopes.split(),
            created=moment(token.created),
            expires=moment(token.expires),
            revoked=None if token.revoked is None else moment(token.revoked),
        )


class TokenIssued(TokenShown):
    token: str = Field(description="shown this once")


class AvatarShown(BaseModel):
    id: str
    owner: str
    name: str
    digest: str
    size: int
    created: datetime

    @classmethod
    def of(cls, avatar: StoredAvatar, owner: str) -> AvatarShown:
        return cls(
            id=avatar.id,
            owner=owner,
            name=avatar.name,
            digest=avatar.digest,
            size=avatar.size,
            created=moment(avatar.created),
        )


class GrantShown(BaseModel):
    id: str
    avatar: str
    holder: str
    created: datetime
    expires: datetime
    revoked: datetime | None

    @classmethod
    def of(cls, grant: Grant, holder: str) -> GrantShown:
        return cls(
            id=grant.id,
            avatar=grant.avatar_id,
            holder=holder,
            created=moment(grant.created),
            expires=moment(grant.expires),
            revoked=None if grant.revoked is None else moment(grant.revoked),
        )


class LeaseIssued(BaseModel):
    id: str
    key: str = Field(description="base64, opens the sealed archive; shown this once")
    expires: datetime
    archive: str = Field(description="path to fetch the sealed archive from")


class EventShown(BaseModel):
    number: int
    time: datetime
    actor: str = Field(description="a user name, empty for one who was erased")
    action: str
    subject: str


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
