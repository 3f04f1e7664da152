"""The signing key in its file, and of a user of the service."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("cryptography")

from avatar.archive import avatar_bytes, parse_avatar
from avatar.errors import FormatError, InputError, MismatchError, StorageError
from codec.signature import public_key
from service.signing import keep_seed, key_of, pem, read_key, seed_for, seed_of

ADA, EVE = bytes(range(32)), bytes(range(32, 64))


def test_a_key_is_made_once_for_its_owners_eyes(tmp_path):
    path = key_of(tmp_path / "ada.avatar")
    seed = seed_of(path)
    assert len(seed) == 32 and seed_of(path) != seed and not path.exists()
    keep_seed(path, seed)
    assert path.name == "ada.key" and path.stat().st_mode & 0o777 == 0o600
    keep_seed(path, ADA)  # who enrols again stays who they were
    assert seed_of(path) == read_key(path) == seed and path.read_bytes() == pem(seed)


def test_a_call_is_signed_by_the_key_beside_the_avatar(tmp_path, archive):
    plain, path = parse_avatar(archive), tmp_path / "ada.avatar"
    assert seed_for(plain, path) == b""
    signed = replace(plain, signer=public_key(ADA))
    with pytest.raises(InputError, match="cannot be signed"):
        seed_for(signed, path)
    key_of(path).write_bytes(pem(EVE))
    with pytest.raises(MismatchError, match="not the key"):
        seed_for(signed, path)
    key_of(path).write_bytes(pem(ADA))
    assert seed_for(signed, path) == ADA


def test_what_is_no_key_is_said_to_be_none(tmp_path):
    path = tmp_path / "ada.key"
    with pytest.raises(StorageError):
        read_key(path)
    for data in (b"", b"\xff" * 99, pem(ADA)[:60]):
        path.write_bytes(data)
        with pytest.raises(FormatError, match="no signing key"):
            seed_of(path)
        assert path.read_bytes() == data


def test_a_user_has_one_key_that_nobody_stores(serve, archive):
    server = serve()
    ada, eve = server.user("ada"), server.user("eve")

    def key(token, password="correct horse battery"):
        path = "/v1/account/signing-key"
        return server.call("POST", path, token, json={"password": password})

    first = key(ada).json()
    assert first == key(ada).json() and first["public"] != key(eve).json()["public"]
    assert key(ada).headers["cache-control"] == "no-store"
    assert key(ada, "wrong").status_code in (401, 403)
    assert "key.fetched" in server.call("GET", "/v1/audit", ada).text
    stored = [p.read_bytes() for p in server.settings.data.rglob("*") if p.is_file()]
    seed = read_key_text(first["pem"])
    assert public_key(seed) == first["public"]
    assert stored and not any(seed in data for data in stored)


def read_key_text(text):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(text.encode(), None).private_bytes_raw()


@pytest.mark.parametrize("own", [True, False])
def test_a_browser_calls_only_with_an_avatar_whose_key_is_here(serve, archive, own):
    server = serve()
    ada = server.user("ada")
    password = {"password": "correct horse battery"}
    key = server.call("POST", "/v1/account/signing-key", ada, json=password).json()["public"]
    signer = key if own else public_key(EVE)
    id = server.avatar(ada, avatar_bytes(replace(parse_avatar(archive), signer=signer)))
    room = server.call("POST", "/v1/rooms", ada).json()["id"]
    wish = {"sdp": "no offer", "mode": "video", "avatar": id}
    answer = server.call("POST", f"/v1/rooms/{room}/members", ada, json=wish)
    # One's own goes on to the offer, which is none.
    assert answer.status_code == (422 if own else 409), answer.text
    assert own or "enrolled elsewhere" in answer.text
