"""The server's half of a conversation: greeting, heartbeats, tokens, sessions and their ends."""

import json
from typing import Any

import pytest

from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire import tokens
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.outgoing import Close, Send
from pocketquant.simulator.wire.session import Conversation
from pocketquant.simulator.wire.tally import Tally
from pocketquant.tradingview import frames, messages


def payloads(text: str) -> list[str]:
    return frames.FrameDecoder().feed(text)


@pytest.fixture
def conversation(market: Market, faults: Faults, tally: Tally) -> Conversation:
    return Conversation(market, faults, tally, echo_seconds=60)


def test_the_greeting_has_the_nine_captured_keys(
    conversation: Conversation, wire: Any, now: int
) -> None:
    """In their order, with the server's time."""
    (greeting,) = conversation.open(now * 1000 + 7)
    assert isinstance(greeting, Send)
    (payload,) = payloads(greeting.text)
    (captured,) = payloads((wire / "hello_2025-03_free.txt").read_text())
    assert list(json.loads(captured)) == list(json.loads(payload))
    assert (now, now * 1000 + 7) == tuple(
        json.loads(payload)[key] for key in ("timestamp", "timestampMs")
    )


def test_heartbeats_count_up(conversation: Conversation) -> None:
    """~h~1, ~h~2, …, framed like everything else."""
    conversation.open(0)
    sent = [conversation.beat(10_000 * number) for number in range(1, 4)]
    assert [[Send(f"~m~4~m~~h~{number}")] for number in (1, 2, 3)] == sent


def test_who_echoes_no_heartbeat_is_left(conversation: Conversation, tally: Tally) -> None:
    """A minute after the last echo the server closes, without a word."""
    conversation.open(0)
    conversation.beat(10_000)
    assert [] == conversation.receive("~m~4~m~~h~1", 10_100)
    assert isinstance(conversation.beat(70_000)[0], Send)
    assert [Close()] == conversation.beat(71_000)
    assert 1 == tally.unanswered_heartbeats


@pytest.mark.parametrize("token", ["unauthorized_user_token", "widget_user_token"])
def test_an_anonymous_token_is_good(client: Any, token: str) -> None:
    """No answer is the answer."""
    assert [] == client.say("set_auth_token", token)


def test_the_token_of_an_account_is_good_until_it_expires(client: Any, now: int) -> None:
    """It lifts the limits of the anonymous; an expired one ends the connection."""
    assert [] == client.say("set_auth_token", tokens.issue(1, now, 10))
    assert 6000 == len(_bars(client.ask("SIM:S0001", "1", 6000)))
    client.now_ms += 10_000
    (error,) = client.say("set_auth_token", tokens.issue(1, now, 10))
    assert {"m": "protocol_error", "p": ["bad auth token"]} == error
    assert Close() == client.actions[-1]


def _bars(received: list[dict[str, Any]]) -> list[Any]:
    (update,) = (message for message in received if message["m"] == "timescale_update")
    bars: list[Any] = update["p"][1]["sds_1"]["s"]
    return bars


def test_a_bad_token_is_refused_word_for_word(client: Any, wire: Any) -> None:
    """The very bytes that were captured, then the end."""
    client.say("set_auth_token", "rubbish")
    captured = (wire / "protocol_error_bad_auth_token.txt").read_text()
    assert [Send(captured), Close()] == client.actions


def test_all_tokens_can_be_refused_on_order(client: Any, faults: Faults) -> None:
    """Even the anonymous one."""
    faults.order(Fault(FaultKind.BAD_TOKEN))
    client.say("set_auth_token", "unauthorized_user_token")
    assert Close() == client.actions[-1]


def test_an_unknown_session_is_told_in_erlang(client: Any, wire: Any) -> None:
    """As captured, and the connection ends."""
    captured = json.loads((wire / "protocol_error_unknown_session_payload.txt").read_text())
    (error,) = client.say("create_series", "cs_3DJU3tGU7ovO", "$prices", "s1", "ser_1", "15m", 100)
    assert captured == error
    assert Close() == client.actions[-1]


@pytest.mark.parametrize("method", ["set_locale", "set_data_quality"])
def test_some_calls_are_only_taken_note_of(client: Any, method: str) -> None:
    """Nothing comes back."""
    assert [] == client.say(method, "en", "US")


@pytest.mark.parametrize(
    "text", ["rubbish", "~m~2~m~[]", frames.encode("{}"), messages.call("set_auth_token", 7)]
)
def test_what_is_no_call_ends_the_connection(client: Any, text: str) -> None:
    """With a protocol error."""
    (error,) = client.send(text)
    assert "protocol_error" == error["m"]
    assert Close() == client.actions[-1]


def test_calls_may_come_many_in_a_text_and_cut_anywhere(client: Any, methods: Any) -> None:
    """They are answered in order, once whole."""
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
    """A critical error as captured; after it the session is unknown."""
    client.open_chart("SIM:S0001", "cs_casjcotuguzl")
    client.say("create_series", "cs_casjcotuguzl", "sds_1", "s1", "sds_sym_1", "s1", 1, "")
    captured = (wire / "critical_error_create_series_bad_args.txt").read_text()
    assert [Send(captured)] == client.actions
    (error,) = client.say("switch_timezone", "cs_casjcotuguzl", "exchange")
    assert "protocol_error" == error["m"]


def test_a_deleted_chart_session_is_unknown(client: Any) -> None:
    """Silently gone, loudly missed."""
    client.open_chart("SIM:S0001")
    assert [] == client.say("chart_delete_session", "cs_1")
    assert "protocol_error" == client.say("switch_timezone", "cs_1", "exchange")[0]["m"]


def test_refused_quote_flags_leave_the_rest_alone(client: Any, wire: Any, methods: Any) -> None:
    """As captured since February 2024: the chart goes on, the quote session too."""
    client.say("quote_create_session", "qs_rfcyvedtgukx")
    flags = {"flags": ["force_permission"]}
    (error,) = client.say("quote_add_symbols", "qs_rfcyvedtgukx", "SIM:S0001", flags)
    captured = (wire / "critical_error_quote_add_symbols_2024-02.txt").read_text()
    assert json.loads(captured) == error
    assert [] == client.say("quote_fast_symbols", "qs_rfcyvedtgukx", "SIM:S0001")
    assert "series_completed" in methods(client.ask("SIM:S0001"))


def test_a_conversation_is_live_once_anything_may_come_of_itself(client: Any) -> None:
    """Quotes, or a series whose newest bar grows; until their sessions are gone."""
    conversation = client.conversation
    client.open_chart("SIM:S0001")
    assert not conversation.is_live
    client.say("create_series", "cs_1", "sds_1", "s1", "sym_1", "1", 10)
    assert conversation.is_live
    assert not conversation.has_quotes
    client.say("chart_delete_session", "cs_1")
    client.say("quote_create_session", "qs_1")
    assert conversation.is_live
    assert conversation.has_quotes
    client.say("quote_delete_session", "qs_1")
    assert not conversation.is_live
    assert not conversation.has_quotes


def test_quotes_are_pushed_many_in_a_text(client: Any, tally: Tally) -> None:
    """At most fifty; all are counted."""
    client.say("quote_create_session", "qs_1")
    first = client.say("quote_add_symbols", "qs_1", *(f"SIM:S{n:04}" for n in range(1, 41)))
    pushed = client.wait(60, 60)
    texts = [len(payloads(action.text)) for action in client.actions]
    assert (50, len(pushed)) == (max(texts), sum(texts))
    assert len(first) + len(pushed) == tally.quotes
    assert [] == client.wait(0)


def test_a_session_is_handed_over_when_it_is_complete(client: Any) -> None:
    """Its name is told, and its own updates cease."""
    assert client.conversation.hand_over() is None
    client.say("quote_create_session", "qs_1")
    assert client.conversation.hand_over() is None
    client.say("quote_add_symbols", "qs_1", "SIM:S0001")
    assert "qs_1" == client.conversation.hand_over()
    assert [] == client.wait(60)


@pytest.mark.parametrize(
    ("kind", "last"),
    [(FaultKind.QUOTES_DROP, [Close(is_abrupt=True)]), (FaultKind.QUOTES_STALL, [])],
)
def test_a_connection_may_end_in_the_midst_of_quotes(
    client: Any, faults: Faults, kind: FaultKind, last: list[Any]
) -> None:
    """Aborted, or open and dead: no quote, no answer, no heartbeat, even when all is well again."""
    client.say("quote_create_session", "qs_1")
    faults.order(Fault(kind, times=1))
    client.say("quote_add_symbols", "qs_1", "SIM:S0001")
    client.wait(60)
    assert last == client.actions
    assert [] == faults.ordered()
    assert [] == client.wait(60)
    assert [] == client.say("quote_create_session", "qs_2")
    assert [] == client.conversation.beat(client.now_ms)


def test_the_sessions_of_a_connection_are_limited(client: Any) -> None:
    """Two hundred at a time."""
    for number in range(100):
        client.say("chart_create_session", f"cs_{number}")
        client.say("quote_create_session", f"qs_{number}")
    (error,) = client.say("chart_create_session", "cs_200")
    assert ["max sessions rate reached"] == error["p"]


def test_silence_is_complete(client: Any, faults: Faults, methods: Any) -> None:
    """After `series_loading` no message, no heartbeat, no close."""
    faults.order(Fault(FaultKind.SILENCE, "SIM:S0001"))
    assert ["series_loading"] == methods(client.ask("SIM:S0001"))
    assert [] == client.say("set_auth_token", "rubbish")
    assert [] == client.conversation.beat(client.now_ms + 10**6)
