"""What an operator sees in the demo: a bulk job, a schedule run now, the fleet, Flower."""

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
_MOST_TASKS = 1000


def sync_in_bulk(client: Client, push: Client, console: Console) -> None:
    """One job of many series, watched by the events that it sends."""
    job_id = client.bulk(SYMBOLS, ["1d"], _N_BARS)["job_id"]
    with progress_bar(console) as progress:
        task = progress.add_task(f"bulk job {job_id}", total=len(SYMBOLS))
        for seen in push.jobs.watch(job_id):
            counts = seen["counts"]
            progress.update(task, completed=counts["total"] - counts["queued"] - counts["running"])
    job = client.jobs.get(job_id)
    if job["counts"]["completed"] != len(SYMBOLS):
        raise PocketQuantError(f"the bulk job ended with {job['counts']}")
    console.print(f"{len(SYMBOLS)} series, {job['units_per_second'] or 0:.0f} a second")


def run_schedule_now(client: Client, console: Console) -> None:
    """A schedule that is asked to run, until its job has ended."""
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
    """The tables of `GET /fleet`."""
    fleet = client.fleet()
    workers = Table(title="GET /api/v1/fleet: workers", title_justify="left")
    for heading in ("name", "queues", "slots", "busy"):
        workers.add_column(heading)
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
    """Print the tasks that Flower's page lists, by name and state."""
    user, password = login
    credentials = (user, password.get_secret_value())
    seen: Counter[tuple[str, str]] = Counter()

    def has_seen_all() -> bool:
        query = {"limit": str(_MOST_TASKS)}
        answer = requests.get(f"{url}/api/tasks", params=query, auth=credentials, timeout=10)
        answer.raise_for_status()
        seen.clear()
        seen.update((task["name"] or "?", task["state"]) for task in answer.json().values())
        return any(name == "pocketquant.plan_job" for name, _ in seen)

    wait_until("Flower lists the tasks", has_seen_all, requests.RequestException, 60)
    table = Table(title=f"Flower: {url}/tasks", title_justify="left")
    for heading in ("task", "state", "seen"):
        table.add_column(heading)
    for (name, state), count in sorted(seen.items()):
        table.add_row(name, state, str(count))
    console.print(table)
