"""What is asked before jobs go to a cluster.  tests/service/test_scale.py runs one."""

from __future__ import annotations

import importlib.util

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("cryptography")

from avatar.errors import InputError, MissingError, StorageError
from service.api.settings import settings_from
from service.jobs.cluster import ClusterSettings, Dispatcher, check_cluster, work_off


def test_a_cluster_needs_ray_and_a_database_for_all(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MissingError, match="scale"):
            check_cluster(settings_from({"FACEWIRE_DATABASE": "postgresql+psycopg://h/d"}))
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="PostgreSQL"):
        check_cluster(settings_from({"FACEWIRE_RAY": "auto"}))
    check_cluster(settings_from({"FACEWIRE_DATABASE": "postgresql+psycopg://h/d"}))


def test_a_machine_says_why_it_cannot_work_and_makes_nothing(monkeypatch, tmp_path):
    pytest.importorskip("ray")
    monkeypatch.delenv("FACEWIRE_DATABASE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "needs a database" in work_off("0" * 32)
    assert not list(tmp_path.iterdir())


def test_no_cluster_is_an_error_that_says_so(store):
    pytest.importorskip("ray")
    from service.jobs.queue import Queue

    with pytest.raises(StorageError, match="does not answer"):
        Dispatcher(Queue(store), ClusterSettings("nonsense"))
