"""The data folder: readable by this user only, with the generated password of Flower."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr

from pocketquant.machine import data_folder
from pocketquant.settings import Environment, Settings


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


def settings(**changes: object) -> Settings:
    return Settings(_env_file=None).model_copy(update=changes)


def test_a_new_folder_is_readable_by_this_user_only(tmp_path: Path) -> None:
    """Its parent folders have the modes of the umask."""
    data_folder.prepare(tmp_path / "above" / "data")
    assert 0o700 == (tmp_path / "above" / "data").stat().st_mode & 0o777


def test_readable_files_of_an_earlier_start_are_closed(tmp_path: Path) -> None:
    """Folders and files; a repetition changes nothing."""
    data = tmp_path / "data"
    (data / "redis" / "appendonlydir").mkdir(parents=True)
    for name in ("redis/appendonlydir/appendonly.aof", "mongod.log", "servers.json"):
        (data / name).write_text("secret")
        (data / name).chmod(0o644)
    data.chmod(0o755)
    for _ in range(2):
        data_folder.prepare(data)
        assert {0o700, 0o600} == modes(data)


def test_other_files_keep_their_modes(tmp_path: Path) -> None:
    """Other files of a folder, the folder that holds them, and targets of links."""
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


def test_the_password_of_flower_is_generated_once(tmp_path: Path) -> None:
    """Also for concurrent calls; only this user can read its file."""
    data = tmp_path / "data"
    with ThreadPoolExecutor(8) as threads:
        futures = [
            threads.submit(data_folder.with_flower_password, settings(), data) for _ in range(32)
        ]
    (password,) = {each.result().flower_password.get_secret_value() for each in futures}
    assert len(password) >= 32
    assert f"{password}\n" == data_folder.password_file(data).read_text()
    assert [data_folder.password_file(data)] == list(data.iterdir())
    assert {0o700, 0o600} == modes(data)


def test_a_password_of_the_settings_is_kept(tmp_path: Path) -> None:
    """And none is generated in production."""
    ours = settings(flower_password=SecretStr("one of our own"))
    production = settings(environment=Environment.PRODUCTION)
    for each in (ours, production):
        assert each is data_folder.with_flower_password(each, tmp_path)
    assert [] == list(tmp_path.iterdir())
