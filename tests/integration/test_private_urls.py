"""Other commands find the private servers of a running `pocketquant up`."""

import stat
from pathlib import Path

import pytest

from pocketquant.domain.errors import InvalidSettings
from pocketquant.machine.private_urls import announced, with_private_servers
from pocketquant.settings import Environment, Settings

URLS = {"mongodb_url": "mongodb://127.0.0.1:1/", "redis_url": "redis://127.0.0.1:2/0"}


def settings_for(folder: Path, **changes: object) -> Settings:
    return Settings.model_validate(
        {"data_dir": folder, "mongodb_url": "", "redis_url": "", **changes}
    )


def found(settings: Settings) -> tuple[str, str]:
    completed = with_private_servers(settings)
    return completed.mongodb_url, completed.redis_url


def test_urls_are_found_only_while_up_runs(tmp_path: Path) -> None:
    """Neither before nor after; a URL of the settings has priority."""
    settings = settings_for(tmp_path)
    assert ("", "") == found(settings)
    with announced(tmp_path, URLS):
        assert tuple(URLS.values()) == found(settings)
        own = settings_for(tmp_path, redis_url="redis://own/0")
        assert (URLS["mongodb_url"], "redis://own/0") == found(own)
    assert ("", "") == found(settings)


def test_production_has_no_private_servers(tmp_path: Path) -> None:
    """In production a missing URL stays empty."""
    with announced(tmp_path, URLS):
        settings = settings_for(tmp_path, environment=Environment.PRODUCTION)
        assert ("", "") == found(settings)


@pytest.mark.parametrize("left", [b'{"mongodb_url": "mongodb://old/"}', b"", b"{"])
def test_the_file_of_a_killed_up_is_ignored(tmp_path: Path, left: bytes) -> None:
    """The kernel has released its lock; the next `up` replaces the file."""
    (tmp_path / "servers.json").write_bytes(left)
    assert ("", "") == found(settings_for(tmp_path))
    with announced(tmp_path, URLS):
        assert tuple(URLS.values()) == found(settings_for(tmp_path))


def test_only_this_user_may_read_the_urls(tmp_path: Path) -> None:
    """Private servers have no passwords."""
    with announced(tmp_path, URLS):
        assert 0o600 == stat.S_IMODE((tmp_path / "servers.json").stat().st_mode)


def test_a_second_up_on_a_folder_is_refused(tmp_path: Path) -> None:
    """The first one continues."""
    with announced(tmp_path, URLS):
        second = announced(tmp_path, {})
        with pytest.raises(InvalidSettings, match="another `pocketquant up` runs"):
            second.__enter__()
        assert tuple(URLS.values()) == found(settings_for(tmp_path))
