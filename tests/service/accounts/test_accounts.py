"""Passwords, names and tokens, with the time as an argument."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("cryptography")
pytest.importorskip("alembic")
pytest.importorskip("argon2")

from avatar.errors import AccessError, InputError, TakenError
from service.accounts import tokens, users
from service.accounts.passwords import Passwords, PasswordSettings
from service.store.blobs import BlobFolder
from service.store.database import Database, sqlite_url
from service.store.keys import MasterKey
from service.store.library import Library
from service.store.models import Token

CHEAP = PasswordSettings(passes=1, memory=8, lanes=1)
DAY = 86_400.0


@pytest.fixture
def session(tmp_path):
    database = Database(sqlite_url(tmp_path / "facewire.db"))
    database.migrate()
    with database.write() as session:
        yield session
    database.close()


@pytest.fixture
def library(tmp_path):
    return Library(MasterKey(b"m" * 32), BlobFolder(tmp_path / "blobs"))


def test_a_hash_fits_its_password_alone():
    passwords = Passwords(CHEAP)
    stored = passwords.hashed("correct horse battery")
    assert stored.startswith("$argon2id$") and "horse" not in stored
    assert stored != passwords.hashed("correct horse battery")
    assert passwords.fits("correct horse battery", stored)
    for wrong in ("correct horse batterz", "", "x" * 257, "\ud800" * 12):
        assert not passwords.fits(wrong, stored)
    assert not passwords.fits("the password of nobody", None)
    assert not passwords.fits("correct horse battery", "not a hash")


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "\ud800" * 12])
def test_bad_passwords_are_refused_and_not_shown(password):
    with pytest.raises(InputError) as caught:
        Passwords(CHEAP).hashed(password)
    assert not password or password not in str(caught.value)


def test_registering_and_signing_in(session, library):
    passwords = Passwords(CHEAP)
    ada = users.register(session, library, " Ada ", passwords.hashed("correct horse"), 1.0)
    assert (ada.name, users.find(session, "ADA")) == ("ada", ada)
    assert users.check(passwords, ada, "correct horse") is ada
    with pytest.raises(TakenError):
        users.register(session, library, "ada", "", 2.0)
    wrong = []
    for user in (ada, users.find(session, "bob")):
        with pytest.raises(AccessError) as caught:
            users.check(passwords, user, "wrong horse")
        wrong.append(str(caught.value))
    assert wrong[0] == wrong[1]  # it does not tell which names there are
    assert len(library.key_of(session, ada.id)) == 32


@pytest.mark.parametrize("name", ["", ".", "-a", "a b", "a/b", "../a", "ä", "a" * 41, "a\x00", "а"])
def test_names_are_plain(name):
    with pytest.raises(InputError):
        users.plain_name(name)


def test_a_token_opens_what_it_says_while_it_lasts(session, library):
    ada = users.register(session, library, "ada", "", 0.0)
    text, token = tokens.issue(session, ada.id, ["grants", "account"], DAY, "phone", 10.0)
    assert text not in (token.digest, token.id) and text.removeprefix("fw_") not in token.digest
    shown = tokens.bearer_of(session, text, 10.0 + DAY - 1)
    assert (shown.user, shown.scopes) == (ada.id, {"grants", "account"})
    with pytest.raises(AccessError):
        tokens.bearer_of(session, text, 10.0 + DAY)
    for other in ("", text[:-1], text + "x", token.id, token.digest, "\udcff", "fw_" * 9999):
        with pytest.raises(AccessError):
            tokens.bearer_of(session, other, 11.0)


def test_a_revoked_token_opens_nothing(session, library):
    ada = users.register(session, library, "ada", "", 0.0)
    text, token = tokens.issue(session, ada.id, tokens.SCOPES, DAY, "", 0.0)
    other, _ = tokens.issue(session, ada.id, tokens.SCOPES, DAY, "", 0.0)
    tokens.revoke(session, token, 5.0)
    tokens.revoke(session, token, 9.0)
    session.expire_all()
    assert session.get(Token, token.id).revoked == 5.0
    with pytest.raises(AccessError):
        tokens.bearer_of(session, text, 6.0)
    assert tokens.bearer_of(session, other, 6.0).user == ada.id


@pytest.mark.parametrize(
    ("scopes", "span"),
    [([], DAY), (["root"], DAY), (["account"], 0.0), (["account"], -1.0),
     (["account"], float("nan")), (["account"], 1e12)],
)  # fmt: skip
def test_no_token_for_nothing_or_for_ever(session, library, scopes, span):
    ada = users.register(session, library, "ada", "", 0.0)
    with pytest.raises(InputError):
        tokens.issue(session, ada.id, scopes, span, "", 0.0)
