"""`Users`: do the acts of the plan over REST, and record the promised jobs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

import requests

from tests.chaos import answers
from tests.chaos.events import EventLog
from tests.chaos.plan import WATCHED, Act, Ask
from tests.chaos.record import Record

Json = dict[str, Any]

_ANSWER_SECONDS = 60.0
_STREAM_SECONDS = 5.0
_INSIST_SECONDS = 90.0
_PAUSE_SECONDS = 1.0
_NEVER = 500  # a response that must never occur
_PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Users:
    """Callers of the API; they take turns at its processes."""

    web_urls: tuple[str, ...]
    push_url: str
    record: Record
    events: EventLog
    is_over: Event

    def do(self, act: Act) -> None:
        """Do one act of the plan."""
        _DO[act.ask](self, act)

    def prepare(self) -> None:
        """Subscribe the symbols of the whole run, and make schedules run often."""
        self.insist("POST", "/quotes/subscribe", {"symbols": _named(WATCHED)})
        self.set_schedules({"daily-series": "* * * * *", "all-series": "*/2 * * * *"})

    def set_schedules(self, crons: dict[str, str]) -> None:
        for name, cron in crons.items():
            self.insist("PUT", f"/schedules/{name}", {"cron": cron, "n_bars": 50})

    def retry_all_dead_letters(self) -> None:
        for code in ("unknown_symbol", "attempts_exhausted"):
            self.insist("POST", "/dead-letters/retry", code=code)

    def insist(self, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """Repeat the request until it succeeds."""
        deadline = time.monotonic() + _INSIST_SECONDS
        turn = 0
        while time.monotonic() < deadline:
            answer = self._ask(f"insist:{path}", method, path, body, query, turn=turn)
            if answer is not None and answer.ok:
                return dict(answer.json()) if answer.content.startswith(b"{") else {}
            turn += 1
            self.is_over.wait(_PAUSE_SECONDS)
        raise TimeoutError(f"{method} {path} was not done within {_INSIST_SECONDS:.0f} s")

    def get(self, path: str, turn: int = 0, **query: Any) -> requests.Response | None:
        """Return one answer of the next API process."""
        return self._ask("check", "GET", path, None, query, turn)

    def _bulk(self, act: Act) -> None:
        body = {
            "symbols": _named(act.symbols),
            "intervals": list(act.intervals),
            "n_bars": act.n_bars,
        }
        self._submit(act, "/market-data/sync/bulk", body)

    def _background(self, act: Act) -> None:
        self._submit(act, "/market-data/sync/background", _wish(act))

    def _interactive(self, act: Act) -> None:
        self._submit(act, "/market-data/sync", _wish(act))

    def _submit(self, act: Act, path: str, body: Json) -> None:
        """Send the request; with a key until it is acknowledged, then once more elsewhere."""
        headers = {"Idempotency-Key": f"act-{act.number}"} if act.has_key else {}
        query = {} if act.timeout is None else {"timeout": act.timeout}
        acknowledged = turn = 0
        while not self.is_over.is_set():
            turn_of = act.number + turn
            answer = self._ask(f"act={act.number}", "POST", path, body, query, turn_of, headers)
            acknowledged += self._note_promise(act, answer)
            turn += 1
            if not act.has_key or acknowledged == 2:
                return
            if answer is not None and answer.status_code in {400, 409, 422}:
                self.record.note_wrong(f"act {act.number} was refused: {answer.text[:300]}")
                return
            self.is_over.wait(_PAUSE_SECONDS)

    def _note_promise(self, act: Act, answer: requests.Response | None) -> bool:
        if answer is None:
            return False
        body = answer.json()
        job_id = body.get("job_id") or dict(body.get("errors") or {}).get("job_id")
        if body.get("error") == "cancelled":
            self.record.note_wrong(f"act {act.number} was cancelled by nobody: {answer.text[:300]}")
        if not job_id:
            return False
        series = frozenset(
            f"{symbol}|{interval}" for symbol in act.symbols for interval in act.intervals
        )
        self.record.promise(act.number, job_id, act.ask, series)
        self.events.note("acknowledged", act=act.number, ask=act.ask, job=job_id)
        return True

    def _cancel(self, act: Act) -> None:
        job_id = self._job_about(act)
        if job_id:
            self.record.note_cancel(job_id)
            self._ask(
                f"act={act.number} job={job_id}", "DELETE", f"/jobs/{job_id}", turn=act.number
            )

    def _retry(self, act: Act) -> None:
        self._retry_job(act, {})

    def _retry_code(self, act: Act) -> None:
        self._retry_job(act, {"code": "unknown_symbol"})

    def _retry_job(self, act: Act, query: Json) -> None:
        job_id = self._job_about(act)
        if job_id:
            path = f"/jobs/{job_id}/retry"
            self._ask(f"act={act.number} job={job_id}", "POST", path, None, query, act.number)

    def _retry_dead_letters(self, act: Act) -> None:
        query = {"code": "unknown_symbol"}
        self._ask(f"act={act.number}", "POST", "/dead-letters/retry", None, query, act.number)

    def _run_schedule(self, act: Act) -> None:
        body = {"run_now": True}
        self._ask(f"act={act.number}", "PUT", f"/schedules/{act.name}", body, turn=act.number)

    def _subscribe(self, act: Act) -> None:
        self._change_watch(act, "subscribe")

    def _unsubscribe(self, act: Act) -> None:
        self._change_watch(act, "unsubscribe")

    def _change_watch(self, act: Act, verb: str) -> None:
        body = {"symbols": _named(act.symbols)}
        self._ask(f"act={act.number}", "POST", f"/quotes/{verb}", body, turn=act.number)

    def _read(self, act: Act) -> None:
        exchange, ticker = act.symbols[0].split(":")
        path = f"/market-data/ohlcv/{exchange}/{ticker}"
        query = {"interval": act.intervals[0], "limit": 500}
        answer = self._ask(f"act={act.number}", "GET", path, None, query, act.number)
        if answer is not None and answer.ok:
            page = answers.read(answer.json())
            bars = [(float(at), *bar) for at, bar in page.whole.items()]
            series = f"{act.symbols[0]}|{act.intervals[0]}"
            self.record.note_seen(series, bars, page.live)

    def _stream(self, act: Act) -> None:
        job_id = self._job_about(act)
        if not job_id:
            return
        url = f"{self.push_url}{_PREFIX}/jobs/{job_id}/events"
        try:
            with requests.get(url, stream=True, timeout=_STREAM_SECONDS) as answer:
                self._judge(f"act={act.number}", "GET", url, answer)
                deadline = time.monotonic() + _STREAM_SECONDS
                for _ in answer.iter_lines():
                    if time.monotonic() > deadline:
                        return
        except requests.RequestException as error:
            self.events.note("no_answer", act=act.number, why=type(error).__name__)

    def _job_about(self, act: Act) -> str | None:
        return None if act.about is None else self.record.job_of_act.get(act.about)

    def _ask(
        self,
        about: str,
        method: str,
        path: str,
        body: Json | None = None,
        query: Json | None = None,
        turn: int = 0,
        headers: dict[str, str] | None = None,
    ) -> requests.Response | None:
        """Return the response; None if there was none."""
        url = f"{self.web_urls[turn % len(self.web_urls)]}{_PREFIX}{path}"
        began = time.monotonic()
        try:
            answer = requests.request(
                method, url, json=body, params=query, headers=headers, timeout=_ANSWER_SECONDS
            )
        except requests.RequestException as error:
            self.record.count(type(error).__name__)
            self.events.note("no_answer", about=about, path=path, why=type(error).__name__)
            return None
        seconds = round(time.monotonic() - began, 2)
        self._judge(about, method, path, answer, seconds)
        return answer

    def _judge(
        self,
        about: str,
        method: str,
        path: str,
        answer: requests.Response,
        seconds: float | None = None,
    ) -> None:
        status = answer.status_code
        self.record.count(str(status))
        code = None
        if status >= 400 and answer.content.startswith(b"{"):
            code = answer.json().get("error")
        if about != "check" or status >= 500:
            outcome = f"{status} {code}" if code else str(status)
            self.events.note(
                "answered", about=about, ask=f"{method} {path}", status=outcome, seconds=seconds
            )
        if status == _NEVER:
            request_id = answer.headers.get("X-Request-ID")
            self.record.note_wrong(
                f"500 to {method} {path} ({about}), request {request_id}: {answer.text[:300]}"
            )


_DO: dict[Ask, Callable[[Users, Act], None]] = {
    Ask.BULK: Users._bulk,
    Ask.BACKGROUND: Users._background,
    Ask.INTERACTIVE: Users._interactive,
    Ask.CANCEL: Users._cancel,
    Ask.RETRY: Users._retry,
    Ask.RETRY_CODE: Users._retry_code,
    Ask.RETRY_DEAD_LETTERS: Users._retry_dead_letters,
    Ask.RUN_SCHEDULE: Users._run_schedule,
    Ask.SUBSCRIBE: Users._subscribe,
    Ask.UNSUBSCRIBE: Users._unsubscribe,
    Ask.READ: Users._read,
    Ask.STREAM: Users._stream,
}


def _named(symbols: tuple[str, ...]) -> list[Json]:
    return [dict(zip(("exchange", "symbol"), each.split(":"), strict=True)) for each in symbols]


def _wish(act: Act) -> Json:
    return {**_named(act.symbols)[0], "interval": act.intervals[0], "n_bars": act.n_bars}
