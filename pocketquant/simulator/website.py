"""The simulator's website: sign-in, symbol search, and `/control` for tests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import msgspec
from flask import Flask, Response, abort, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

from pocketquant.simulator.market import world
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import tokens
from pocketquant.simulator.wire.faults import Fault, FaultKind, Faults
from pocketquant.simulator.wire.tally import Tally

_PAGE_LENGTH = 50
_POLL_SECONDS = 0.1
_CAPTCHA = {
    "error": "Please confirm that you are not a robot by clicking the captcha box.",
    "code": "recaptcha_required",
}
_TWO_FACTOR = {"error": "2FA_required", "code": "2FA_required"}
_WRONG_PASSWORD = {"error": "Invalid username or password", "code": "invalid_credentials"}
_SIGN_IN_FAULTS = {
    FaultKind.CAPTCHA: _CAPTCHA,
    FaultKind.TWO_FACTOR: _TWO_FACTOR,
    FaultKind.WRONG_PASSWORD: _WRONG_PASSWORD,
}


class _Order(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    kind: FaultKind
    symbol: str | None = None
    value: str | float | None = None
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _Lift(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    kind: FaultKind | None = None
    symbol: str | None = None


_Body = TypeVar("_Body")


@contextmanager
def serving_website(
    host: str, port: int, faults: Faults, tally: Tally, clock: Callable[[], float]
) -> Iterator[str]:
    """Serve for a `with` block; yields the URL."""
    site = make_server(
        host, port, website(faults, tally, clock), threaded=True, request_handler=_Quiet
    )
    thread = threading.Thread(
        target=site.serve_forever, args=(_POLL_SECONDS,), name="simulator-website", daemon=True
    )
    thread.start()
    try:
        yield f"http://{host}:{site.port}"
    finally:
        site.shutdown()
        site.server_close()
        thread.join()


def website(faults: Faults, tally: Tally, clock: Callable[[], float]) -> Flask:
    """Return the app: TradingView's own pages, and `/control`."""
    app = Flask(__name__)
    _add_sign_in(app, faults, tally, clock)
    _add_search(app)
    _add_look_ups(app)
    _add_controls(app, faults, tally, clock)
    return app


def _add_sign_in(app: Flask, faults: Faults, tally: Tally, clock: Callable[[], float]) -> None:
    @app.post("/accounts/signin/")
    def sign_in() -> Response:
        tally.sign_ins += 1
        for kind, answer in _SIGN_IN_FAULTS.items():
            if faults.trigger(kind):
                return jsonify(answer)
        username, password = request.form.get("username"), request.form.get("password")
        if not username or not password:
            return jsonify(_WRONG_PASSWORD)
        expiry = faults.trigger(FaultKind.TOKEN_EXPIRY)
        valid_seconds = expiry.number(0) if expiry else tokens.VALID_SECONDS
        return _sign_in_response(username, int(clock()), valid_seconds)


def _add_search(app: Flask) -> None:
    @app.get("/symbol_search/")
    def search() -> Response:
        return jsonify(_matches())

    @app.get("/symbol_search/v3/")
    def search_v3() -> Response:
        matches, start = _matches(), request.args.get("start", 0, type=int)
        page = matches[start : start + _PAGE_LENGTH]
        remaining = max(0, len(matches) - start - _PAGE_LENGTH)
        return jsonify({"symbols_remaining": remaining, "symbols": page})


def _add_look_ups(app: Flask) -> None:
    """Add the pages where clients check that a symbol exists before they open a WebSocket."""

    @app.get("/symbols/<name>")
    def page(name: str) -> Response:
        return Response(f"<title>{_instrument(name).name}</title>", mimetype="text/html")

    @app.get("/symbol")
    def scanner() -> Response:
        market = _instrument(request.args.get("symbol", "")).type
        return jsonify({"market": market})


def _instrument(name: str) -> Instrument:
    return world.find(name.upper()) or abort(404)


def _add_controls(app: Flask, faults: Faults, tally: Tally, clock: Callable[[], float]) -> None:
    @app.get("/control/clock")
    def now() -> Response:
        return jsonify({"now": clock()})

    @app.get("/control/statistics")
    def statistics() -> Response:
        return jsonify(tally.as_dict())

    @app.get("/control/faults")
    def ordered() -> Response:
        return jsonify([asdict(fault) for fault in faults.ordered()])

    @app.post("/control/faults")
    def order() -> Response:
        body = _read(_Order, request.get_json())
        try:
            faults.order(Fault(body.kind, body.symbol, body.value, body.times))
        except ValueError as error:
            abort(400, str(error))
        return ordered()

    @app.delete("/control/faults")
    def lift() -> Response:
        body = _read(_Lift, request.get_json(silent=True) or {})
        faults.lift(body.kind, body.symbol)
        return ordered()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # the base's name
        """Write nothing, to keep the output of tests clean."""


def _sign_in_response(username: str, now: int, valid_seconds: float) -> Response:
    user_id = 1 + sum(username.encode())
    user = {
        "id": user_id,
        "username": username,
        "auth_token": tokens.issue(user_id, now, valid_seconds),
        "session_hash": f"{user_id:032x}",
        "private_channel": f"{user_id:040x}",
        "date_joined": "2020-01-01T00:00:00Z",
        "is_pro": True,
    }
    answer = jsonify({"error": "", "user": user})
    for cookie in ("sessionid", "sessionid_sign", "device_t"):
        answer.set_cookie(cookie, f"{cookie}-{user_id}", httponly=True)
    return answer


def _matches() -> list[dict[str, Any]]:
    """Return the symbols that match the query: equal tickers first, then equal prefixes."""
    text = request.args.get("text", "").upper()
    kind = request.args.get("search_type") or request.args.get("type") or "undefined"
    exchange = request.args.get("exchange", "").upper()
    is_highlighted = request.args.get("hl") == "1"
    exact = world.find(text) if ":" in text else world.find(f"{exchange}:{text}")
    candidates = dict.fromkeys([*world.listed(), *filter(None, [exact])])
    matches = [
        instrument
        for instrument in candidates
        if (text in instrument.name or text in instrument.description.upper())
        and kind in ("undefined", instrument.type, *instrument.typespecs)
        and exchange in ("", instrument.exchange)
    ]
    matches.sort(key=lambda match: (match.ticker != text, not match.ticker.startswith(text)))
    return [_entry(instrument, text if is_highlighted else "") for instrument in matches]


def _entry(instrument: Instrument, highlighted: str) -> dict[str, Any]:
    """Return an entry in TradingView's form; a future has one contract."""
    is_future = instrument.type == "futures"
    name = instrument.ticker.rstrip("1!") if is_future else instrument.ticker
    exchange = instrument.exchange.partition("_")[0] if is_future else instrument.exchange
    entry = {
        "symbol": _highlight(name, highlighted),
        "description": instrument.description,
        "type": instrument.type,
        "exchange": exchange,
        "found_by_isin": False,
        "found_by_cusip": False,
        "currency_code": instrument.currency,
        "provider_id": exchange.lower(),
        "source2": {"id": exchange, "name": exchange, "description": exchange},
        "source_id": exchange,
        "typespecs": list(instrument.typespecs),
    }
    if is_future:
        contract = {
            "symbol": _highlight(instrument.ticker, highlighted),
            "description": instrument.description,
            "prefix": instrument.exchange,
            "typespecs": list(instrument.typespecs),
        }
        return {**entry, "country": instrument.country, "contracts": [contract]}
    return {
        **entry,
        **({"country": instrument.country} if instrument.country else {"prefix": exchange}),
    }


def _highlight(ticker: str, part: str) -> str:
    return ticker.replace(part, f"<em>{part}</em>") if part else ticker


def _read(kind: type[_Body], body: object) -> _Body:
    """Convert the body of a request, or abort with 400."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        abort(400, str(error))
