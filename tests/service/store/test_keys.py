"""The master key and what it wraps."""

from __future__ import annotations

import base64

import pytest

pytest.importorskip("cryptography")

from avatar.errors import InputError, MismatchError, StorageError
from service.store.keys import MasterKey, derived, master_key_file, parse_master_key


def test_a_key_opens_only_for_its_user_under_its_master():
    wrapped = MasterKey(b"m" * 32).wrapped(b"u" * 32, "ada")
    assert MasterKey(b"m" * 32).unwrapped(wrapped, "ada") == b"u" * 32
    for master, stored, user in (
        (b"x" * 32, wrapped, "ada"),
        (b"m" * 32, wrapped, "bob"),
        (b"m" * 32, wrapped[:-1], "ada"),
        (b"m" * 32, b"", "ada"),
    ):
        with pytest.raises(MismatchError):
            MasterKey(master).unwrapped(stored, user)


def test_a_file_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "master.key"
    wrapped = master_key_file(path).wrapped(b"u" * 32, "ada")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["master.key"]
    assert master_key_file(path).unwrapped(wrapped, "ada") == b"u" * 32
    with pytest.raises(StorageError):
        master_key_file(tmp_path / "no" / "master.key")


@pytest.mark.parametrize("text", ["", "secret!", base64.b64encode(b"s" * 31).decode(), "\udc80"])
def test_a_bad_master_key_is_refused_and_not_shown(text):
    with pytest.raises(InputError) as caught:
        parse_master_key(text)
    assert not text or text not in str(caught.value)


def test_derived_keys_differ_by_each_part():
    keys = {
        derived(key, salt, purpose)
        for key in (b"a" * 32, b"b" * 32) for salt in (b"1", b"2") for purpose in (b"x", b"y")
    }  # fmt: skip
    assert len(keys) == 8 and all(len(key) == 32 for key in keys)
