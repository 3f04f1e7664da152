"""The store and the place of work that the settings name, and how work is done there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from service.api.settings import ServiceSettings
from service.jobs import enrolment, rendering
from service.jobs.enrolment import WorkSettings
from service.jobs.rendering import RenderingSettings
from service.jobs.worker import Task
from service.store.opened import Store, open_store


def store_of(settings: ServiceSettings) -> Store:
    """Raises InputError, StorageError and VersionError where settings or store do not hold."""
    return open_store(
        settings.data,
        settings.database,
        settings.master_key,
        settings.master_key_file,
        settings.blobs,
    )


def work_folder(settings: ServiceSettings) -> Path:
    return Path(settings.work) if settings.work else settings.data / "work"


def tasks_of(settings: ServiceSettings) -> dict[str, Task]:
    """What a worker does, by the kind of job."""
    fitting = WorkSettings(settings.video_seconds, settings.checkpoint_seconds, settings.device)
    drawing = RenderingSettings(
        settings.rendering_seconds, settings.rendering_side, settings.device
    )
    return {
        enrolment.KIND: partial(enrolment.run, work=fitting),
        rendering.KIND: partial(rendering.run, work=drawing),
    }
