"""Each fault changes an answer in its own way."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pocketquant.domain.bars import Refusal, validate
from pocketquant.domain.errors import ProtocolViolation
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.misbehaviour import pushing
from pocketquant.simulator.wire.outgoing import Close, Pause, Send
from pocketquant.tradingview import frames, messages

COMPLETE = ["series_loading", "symbol_resolved", "timescale_update", "series_completed"]
SYMBOL = "SIM:S0001"


@pytest.fixture
def fetch(client: Any, faults: Faults) -> Callable[..., Any]:
    """Requests ten bars with one fault ordered; returns the messages."""

    def fetched(kind: FaultKind, value: str | float | None = None, symbol: str = SYMBOL) -> Any:
        faults.order(Fault(kind, symbol, value))
        return client.create_series(symbol)

    return fetched


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        (FaultKind.NAN_BAR, Refusal.NOT_FINITE),
        (FaultKind.HIGH_BELOW_LOW, Refusal.INCONSISTENT),
        (FaultKind.REPEATED_TIME, Refusal.REPEATED_TIME),
        (FaultKind.UNORDERED_TIME, Refusal.OUT_OF_ORDER),
        (FaultKind.NEGATIVE_VOLUME, Refusal.NEGATIVE_VOLUME),
    ],
)
def test_a_spoiled_bar_is_one_that_is_refused(
    fetch: Callable[..., Any], client: Any, kind: FaultKind, refusal: Refusal
) -> None:
    """One of ten bars is refused, for the fault's reason alone."""
    fetch(kind)
    text = "".join(action.text for action in client.actions)
    read = [messages.read(payload) for payload in frames.FrameDecoder().feed(text)]
    (update,) = (one for one in read if isinstance(one, messages.TimescaleUpdate))
    bars, refused = validate(update.blocks["sds_1"].columns())
    assert (9, {refusal: 1}) == (len(bars), dict(refused))


def test_the_market_itself_is_not_spoiled(fetch: Callable[..., Any], client: Any) -> None:
    """The next answer, without the fault, is correct again."""
    good = client.create_series("SIM:S0002")
    spoiled = fetch(FaultKind.HIGH_BELOW_LOW, symbol="SIM:S0002")
    client.conversation._faults.lift()
    again = client.create_series("SIM:S0002")
    assert good == again != spoiled


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.NO_COMPLETED, COMPLETE[:-1]),
        (FaultKind.EMPTY_COMPLETED, [COMPLETE[0], COMPLETE[-1]]),
        (FaultKind.UNKNOWN_MESSAGE, [COMPLETE[0], "weather_update", *COMPLETE[1:]]),
        (FaultKind.BIG_MESSAGE, [COMPLETE[0], "study_data", *COMPLETE[1:]]),
        (
            FaultKind.STALE_TURNAROUND,
            [COMPLETE[0], "timescale_update", "series_completed", *COMPLETE[1:]],
        ),
        (FaultKind.COMPLETED_TWICE, [*COMPLETE, COMPLETE[-1]]),
        (FaultKind.CLEARED, [COMPLETE[0], "timescale_update", "clear_data", *COMPLETE[1:]]),
        (FaultKind.STALL, COMPLETE[:1]),
        (FaultKind.DROP, COMPLETE[:1]),
        (FaultKind.SPLIT, COMPLETE),
        (FaultKind.EACH_ALONE, COMPLETE),
    ],
)
def test_faults_of_messages(
    fetch: Callable[..., Any], methods: Any, kind: FaultKind, expected: list[str]
) -> None:
    """A fault drops messages, adds some, or splits them differently."""
    assert expected == methods(fetch(kind))


def test_a_stale_turnaround_comes_first(fetch: Callable[..., Any]) -> None:
    """The bars of a stale turnaround are of the year 2000."""
    stale = fetch(FaultKind.STALE_TURNAROUND)
    assert "s1_old" == stale[1]["p"][1]["sds_1"]["t"] == stale[2]["p"][3]


@pytest.mark.parametrize(
    "kind", [FaultKind.STALE_TURNAROUND, FaultKind.CLEARED, FaultKind.BIG_MESSAGE]
)
def test_a_refusal_can_be_disturbed_too(
    fetch: Callable[..., Any], methods: Any, kind: FaultKind
) -> None:
    """A refusal with a fault still has its reason."""
    assert ["symbol_error", "series_error"] == methods(fetch(kind, symbol="SIM:NOSUCH"))[-2:]


def test_a_big_message_is_over_a_megabyte_and_a_half(
    fetch: Callable[..., Any], client: Any
) -> None:
    """A big message has over 1.5 MB in one text."""
    fetch(FaultKind.BIG_MESSAGE)
    assert max(len(action.text) for action in client.actions) > 1.5 * 2**20


def test_the_servers_clock_may_run_backwards(fetch: Callable[..., Any]) -> None:
    """The server's clock may run backwards within one text."""
    times = [message["t_ms"] for message in fetch(FaultKind.UNORDERED_CLOCK)[1:]]
    assert sorted(times, reverse=True) == times
    assert 3 == len(set(times))


@pytest.mark.parametrize("counted_in", ["units", "bytes"])
def test_a_description_may_be_in_any_letters(fetch: Callable[..., Any], counted_in: str) -> None:
    """The length of a description that is not ASCII counts UTF-16 units or UTF-8 bytes."""
    assert "𝄞" in fetch(FaultKind.NON_ASCII, counted_in)[1]["p"][2]["description"]


def test_latency_comes_before_the_answer(fetch: Callable[..., Any], client: Any) -> None:
    """`series_loading` comes at once, the answer after the latency."""
    fetch(FaultKind.LATENCY, 1.5)
    loading, pause, answer = client.actions
    assert Pause(1.5) == pause
    assert "series_loading" in loading.text
    assert "series_completed" in answer.text


def test_a_stalled_answer_has_no_latency(
    fetch: Callable[..., Any], client: Any, faults: Faults
) -> None:
    """A stalled answer never comes, whatever the latency."""
    faults.order(Fault(FaultKind.LATENCY, value=1.5))
    fetch(FaultKind.STALL)
    assert 1 == len(client.actions)
    faults.lift(FaultKind.STALL)
    fetch(FaultKind.DROP)
    assert Close(is_abrupt=True) == client.actions[-1]


def test_a_connection_may_break_in_a_frame(client: Any, faults: Faults) -> None:
    """The connection closes after two thirds of the answer."""
    faults.order(Fault(FaultKind.DROP_BUNDLE, SYMBOL))
    client.open_chart(SYMBOL)
    text = messages.call("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 10)
    loading, bundle, close = client.conversation.receive(text, client.now_ms)
    decoder = frames.FrameDecoder()
    assert [] != decoder.feed(loading.text)
    assert len(decoder.feed(bundle.text)) < 3
    assert Close(is_abrupt=True) == close


def test_a_frame_may_be_invalid(client: Any, faults: Faults) -> None:
    """The decoder refuses an invalid frame."""
    faults.order(Fault(FaultKind.BAD_FRAME, SYMBOL))
    client.open_chart(SYMBOL)
    text = messages.call("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 10)
    _, bundle = client.conversation.receive(text, client.now_ms)
    with pytest.raises(ProtocolViolation):
        frames.FrameDecoder().feed(bundle.text)


def test_all_may_be_glued_around_a_heartbeat(client: Any, faults: Faults) -> None:
    """All messages come in one text, with a heartbeat in the middle."""
    faults.order(Fault(FaultKind.GLUE, SYMBOL))
    client.open_chart(SYMBOL)
    text = messages.call("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 10)
    (glued,) = client.conversation.receive(text, client.now_ms)
    payloads = frames.FrameDecoder().feed(glued.text)
    assert "~h~1" == payloads.pop(2)
    assert COMPLETE == [json.loads(payload)["m"] for payload in payloads]


def test_pieces_may_be_cut_anywhere(fetch: Callable[..., Any], client: Any) -> None:
    """The answer may come split into seven texts, or in one text for each message."""
    fetch(FaultKind.SPLIT)
    assert 1 + 7 == len(client.actions)
    fetch(FaultKind.EACH_ALONE, symbol="SIM:S0002")
    assert [1] * 4 == [
        len(frames.FrameDecoder().feed(action.text))
        for action in client.actions
        if isinstance(action, Send)
    ]


def test_without_bars_nothing_is_spoiled(fetch: Callable[..., Any], methods: Any) -> None:
    """A listing that never traded has no bar that a fault could change."""
    received = fetch(FaultKind.NAN_BAR, symbol="NYSE:UNBORN")
    assert ["series_loading", "symbol_resolved", "series_completed"] == methods(received)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (FaultKind.QUOTES_SPLIT, 7),
        (FaultKind.QUOTES_GLUE, 1),
        (FaultKind.QUOTES_EACH_ALONE, 20),
    ],
)
def test_quotes_may_come_in_any_pieces(kind: FaultKind, texts: int) -> None:
    """Quotes split or joined by a fault are the same, but for an added heartbeat."""
    updates = [frames.encode(f'{{"m":"qsd","p":[{number}]}}') for number in range(20)]
    sent = pushing(updates, {kind: Fault(kind)})
    assert texts == len(sent)
    received = frames.FrameDecoder().feed(
        "".join(one.text for one in sent if isinstance(one, Send))
    )
    beats = [payload for payload in received if frames.is_heartbeat(payload)]
    assert (["~h~1"] if kind is FaultKind.QUOTES_GLUE else []) == beats
    assert updates == [frames.encode(payload) for payload in received if payload not in beats]


def test_faults_push_nothing_without_updates() -> None:
    """Without updates, a fault sends no empty text and closes nothing."""
    assert [] == pushing([], {FaultKind.QUOTES_DROP: Fault(FaultKind.QUOTES_DROP)})
