"""TradingView's UDF under `/udf`: for its charting library, and all programs that speak it.

The OpenAPI document does not list it: requests and answers are those of TradingView's protocol.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import numpy as np
import orjson
from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocketquant.domain.bars import Bars, concatenate
from pocketquant.domain.errors import InvalidRequest, NotFound, PocketQuantError
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.storage.symbols import SymbolFilter
from web import errors, udf
from web.bars.ohlcv import BarsQuery
from web.bars.stored_bars import Window
from web.current import current_request
from web.schemas.bars import OhlcvQuery
from web.services import WebServices, current_services

_MOST_QUOTES = 500
_LONGEST_NAME = 200  # of a symbol with its variant
_NEAR_DAYS = 3  # trading days whose bars open before, or after, their own 00:00 UTC

blueprint = Blueprint("udf", __name__, url_prefix="/udf")

Seconds = Annotated[int, Field(ge=-(2**40), le=2**40)]
Text = Annotated[str, Field(max_length=_LONGEST_NAME)]


class _Query(BaseModel):
    """Clients add parameters of their own, which are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


_Q = TypeVar("_Q", bound=_Query)


class _SymbolQuery(_Query):
    symbol: Text


class _SearchQuery(_Query):
    query: Text = ""
    type: Text = ""
    exchange: Text = ""
    limit: int = Field(30, ge=1, le=200)


class _HistoryQuery(_SymbolQuery):
    resolution: Text
    to: Seconds
    from_: Seconds = Field(0, alias="from")
    countback: int | None = Field(None, ge=1, le=udf.MOST_BARS)

    def wanted(self) -> udf.Wanted:
        return udf.Wanted(self.from_, self.to, self.countback)


class _QuotesQuery(_Query):
    symbols: str = Field(min_length=1, max_length=_MOST_QUOTES * _LONGEST_NAME)


@blueprint.get("/config")
def get_config() -> Response:
    """Return what the server can do."""
    return _json(udf.config())


@blueprint.get("/time")
def get_time() -> Response:
    """Return the server's time in epoch seconds, as text."""
    return Response(str(int(current_services().clock())), mimetype="text/plain")


@blueprint.get("/symbols")
def get_symbol() -> Response:
    """Return one registered symbol."""
    symbol = _symbol(_query(_SymbolQuery).symbol)
    with current_services().storage() as platform:
        registered = platform.symbols.get(symbol)
    if registered is None:
        raise NotFound(f"unknown_symbol: {symbol} is not stored here")
    return _json(udf.symbol_info(registered.listing))


@blueprint.get("/search")
def search() -> Response:
    """Return registered symbols whose ticker or name has this text."""
    query = _query(_SearchQuery)
    _, _, text = query.query.rpartition(":")
    wanted = SymbolFilter(query.exchange or None, query.type or None, None, None, text or None)
    with current_services().storage() as platform:
        found, _ = platform.symbols.page(wanted, 0, query.limit)
    return _json([udf.found_symbol(registered.listing) for registered in found])


@blueprint.get("/history")
def get_history() -> Response:
    """Return bars of one series, the forming one too."""
    query = _query(_HistoryQuery)
    symbol, interval = _symbol(query.symbol), _interval(query.resolution)
    services = current_services()
    with services.storage():
        return _json(_history(services, symbol, interval, query.wanted()))


@blueprint.get("/quotes")
def get_quotes() -> Response:
    """Return live quotes, each under the requested name."""
    asked = [name.strip() for name in _query(_QuotesQuery).symbols.split(",")]
    if len(asked) > _MOST_QUOTES:
        raise InvalidRequest(f"symbols: at most {_MOST_QUOTES}")
    symbols = {name: str(_symbol(name)) for name in asked}
    with current_services().storage() as platform:
        latest = platform.board.latest_of(sorted(set(symbols.values())))
    quotes = {symbol: orjson.loads(text) for symbol, text in latest.items()}
    return _json({"s": "ok", "d": [udf.quote(one, quotes.get(symbols[one])) for one in asked]})


@blueprint.errorhandler(PocketQuantError)
def explain(error: PocketQuantError) -> Response:
    """Return an error as these clients read it, beside the fields of every other error."""
    response = errors.answer(error)
    fields = response.get_json()
    response.set_data(orjson.dumps({"s": "error", "errmsg": fields["message"], **fields}))
    return response


def _history(
    services: WebServices, symbol: Symbol, interval: Interval | str, wanted: udf.Wanted
) -> dict[str, Any]:
    window = Window(None, wanted.end, wanted.most + 1, newest_first=True)
    query = BarsQuery(symbol, interval, window)
    if not query.is_intraday:
        end, most = wanted.end + _NEAR_DAYS * DAY, window.limit + _NEAR_DAYS
        query = replace(query, window=replace(window, end=end, limit=most))
    try:
        stored = concatenate([*services.ohlcv.blocks(query, is_whole=False)][::-1])
    except NotFound:
        if services.platform.symbols.get(symbol) is None:
            raise
        return {"s": "no_data"}
    bars = _with_forming(services, query, stored)
    times = bars.time
    if not query.is_intraday:
        days = services.ohlcv.times(query).trading_days(times)
        times = udf.protocol_times(times, days)
    return udf.history(bars, times, wanted)


def _with_forming(services: WebServices, query: BarsQuery, bars: Bars) -> Bars:
    """Return the bars with the one that has not closed, if it is known."""
    forming = _forming(services, query.series) if query.series else None
    if forming is None or (bars.last_time is not None and forming[0] <= bars.last_time):
        return bars
    return concatenate([bars, Bars(np.array(forming).reshape(6, 1))])


def _forming(services: WebServices, series: Series) -> tuple[float, ...] | None:
    """Return the forming bar as it is seen live, else as a sync saw it: time, prices, volume."""
    live = services.live_forming.bar(series)
    if live is not None:
        return live.start, live.open, live.high, live.low, live.close, _volume(live.volume)
    status = services.ohlcv.statuses.get(series)
    seen = status.forming if status else None
    if seen is None or seen.close_time <= services.clock():
        return None
    return seen.time, seen.open, seen.high, seen.low, seen.close, _volume(seen.volume)


def _volume(known: float | None) -> float:
    return np.nan if known is None else known


def _interval(resolution: str) -> Interval | str:
    text = udf.interval_of(resolution)
    try:
        return OhlcvQuery.model_validate({"interval": text}).interval
    except ValidationError as error:
        raise InvalidRequest(f"resolution: no bars are made of {text}") from error


def _query(model: type[_Q]) -> _Q:
    try:
        return model.model_validate(current_request().args.to_dict())
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        raise InvalidRequest(f"{name}: {problem['msg']}") from error


def _symbol(name: str) -> Symbol:
    return Symbol.parse(name.strip().upper())


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), HTTPStatus.OK, mimetype="application/json")
