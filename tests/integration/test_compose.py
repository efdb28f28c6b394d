"""The files for deployment: docker-compose.yml, its image, and the Procfile."""

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


def test_the_compose_file_matches_the_published_schema() -> None:
    """The schema of the Compose specification comes with check-jsonschema."""
    program = str(Path(sys.executable).parent / "check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == checked.returncode, checked.stdout


def test_every_service_is_restarted_checked_and_unprivileged(services: Any) -> None:
    """It has a health check, is not root, has no capabilities, and its logs have a limit."""
    assert SERVERS | PROGRAMS == services.keys()
    for name, service in services.items():
        assert "unless-stopped" == service["restart"], name
        assert service["healthcheck"]["test"], name
        assert not service["user"].startswith(("0", "root")), name
        assert ["ALL"] == service["cap_drop"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["stop_grace_period"], name


def test_the_health_check_of_workers_and_streamers_reads_their_alive_file(services: Any) -> None:
    """The check reads the file of the setting."""
    for name, variable in (
        ("worker", "WORKER_ALIVE_FILE"),
        ("interactive", "WORKER_ALIVE_FILE"),
        ("streamer", "STREAMER_ALIVE_FILE"),
    ):
        file = services[name]["environment"][variable]
        assert file in services[name]["healthcheck"]["test"][1]


def test_images_are_pinned(services: Any) -> None:
    """Each has a full version, also in the Dockerfile."""
    images = [service["image"] for service in services.values()]
    base = re.findall(r"^FROM (\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert [] == [one for one in images + base if not re.search(r":\d+\.\d+\.\d+", one)]


def test_only_loopback_is_published_and_each_service_can_be_scaled(services: Any) -> None:
    """No service is reachable from outside the host, and no container has a fixed name."""
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert {"web", "push", "flower"} == published.keys()
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not [name for name, service in services.items() if "container_name" in service]


def test_programs_are_those_of_the_procfile(services: Any, procfile: dict[str, str]) -> None:
    """The commands are equal, and the command line accepts each of them."""
    commands = {name: " ".join(services[name]["command"]) for name in PROGRAMS}
    assert procfile == commands
    for command in commands.values():
        program, name, *options = INTERPOLATED.sub(r"\2", command).split()
        assert "pocketquant" == program
        program = main.get_command(click.Context(main), name)
        assert program
        program.make_context(name, options)


def test_every_variable_is_a_setting(services: Any) -> None:
    """A misspelt name would be ignored silently."""
    known = {name.upper() for name in Settings.model_fields}
    given = {name for program in PROGRAMS for name in services[program]["environment"]}
    interpolated = {
        name for name, _ in INTERPOLATED.findall((ROOT / "docker-compose.yml").read_text())
    }
    assert set() == (given | interpolated) - known


def test_the_files_that_the_image_copies_exist_and_are_not_ignored() -> None:
    """Every source of a COPY exists and passes .dockerignore."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    sources = {source for copy in copies for source in copy.split()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / source).exists() for source in sources)
