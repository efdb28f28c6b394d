"""`SymbolSearch`: requests TradingView's symbol search.

The endpoint only accepts browsers on TradingView's own site, hence Origin, Referer and User-Agent.
A response that is too large or too slow raises a typed error.
"""

import time

import requests

from pocketquant.domain.errors import (
    ConnectionLost,
    HandshakeRefused,
    ProtocolViolation,
    ProviderFault,
    ProviderTimeout,
    RateLimited,
)
from pocketquant.domain.searches import SearchPage, SearchRequest
from pocketquant.tradingview.listings import read_page

_TIMEOUT_SECONDS = 8.0
_MAX_BODY_BYTES = 4 * 1_048_576
_READ_BYTES = 65_536
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class SymbolSearch:
    """TradingView's symbol search. Safe to share between threads."""

    def __init__(
        self, search_url: str, site_url: str, timeout_seconds: float = _TIMEOUT_SECONDS
    ) -> None:
        self._url = f"{search_url.rstrip('/')}/symbol_search/v3/"
        site = site_url.rstrip("/")
        self._headers = {"Origin": site, "Referer": f"{site}/", "User-Agent": _AGENT}
        self._timeout_seconds = timeout_seconds

    def find(self, request: SearchRequest) -> SearchPage:
        """Return a page of up to 50 matches; failures raise typed errors."""
        try:
            return read_page(self._fetch(request))
        except requests.Timeout as error:
            raise ProviderTimeout("TradingView did not answer the search in time") from error
        except requests.RequestException as error:
            raise ConnectionLost("the search could not reach TradingView") from error

    def _fetch(self, request: SearchRequest) -> bytes:
        deadline = time.monotonic() + self._timeout_seconds
        with requests.get(
            self._url,
            params=_parameters(request),
            headers=self._headers,
            timeout=self._timeout_seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            _require_success(response.status_code)
            return _read_body(response, deadline)


def _parameters(request: SearchRequest) -> dict[str, str]:
    parameters = {
        "text": request.text,
        "hl": "1",
        "exchange": request.exchange,
        "lang": "en",
        "search_type": request.kind.value if request.kind else "undefined",
        "domain": "production",
        "country": request.country,
        "start": str(request.start) if request.start else "",
    }
    required = ("text", "exchange")
    return {name: value for name, value in parameters.items() if value or name in required}


def _require_success(status: int) -> None:
    if status == requests.codes.too_many_requests:
        raise RateLimited("TradingView answered the search with HTTP 429, too many requests")
    if status in (requests.codes.unauthorized, requests.codes.forbidden):
        raise HandshakeRefused(f"TradingView refused the search with HTTP {status}")
    if status != requests.codes.ok:
        raise ProviderFault(f"TradingView answered the search with HTTP {status}")


def _read_body(response: requests.Response, deadline: float) -> bytes:
    """Read the whole body; an error if it is too large or incomplete at the deadline."""
    body = bytearray()
    for piece in response.iter_content(_READ_BYTES):
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise ProtocolViolation("TradingView's answer to the search has no end")
        if time.monotonic() > deadline:
            raise ProviderTimeout("TradingView did not answer the search in time")
    return bytes(body)
