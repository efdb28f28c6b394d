"""The server's side of a connection: hello, heartbeats, tokens, sessions and their ends."""

import json
from typing import Any

import pytest

from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire import tokens
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.outgoing import Close, Send
from pocketquant.simulator.wire.recordings import Recording
from pocketquant.simulator.wire.session import Conversation
from pocketquant.simulator.wire.tally import Tally
from pocketquant.tradingview import frames, messages


def payloads(text: str) -> list[str]:
    return frames.FrameDecoder().feed(text)


@pytest.fixture
def conversation(market: Market, faults: Faults, tally: Tally) -> Conversation:
    return Conversation(market, faults, tally, echo_seconds=60)


def test_the_hello_has_the_nine_captured_keys(
    conversation: Conversation, wire: Any, now: int
) -> None:
    """The hello has the captured keys in their order, with the server's time."""
    (greeting,) = conversation.open(now * 1000 + 7)
    assert isinstance(greeting, Send)
    (payload,) = payloads(greeting.text)
    (captured,) = payloads((wire / "hello_2025-03_free.txt").read_text())
    assert list(json.loads(captured)) == list(json.loads(payload))
    assert (now, now * 1000 + 7) == tuple(
        json.loads(payload)[key] for key in ("timestamp", "timestampMs")
    )


def test_heartbeats_count_up(conversation: Conversation) -> None:
    """Heartbeats are ~h~1, ~h~2 and so on, framed like messages."""
    conversation.open(0)
    sent = [conversation.beat(10_000 * number) for number in range(1, 4)]
    assert [[Send(f"~m~4~m~~h~{number}")] for number in (1, 2, 3)] == sent


def test_a_client_that_echoes_no_heartbeat_is_closed(
    conversation: Conversation, tally: Tally
) -> None:
    """A minute after the last echo, the server closes without a message."""
    conversation.open(0)
    conversation.beat(10_000)
    assert [] == conversation.receive("~m~4~m~~h~1", 10_100)
    assert isinstance(conversation.beat(70_000)[0], Send)
    assert [Close()] == conversation.beat(71_000)
    assert 1 == tally.unanswered_heartbeats


def test_charts_replay_a_recording(
    market: Market, faults: Faults, tally: Tally, wire: Any, now: int
) -> None:
    """With a recording, a chart session answers what was captured."""
    lines = (wire / "nse_browser_pages_2025-12-18.jsonl").read_text().splitlines()
    conversation = Conversation(market, faults, tally, recording=Recording.parse(lines))
    conversation.receive(messages.call("chart_create_session", "cs_1", ""), now * 1000)
    create = messages.call("create_series", "cs_1", "s1", "t1", "sym_1", "188", 300)
    (answer,) = conversation.receive(create, now * 1000)
    assert isinstance(answer, Send)
    assert "NSE:JUNIPER" in answer.text


@pytest.mark.parametrize("token", ["unauthorized_user_token", "widget_user_token"])
def test_an_anonymous_token_is_accepted(client: Any, token: str) -> None:
    """An accepted token gets no answer."""
    assert [] == client.call("set_auth_token", token)


def test_an_accounts_token_is_accepted_until_it_expires(client: Any, now: int) -> None:
    """An account's token lifts the limits of the anonymous; an expired one ends the connection."""
    assert [] == client.call("set_auth_token", tokens.issue(1, now, 10))
    assert 6000 == len(_bars(client.create_series("SIM:S0001", "1", 6000)))
    client.now_ms += 10_000
    (error,) = client.call("set_auth_token", tokens.issue(1, now, 10))
    assert {"m": "protocol_error", "p": ["bad auth token"]} == error
    assert Close() == client.actions[-1]


def _bars(received: list[dict[str, Any]]) -> list[Any]:
    (update,) = (message for message in received if message["m"] == "timescale_update")
    bars: list[Any] = update["p"][1]["sds_1"]["s"]
    return bars


def test_a_bad_token_is_refused_word_for_word(client: Any, wire: Any) -> None:
    """A bad token gets the captured bytes, and the connection ends."""
    client.call("set_auth_token", "rubbish")
    captured = (wire / "protocol_error_bad_auth_token.txt").read_text()
    assert [Send(captured), Close()] == client.actions


def test_all_tokens_can_be_refused_on_order(client: Any, faults: Faults) -> None:
    """Every token, even the anonymous one, is refused when a fault orders it."""
    faults.order(Fault(FaultKind.BAD_TOKEN))
    client.call("set_auth_token", "unauthorized_user_token")
    assert Close() == client.actions[-1]


def test_an_unknown_session_ends_the_connection(client: Any, wire: Any) -> None:
    """A call to an unknown session gets the captured Erlang term, and the connection ends."""
    captured = json.loads((wire / "protocol_error_unknown_session_payload.txt").read_text())
    (error,) = client.call("create_series", "cs_3DJU3tGU7ovO", "$prices", "s1", "ser_1", "15m", 100)
    assert captured == error
    assert Close() == client.actions[-1]


@pytest.mark.parametrize("method", ["set_locale", "set_data_quality"])
def test_some_calls_have_no_answer(client: Any, method: str) -> None:
    """Some calls are accepted without an answer."""
    assert [] == client.call(method, "en", "US")


@pytest.mark.parametrize(
    "text", ["rubbish", "~m~2~m~[]", frames.encode("{}"), messages.call("set_auth_token", 7)]
)
def test_an_invalid_call_ends_the_connection(client: Any, text: str) -> None:
    """An invalid call gets a protocol error."""
    (error,) = client.send(text)
    assert "protocol_error" == error["m"]
    assert Close() == client.actions[-1]


def test_calls_may_come_many_in_a_text_and_cut_anywhere(client: Any, methods: Any) -> None:
    """Several calls in a text, or split ones, are answered in order once complete."""
    text = messages.call("chart_create_session", "cs_1", "") + messages.call(
        "resolve_symbol", "cs_1", "sym", "SIM:S0001"
    )
    create = messages.call("create_series", "cs_1", "sds", "s1", "sym", "1", 2)
    assert [] == client.send(text + create[:20])
    received = client.send(create[20:])
    assert ["series_loading", "symbol_resolved", "timescale_update", "series_completed"] == methods(
        received
    )


def test_a_refused_call_ends_its_chart_session(client: Any, wire: Any) -> None:
    """A refused call gets the captured critical error, and its session is unknown afterwards."""
    client.open_chart("SIM:S0001", "cs_casjcotuguzl")
    client.call("create_series", "cs_casjcotuguzl", "sds_1", "s1", "sds_sym_1", "s1", 1, "")
    captured = (wire / "critical_error_create_series_bad_args.txt").read_text()
    assert [Send(captured)] == client.actions
    (error,) = client.call("switch_timezone", "cs_casjcotuguzl", "exchange")
    assert "protocol_error" == error["m"]


def test_a_deleted_chart_session_is_unknown(client: Any) -> None:
    """Deleting a session has no answer; a later call to it ends the connection."""
    client.open_chart("SIM:S0001")
    assert [] == client.call("chart_delete_session", "cs_1")
    assert "protocol_error" == client.call("switch_timezone", "cs_1", "exchange")[0]["m"]


def test_refused_quote_flags_leave_the_rest_alone(client: Any, wire: Any, methods: Any) -> None:
    """Quote flags are refused as captured since February 2024; chart and quotes go on."""
    client.call("quote_create_session", "qs_rfcyvedtgukx")
    flags = {"flags": ["force_permission"]}
    (error,) = client.call("quote_add_symbols", "qs_rfcyvedtgukx", "SIM:S0001", flags)
    captured = (wire / "critical_error_quote_add_symbols_2024-02.txt").read_text()
    assert json.loads(captured) == error
    assert [] == client.call("quote_fast_symbols", "qs_rfcyvedtgukx", "SIM:S0001")
    assert "series_completed" in methods(client.create_series("SIM:S0001"))


def test_a_conversation_is_live_while_it_has_updates(client: Any) -> None:
    """A conversation is live while it has quote sessions or growing series."""
    conversation = client.conversation
    client.open_chart("SIM:S0001")
    assert not conversation.is_live
    client.call("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 10)
    assert conversation.is_live
    assert not conversation.has_quotes
    client.call("chart_delete_session", "cs_1")
    client.call("quote_create_session", "qs_1")
    assert conversation.is_live
    assert conversation.has_quotes
    client.call("quote_delete_session", "qs_1")
    assert not conversation.is_live
    assert not conversation.has_quotes


def test_quotes_are_pushed_many_in_a_text(client: Any, tally: Tally) -> None:
    """At most fifty quotes are pushed in a text, and all are counted."""
    client.call("quote_create_session", "qs_1")
    first = client.call("quote_add_symbols", "qs_1", *(f"SIM:S{n:04}" for n in range(1, 41)))
    pushed = client.wait(60, 60)
    texts = [len(payloads(action.text)) for action in client.actions]
    assert (50, len(pushed)) == (max(texts), sum(texts))
    assert len(first) + len(pushed) == tally.quotes
    assert [] == client.wait(0)


def test_a_session_is_handed_over_when_it_is_complete(client: Any) -> None:
    """A complete session is handed over by name, and its own updates stop."""
    assert client.conversation.hand_over() is None
    client.call("quote_create_session", "qs_1")
    assert client.conversation.hand_over() is None
    client.call("quote_add_symbols", "qs_1", "SIM:S0001")
    assert "qs_1" == client.conversation.hand_over()
    assert [] == client.wait(60)


@pytest.mark.parametrize(
    ("kind", "last"),
    [(FaultKind.QUOTES_DROP, [Close(is_abrupt=True)]), (FaultKind.QUOTES_STALL, [])],
)
def test_a_connection_may_end_between_quotes(
    client: Any, faults: Faults, kind: FaultKind, last: list[Any]
) -> None:
    """A connection is aborted, or stays open and silent even after the fault is lifted."""
    client.call("quote_create_session", "qs_1")
    faults.order(Fault(kind, times=1))
    client.call("quote_add_symbols", "qs_1", "SIM:S0001")
    client.wait(60)
    assert last == client.actions
    assert [] == faults.ordered()
    assert [] == client.wait(60)
    assert [] == client.call("quote_create_session", "qs_2")
    assert [] == client.conversation.beat(client.now_ms)


def test_the_sessions_of_a_connection_are_limited(client: Any) -> None:
    """A connection may have two hundred sessions at a time."""
    for number in range(100):
        client.call("chart_create_session", f"cs_{number}")
        client.call("quote_create_session", f"qs_{number}")
    (error,) = client.call("chart_create_session", "cs_200")
    assert ["max sessions rate reached"] == error["p"]


def test_silence_is_complete(client: Any, faults: Faults, methods: Any) -> None:
    """After `series_loading` come no message, no heartbeat and no close."""
    faults.order(Fault(FaultKind.SILENCE, "SIM:S0001"))
    assert ["series_loading"] == methods(client.create_series("SIM:S0001"))
    assert [] == client.call("set_auth_token", "rubbish")
    assert [] == client.conversation.beat(client.now_ms + 10**6)
