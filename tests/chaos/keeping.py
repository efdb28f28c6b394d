"""Keep the logs of a run, and after a violation the collections of the ledger."""

import shutil
from pathlib import Path
from typing import Any

from bson import json_util
from pymongo.database import Database

_COLLECTIONS = ("jobs", "units", "sync_status", "schedules", "subscriptions", "ohlcv_live_partial")
_DATA = ("mongodb", "redis")  # in the folder of each server


def dump(mongo: Database[dict[str, Any]], folder: Path) -> None:
    """Write these collections to files, one document a line."""
    for name in _COLLECTIONS:
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(f"{json_util.dumps(found)}\n" for found in mongo[name].find())


def remove_data(folder: Path) -> None:
    """Remove the data of the servers, a gigabyte; keep their logs."""
    for name in _DATA:
        for data in folder.glob(f"*/{name}"):
            shutil.rmtree(data)
