"""A captured conversation about one series, which chart sessions replay answer by answer."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pocketquant.simulator.wire.outgoing import Action, Send
from pocketquant.tradingview import frames, messages

_ANSWERED = frozenset({"create_series", "request_more_data", "modify_series"})


@dataclass(frozen=True, slots=True)
class Recording:
    """The ids of the captured client, and the payloads that answered each of its calls."""

    chart: str
    series: str
    symbol_id: str
    answers: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def parse(cls, lines: Iterable[str]) -> "Recording":
        """Read lines of one frame each, `{"dir": "C" or "S", "frame": text}`.

        An answer ends with its `series_completed`; calls may have been sent before the answers to
        earlier ones. The greeting of the server is left out: the simulator sends its own.
        """
        calls: list[tuple[str, list[Any]]] = []
        answers: list[tuple[str, ...]] = []
        answer: list[str] = []
        for entry in map(json.loads, lines):
            (payload,) = frames.FrameDecoder().feed(entry["frame"])
            if entry["dir"] == "C":
                call = messages.read_call(payload)
                calls += [(call.method, call.params)] if call.method in _ANSWERED else []
                continue
            method = json.loads(payload).get("m")
            answer += [payload] if method else []
            if method == "series_completed":
                answers.append(tuple(answer))
                answer = []
        chart, series, _, symbol_id = calls[0][1][:4]
        return cls(
            chart, series, symbol_id, tuple(zip((name for name, _ in calls), answers, strict=True))
        )


class RecordedChartSession:
    """Answers calls as the captured server did, with the ids of this client.

    A call other than the next captured one is not answered.
    """

    is_silent = False
    is_live = False

    def __init__(self, name: str, recording: Recording) -> None:
        self._ids = {recording.chart: name}
        self._recording = recording
        self._answers = list(recording.answers)

    def answer(self, method: str, params: list[Any], _now_ms: int) -> list[Action]:
        if method == "create_series":
            series, _, symbol_id = params[1:4]
            self._ids |= {self._recording.series: series, self._recording.symbol_id: symbol_id}
        if not self._answers or self._answers[0][0] != method:
            return []
        _, payloads = self._answers.pop(0)
        return [Send("".join(map(self._framed, payloads)))]

    def push(self, _now_ms: int) -> list[str]:
        return []

    def _framed(self, payload: str) -> str:
        for theirs, ours in self._ids.items():
            payload = payload.replace(f'"{theirs}"', f'"{ours}"')
        return frames.encode(payload)
