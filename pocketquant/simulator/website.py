"""The website beside the WebSocket: signing in, symbol search, and the simulator's own controls."""

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

_PAGE = 50
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
    """Serve until the end of the block; gives the URL."""
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
    """The site: what TradingView's has, and `/control`."""
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
        return _signed_in(username, int(clock()), valid_seconds)


def _add_search(app: Flask) -> None:
    @app.get("/symbol_search/")
    def search() -> Response:
        return jsonify(_found())

    @app.get("/symbol_search/v3/")
    def search_v3() -> Response:
        found, start = _found(), request.args.get("start", 0, type=int)
        page = found[start : start + _PAGE]
        remaining = max(0, len(found) - start - _PAGE)
        return jsonify({"symbols_remaining": remaining, "symbols": page})


def _add_look_ups(app: Flask) -> None:
    """What clients ask before they open a WebSocket: whether there is such a symbol."""

    @app.get("/symbols/<name>")
    def page(name: str) -> Response:
        return Response(f"<title>{_known(name).name}</title>", mimetype="text/html")

    @app.get("/symbol")
    def scanned() -> Response:
        market = _known(request.args.get("symbol", "")).type
        return jsonify({"market": market})


def _known(name: str) -> Instrument:
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
        asked = _read(_Order, request.get_json())
        try:
            faults.order(Fault(asked.kind, asked.symbol, asked.value, asked.times))
        except ValueError as error:
            abort(400, str(error))
        return ordered()

    @app.delete("/control/faults")
    def lift() -> Response:
        asked = _read(_Lift, request.get_json(silent=True) or {})
        faults.lift(asked.kind, asked.symbol)
        return ordered()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # its own name
        """Say nothing: a test's output is not the place."""


def _signed_in(username: str, now: int, valid_seconds: float) -> Response:
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


def _found() -> list[dict[str, Any]]:
    """The symbols that match the query, best first: the same ticker, then the same beginning."""
    text = request.args.get("text", "").upper()
    kind = request.args.get("search_type") or request.args.get("type") or "undefined"
    exchange = request.args.get("exchange", "").upper()
    marks = request.args.get("hl") == "1"
    exact = world.find(text) if ":" in text else world.find(f"{exchange}:{text}")
    known = [*world.listed(), *([exact] if exact and exact not in world.listed() else [])]
    wanted = [
        instrument
        for instrument in known
        if (text in instrument.name or text in instrument.description.upper())
        and kind in ("undefined", instrument.type, *instrument.typespecs)
        and exchange in ("", instrument.exchange)
    ]
    wanted.sort(key=lambda found: (found.ticker != text, not found.ticker.startswith(text)))
    return [_entry(instrument, text if marks else "") for instrument in wanted]


def _entry(instrument: Instrument, marked: str) -> dict[str, Any]:
    """An entry as TradingView's; a future is that of all its months, of which there is one."""
    is_future = instrument.type == "futures"
    name = instrument.ticker.rstrip("1!") if is_future else instrument.ticker
    exchange = instrument.exchange.partition("_")[0] if is_future else instrument.exchange
    entry = {
        "symbol": _marked(name, marked),
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
            "symbol": _marked(instrument.ticker, marked),
            "description": instrument.description,
            "prefix": instrument.exchange,
            "typespecs": list(instrument.typespecs),
        }
        return {**entry, "country": instrument.country, "contracts": [contract]}
    return {
        **entry,
        **({"country": instrument.country} if instrument.country else {"prefix": exchange}),
    }


def _marked(ticker: str, part: str) -> str:
    return ticker.replace(part, f"<em>{part}</em>") if part else ticker


def _read(kind: type[_Body], body: object) -> _Body:
    """The body of a request, or 400."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        abort(400, str(error))
