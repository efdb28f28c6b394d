"""The responses of the symbol search are decoded into symbols that can be synced."""

from pathlib import Path

import msgspec
import pytest

from pocketquant.domain.errors import ProtocolViolation
from pocketquant.domain.searches import SearchPage
from pocketquant.tradingview.listings import read_page


def page_of(*entries: object, remaining: int = 0) -> SearchPage:
    body = {"symbols_remaining": remaining, "symbols": entries}
    return read_page(msgspec.json.encode(body))


def names(page: SearchPage) -> list[list[str]]:
    return [[f"{each.exchange}:{each.ticker}" for each in match] for match in page.matches]


def test_a_captured_stock(wire: Path) -> None:
    """The `<em>` marks are removed, and the id of the source is the exchange."""
    page = read_page((wire / "http_search_v3_aapl.txt").read_bytes())
    ((apple,),) = page.matches
    assert (15, 0) == (page.remaining, page.unusable)
    assert ("NASDAQ", "AAPL", "Apple Inc.") == (apple.exchange, apple.ticker, apple.name)
    assert ("stock", ("common",), "USD") == (apple.type, apple.kinds, apple.currency)
    assert ("US", "NASDAQ") == (apple.country, apple.provider_exchange)


def test_a_captured_perpetual(wire: Path) -> None:
    """The prefix, not the display name, is the exchange; an entry may lack a country."""
    ((found,),) = read_page((wire / "http_search_v3_crypto_perp.txt").read_bytes()).matches
    assert ("BYBIT", "HYPEUSDT.P", "Bybit") == (
        found.exchange,
        found.ticker,
        found.provider_exchange,
    )
    assert ("HYPEUSDT Perpetual Contract", "") == (found.name, found.country)


def test_one_ticker_at_many_exchanges(wire: Path) -> None:
    """The exchange displayed as `BYMA` has the id `BCBA` in charts."""
    entries = msgspec.json.decode((wire / "http_search_v3_aapl_list.txt").read_bytes())
    expected = [["PYTH:AAPL"], ["BCBA:AAPL"], ["TSX:AAPL"], ["BMV:AAPL"]]
    assert expected == names(page_of(*entries))


def test_the_months_of_a_future_are_symbols() -> None:
    """A future has no chart but its months do; a month may have fewer fields than the future."""
    months = [
        {"symbol": "<em>ES</em>1!", "description": "Front month", "typespecs": ["continuous"]},
        {"symbol": "<em>ES</em>H2027", "description": None},
    ]
    future = {"symbol": "ES", "description": "E-mini", "exchange": "CME", "type": "futures"}
    page = page_of({**future, "typespecs": ["outright"], "contracts": months})
    assert [["CME:ES1!", "CME:ESH2027"]] == names(page)
    (front, march) = page.matches[0]
    assert ("Front month", ("continuous",)) == (front.name, front.kinds)
    assert ("E-mini", ("outright",)) == (march.name, march.kinds)


def test_each_contract_has_its_own_prefix() -> None:
    """A contract's prefix is its exchange; without one, the future's prefix is."""
    months = [{"symbol": "ES1!", "prefix": "CME_MINI"}, {"symbol": "ESH2027", "prefix": None}]
    future = {"symbol": "ES", "exchange": "CME", "source_id": "CME", "contracts": months}
    assert [["CME_MINI:ES1!", "CME:ESH2027"]] == names(page_of(future))
    assert [["CME_MINI:ES1!", "CBOT:ESH2027"]] == names(page_of({**future, "prefix": "CBOT"}))


def test_values_of_other_types() -> None:
    """A descriptive text of another type is empty; only an entry without a name is unusable."""
    odd = {"description": 7, "type": [], "currency_code": {}, "country": 1, "typespecs": [None]}
    page = page_of({"symbol": "A", "prefix": "NYSE", **odd}, {"symbol": 7}, 7, {"symbol": "B"})
    assert [["NYSE:A"], [], [], []] == names(page)
    assert ("", "", ("",), 3) == (
        page.matches[0][0].name,
        page.matches[0][0].type,
        page.matches[0][0].kinds,
        page.unusable,
    )


def test_nearly_all_fields_may_be_missing() -> None:
    """Without a prefix, the source's id or else the exchange names the exchange."""
    page = page_of(
        {"symbol": "A", "source2": {"id": "NYSE"}}, {"symbol": "B", "exchange": "otc", "logo": None}
    )
    assert [["NYSE:A"], ["OTC:B"]] == names(page)
    assert "" == page.matches[0][0].name
    assert (0, ()) == (read_page(b'{"symbols": []}').remaining, page_of().matches)


@pytest.mark.parametrize("entry", [{"symbol": "A B", "exchange": "X"}, {"symbol": "A"}])
def test_names_that_no_chart_accepts_are_counted(entry: object) -> None:
    """An entry without any symbol for a chart gives an empty match and counts as unusable."""
    page = page_of(entry, {"symbol": "GOOD", "exchange": "X"}, remaining=3)
    assert [[], ["X:GOOD"]] == names(page)
    assert (1, 3) == (page.unusable, page.remaining)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b"\xff", b'{"symbols": [{}]}', b'{"symbols": [{"symbol": 1}]}'],
)
def test_anything_else_is_a_violation(body: bytes) -> None:
    """Any other body raises ProtocolViolation."""
    with pytest.raises(ProtocolViolation):
        read_page(body)
