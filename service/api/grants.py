"""Grants, given and revoked by an avatar's owner, and the leases that their holders take."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Response
from sqlalchemy import select

from service.accounts import users
from service.accounts.tokens import Bearer
from service.api.context import NO_AVATAR, Shared, asking, own_avatar
from service.api.documented import refused
from service.api.problems import refuse
from service.api.shapes import GrantShown, GrantWanted, Id, LeaseIssued, moment
from service.store import audit, grants
from service.store.models import Grant, StoredAvatar, User

router = APIRouter(prefix="/v1", tags=["grants"])
Granter = Annotated[Bearer, asking("grants")]
Reader = Annotated[Bearer, asking("avatars:read")]


@router.post("/avatars/{id}/grants", status_code=201, responses=refused(409))
def give(id: Id, asked: GrantWanted, me: Granter, context: Shared) -> GrantShown:
    """Lets another user fetch your avatar for a time."""
    now = context.clock()
    expires = now + min(asked.days, context.settings.grant_days) * 86_400
    with context.database.write() as session:
        avatar = own_avatar(session, id, me.user)
        holder = users.find(session, asked.holder)
        if holder is None:
            raise refuse(404, "There is no user of that name.")
        grants.make_room(session, me.user, context.settings.user_grants, now)
        given = grants.grant(session, avatar, holder.id, expires, now)
        audit.note(session, me.user, "grant.given", given.id, me.user, now)
        return GrantShown.of(given, holder.name)


@router.get("/avatars/{id}/grants")
def list_given(id: Id, me: Granter, context: Shared) -> list[GrantShown]:
    with context.database.read() as session:
        own_avatar(session, id, me.user)
        query = select(Grant, User.name).join(User, User.id == Grant.holder_id)
        rows = session.execute(
            query.where(Grant.avatar_id == id).order_by(Grant.created.desc()).limit(500)
        )
        return [GrantShown.of(given, holder) for given, holder in rows]


@router.delete("/grants/{id}", status_code=204)
def revoke(id: Id, me: Granter, context: Shared) -> None:
    """Stops new leases and downloads.  A copy that was fetched before cannot be recalled."""
    with context.database.write() as session:
        given = session.get(Grant, id)
        avatar = session.get(StoredAvatar, given.avatar_id) if given else None
        if given is None or avatar is None or avatar.owner_id != me.user:
            raise refuse(404, "There is no such grant of yours.")
        grants.revoke(given, context.clock())
        audit.note(session, me.user, "grant.revoked", id, me.user, context.clock())


@router.post("/avatars/{id}/leases", status_code=201, responses=refused(409))
def lend(id: Id, me: Reader, context: Shared, response: Response) -> LeaseIssued:
    """The key for one download, where you hold a grant."""
    now = context.clock()
    response.headers["Cache-Control"] = "no-store"
    with context.database.write() as session:
        avatar = session.get(StoredAvatar, id)
        given = grants.standing(session, id, me.user, now)
        if avatar is None or given is None:
            raise refuse(404, NO_AVATAR)
        grants.check_leases(session, me.user, context.settings.user_leases, now)
        span = context.settings.lease_minutes * 60
        lent = grants.lend(session, context.library, avatar, given, span, now)
        audit.note(session, me.user, "avatar.leased", id, avatar.owner_id, now)
    return LeaseIssued(
        id=lent.lease,
        key=base64.b64encode(lent.key).decode(),
        expires=moment(lent.expires),
        archive=f"/v1/avatars/{id}/archive?lease={lent.lease}",
    )
