"""The demo's part for operators: a bulk job, a schedule run now, the fleet, Flower."""

from collections import Counter

import requests
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from pocketquant.client import Client
from pocketquant.demo.progress import progress_bar
from pocketquant.domain.errors import PocketQuantError
from pocketquant.servers.connections import wait_until

SYMBOLS = [f"SIM:S{number:04d}" for number in range(1, 301)]

_N_BARS = 500
_SCHEDULE = "daily-series"
_PATIENCE_SECONDS = 120.0
_MAX_TASKS = 1000


def sync_in_bulk(client: Client, push: Client, console: Console) -> None:
    """Sync many series in one job, and follow its events."""
    job_id = client.bulk(SYMBOLS, ["1d"], _N_BARS)["job_id"]
    with progress_bar(console) as progress:
        task = progress.add_task(f"bulk job {job_id}", total=len(SYMBOLS))
        for event in push.jobs.watch(job_id):
            counts = event["counts"]
            progress.update(task, completed=counts["total"] - counts["queued"] - counts["running"])
    job = client.jobs.get(job_id)
    if job["counts"]["completed"] != len(SYMBOLS):
        raise PocketQuantError(f"the bulk job ended with {job['counts']}")
    console.print(f"{len(SYMBOLS)} series, {job['units_per_second'] or 0:.0f} a second")


def run_schedule_now(client: Client, console: Console) -> None:
    """Run a schedule now, and wait for the end of its job."""
    before = client.schedules.get(_SCHEDULE)["last_run_at"]
    client.schedules.change(_SCHEDULE, run_now=True)

    def has_ended() -> bool:
        schedule = client.schedules.get(_SCHEDULE)
        job_id = schedule["last_job_id"]
        if schedule["last_run_at"] == before or job_id is None:
            return False
        return client.jobs.get(job_id)["finished_at"] is not None

    wait_until(f"{_SCHEDULE} has run", has_ended, (), _PATIENCE_SECONDS)
    schedule = client.schedules.get(_SCHEDULE)
    counts = client.jobs.get(schedule["last_job_id"] or "")["counts"]
    console.print(
        f"schedule {_SCHEDULE} run now: {counts['completed']} of {counts['total']} daily series,"
        f" next run {schedule['next_run_at']}"
    )


def show_fleet(client: Client, console: Console) -> None:
    """Print the workers, queues and pace of `GET /fleet`."""
    fleet = client.fleet()
    title = "GET /api/v1/fleet: workers"
    workers = Table("name", "queues", "slots", "busy", title=title, title_justify="left")
    for worker in fleet["workers"] or ():
        queues = ", ".join(worker["queues"])
        workers.add_row(worker["name"], queues, str(worker["slots"]), str(worker["busy"]))
    console.print(workers)
    lengths = ", ".join(f"{queue['name']} {queue['length']}" for queue in fleet["queues"])
    console.print(f"queues: {lengths}")
    pace, breaker = fleet["pace"], fleet["breaker"]
    if pace is None or breaker is None:
        raise PocketQuantError("; ".join(fleet["problems"]))
    console.print(
        f"pace: {pace['rate']:.0f} of {pace['ceiling_rate']:.0f} fetches a second,"
        f" {pace['in_progress']} in progress; breaker {breaker['state']}"
    )


def show_flower(url: str, login: tuple[str, SecretStr], console: Console) -> None:
    """Print the counts of tasks that Flower lists, by name and state."""
    user, password = login
    credentials = (user, password.get_secret_value())
    counts: Counter[tuple[str, str]] = Counter()

    def are_listed() -> bool:
        query = {"limit": str(_MAX_TASKS)}
        response = requests.get(f"{url}/api/tasks", params=query, auth=credentials, timeout=10)
        response.raise_for_status()
        counts.clear()
        counts.update((task["name"] or "?", task["state"]) for task in response.json().values())
        return any(name == "pocketquant.plan_job" for name, _ in counts)

    wait_until("Flower lists the tasks", are_listed, requests.RequestException, 60)
    table = Table("task", "state", "seen", title=f"Flower: {url}/tasks", title_justify="left")
    for (name, state), count in sorted(counts.items()):
        table.add_row(name, state, str(count))
    console.print(table)
