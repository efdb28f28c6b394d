"""The data folder: for this user alone, with the password that Flower was given."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr

from pocketquant.machine import data_folder
from pocketquant.settings import Environment, Settings


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


def settings(**changes: object) -> Settings:
    return Settings(_env_file=None).model_copy(update=changes)


def test_a_new_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    """Those above it stay as the umask makes them."""
    data_folder.prepare(tmp_path / "above" / "data")
    assert 0o700 == (tmp_path / "above" / "data").stat().st_mode & 0o777


def test_what_an_earlier_start_left_open_is_closed(tmp_path: Path) -> None:
    """Folders and files alike; doing it twice changes nothing."""
    data = tmp_path / "data"
    (data / "redis" / "appendonlydir").mkdir(parents=True)
    for name in ("redis/appendonlydir/appendonly.aof", "mongod.log", "servers.json"):
        (data / name).write_text("secret")
        (data / name).chmod(0o644)
    data.chmod(0o755)
    for _ in range(2):
        data_folder.prepare(data)
        assert {0o700, 0o600} == modes(data)


def test_what_is_not_ours_keeps_its_mode(tmp_path: Path) -> None:
    """Other files of a folder, the folder itself then, and what a link names."""
    data, outside = tmp_path / "home", tmp_path / "outside"
    (data / "logs").mkdir(parents=True)
    for path in (outside, data / "notes.txt"):
        path.write_text("for all")
        path.chmod(0o644)
    (data / "logs" / "link").symlink_to(outside)
    data.chmod(0o755)
    data_folder.prepare(data)
    found = [path.stat().st_mode & 0o777 for path in (data, data / "notes.txt", outside)]
    assert [0o755, 0o644, 0o644] == found
    assert 0o700 == (data / "logs").stat().st_mode & 0o777


def test_flower_s_password_is_made_once(tmp_path: Path) -> None:
    """Whoever starts first, also at the same moment; its file is for this user alone."""
    data = tmp_path / "data"
    with ThreadPoolExecutor(8) as threads:
        asked = [
            threads.submit(data_folder.with_flower_password, settings(), data) for _ in range(32)
        ]
    (password,) = {each.result().flower_password.get_secret_value() for each in asked}
    assert len(password) >= 32
    assert f"{password}\n" == data_folder.password_file(data).read_text()
    assert [data_folder.password_file(data)] == list(data.iterdir())
    assert {0o700, 0o600} == modes(data)


def test_a_password_of_one_s_own_is_kept(tmp_path: Path) -> None:
    """And in production none is made."""
    ours = settings(flower_password=SecretStr("one of our own"))
    production = settings(environment=Environment.PRODUCTION)
    for each in (ours, production):
        assert each is data_folder.with_flower_password(each, tmp_path)
    assert [] == list(tmp_path.iterdir())
