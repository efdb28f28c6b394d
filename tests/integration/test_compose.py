"""The files to deploy with: docker-compose.yml, its image, and the Procfile."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pocketquant.cli import main
from pocketquant.settings import Settings

ROOT = Path(__file__).parents[2]
SERVERS = {"mongodb", "redis", "cache"}
PROGRAMS = {"web", "push", "worker", "interactive", "beat", "streamer", "flower"}
INTERPOLATED = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return compose["services"]


@pytest.fixture(scope="module")
def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_compose_file_keeps_to_the_published_schema() -> None:
    """The schema of the Compose specification, as check-jsonschema carries it."""
    program = str(Path(sys.executable).parent / "check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == checked.returncode, checked.stdout


def test_every_service_is_kept_running_watched_and_without_rights(services: Any) -> None:
    """Restarted, judged by a health check, not root, no capabilities, logs that end."""
    assert SERVERS | PROGRAMS == services.keys()
    for name, service in services.items():
        assert "unless-stopped" == service["restart"], name
        assert service["healthcheck"]["test"], name
        assert not service["user"].startswith(("0", "root")), name
        assert ["ALL"] == service["cap_drop"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["stop_grace_period"], name


def test_what_serves_nothing_is_watched_by_a_file(services: Any) -> None:
    """The health check looks at the file that the program is told to touch."""
    for name, variable in (
        ("worker", "WORKER_ALIVE_FILE"),
        ("interactive", "WORKER_ALIVE_FILE"),
        ("streamer", "STREAMER_ALIVE_FILE"),
    ):
        file = services[name]["environment"][variable]
        assert file in services[name]["healthcheck"]["test"][1]


def test_images_are_pinned(services: Any) -> None:
    """Each names a version to the last digit, in the Dockerfile too."""
    images = [service["image"] for service in services.values()]
    base = re.findall(r"^FROM (\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert [] == [one for one in images + base if not re.search(r":\d+\.\d+\.\d+", one)]


def test_only_loopback_is_published_and_each_service_can_be_many(services: Any) -> None:
    """No service is reachable from outside the host, and no container has a name of its own."""
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert {"web", "push", "flower"} == published.keys()
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not [name for name, service in services.items() if "container_name" in service]


def test_programs_are_those_of_the_procfile(services: Any, procfile: dict[str, str]) -> None:
    """The same commands, and each is one the command line takes."""
    commands = {name: " ".join(services[name]["command"]) for name in PROGRAMS}
    assert procfile == commands
    for command in commands.values():
        program, name, *options = INTERPOLATED.sub(r"\2", command).split()
        assert "pocketquant" == program
        program = main.get_command(click.Context(main), name)
        assert program
        program.make_context(name, options)


def test_every_variable_is_a_setting(services: Any) -> None:
    """A name misspelt here would be ignored in silence."""
    known = {name.upper() for name in Settings.model_fields}
    given = {name for program in PROGRAMS for name in services[program]["environment"]}
    asked = {name for name, _ in INTERPOLATED.findall((ROOT / "docker-compose.yml").read_text())}
    assert set() == (given | asked) - known


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    """Every source of a COPY exists and passes .dockerignore."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    sources = {source for copy in copies for source in copy.split()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / source).exists() for source in sources)
