"""Trading hours of real markets, as the provider writes them.

What was captured is read from `tests/wire`. Where a capture has no text, or was cut by its source,
the text is written by hand, in the same grammar, from what the exchange published; each is marked.
"""

import json
from pathlib import Path
from typing import Any

from pocketquant.domain.calendar import CalendarTexts

WIRE = Path(__file__).parents[3] / "wire"

NSE_CAPTURE: dict[str, Any] = json.loads((WIRE / "nse_calendar_2025-12-18.json").read_text())
_CAPTURED: dict[str, Any] = {
    each["symbol"]: each
    for each in json.loads((WIRE / "calendar_strings_2026-10-10.json").read_text())
}
_AAPL, _ES = _CAPTURED["NASDAQ:AAPL"], _CAPTURED["CME ES"]
_DXY, _HKEX = _CAPTURED["dollar index (DXY)"], _CAPTURED["HKEX"]
_US_HOLIDAYS = _AAPL["session_holidays_from_2025"]

# By hand (NYSE): the capture is cut before 2025.
_US_HOLIDAYS_2024 = (
    "20240101,20240115,20240219,20240329,20240527,20240619,20240704,20240902,20241128,20241225"
)


def _of_subsession(resolved: dict[str, Any], name: str) -> dict[str, str]:
    return next(each for each in resolved["subsessions"] if each["id"] == name)


_NSE_RESOLVED = NSE_CAPTURE["symbol_resolved"]
NSE = CalendarTexts(
    _NSE_RESOLVED["timezone"],
    _NSE_RESOLVED["session"],
    _NSE_RESOLVED["session_holidays"],
    _of_subsession(_NSE_RESOLVED, _NSE_RESOLVED["subsession_id"])["session-correction"],
)
AAPL = CalendarTexts(
    _AAPL["timezone"],
    _AAPL["session"],
    f"{_US_HOLIDAYS_2024},{_US_HOLIDAYS}",
    # By hand: the early closes of 2024 that the capture's source cut out.
    "0930-1300:20240703,20241129;" + _of_subsession(_AAPL, "regular")["session-correction"],
)
ES = CalendarTexts(
    _ES["timezone"], _ES["session"], _US_HOLIDAYS, _ES["session-correction_from_2025"]
)
# By hand (CME, holiday calendar of 2024, equity index products), like the captured years after it.
ES_2024 = CalendarTexts(
    "America/Chicago",
    "1700-1600",
    _US_HOLIDAYS_2024,
    "1700F2-1200F1,1700-1600:20240116,20240220,20240528,20240620,20240903,20240705;"
    "1700-1215:20240703,20241224;1700F2-1200F1,1700-1215:20241129",
)
DXY = CalendarTexts(
    _DXY["timezone"], _DXY["session"], _US_HOLIDAYS, _DXY["session-correction_from_2025"]
)
HKEX_2026 = CalendarTexts(
    _HKEX["timezone"], _HKEX["session"], _HKEX["session_holidays_2026"], _HKEX["session-correction"]
)
# By hand (HKEX): holidays and half days of 2024 and 2025.
HKEX_2024_2025 = CalendarTexts(
    "Asia/Hong_Kong",
    _HKEX["session"],
    "20240101,20240212,20240213,20240329,20240401,20240404,20240501,20240515,20240610,20240701,20240906,"
    "20240918,20241001,20241011,20241225,20241226,20250101,20250129,20250130,20250131,20250404,"
    "20250418,20250421,20250501,20250505,20250701,20251001,20251007,20251029,20251225,20251226",
    "0930-1200:20240209,20241224,20241231,20250128,20251224,20251231",
)
# By hand (London Stock Exchange, business days).
LONDON = CalendarTexts(
    "Europe/London",
    "0800-1630",
    "20240101,20240329,20240401,20240506,20240527,20240826,20241225,20241226,20250101,20250418,"
    "20250421,20250505,20250526,20250825,20251225,20251226,20260101,20260403,20260406,20260504,"
    "20260525,20260831,20261225,20261228",
    "0800-1230:20241224,20241231,20251224,20251231,20261224,20261231",
)
# By hand (Xetra, trading calendar); the last trading day of a year ends at 14:00.
XETRA = CalendarTexts(
    "Europe/Berlin",
    "0900-1730",
    "20240101,20240329,20240401,20240501,20241224,20241225,20241226,20241231,20250101,20250418,"
    "20250421,20250501,20251224,20251225,20251226,20251231,20260101,20260403,20260406,20260501,"
    "20261224,20261225,20261231",
    "0900-1400:20241230,20251230,20261230",
)
# Captured without dates: hours alone.
BRENT = CalendarTexts(
    _CAPTURED["Brent (ICE, London time)"]["timezone"],
    _CAPTURED["Brent (ICE, London time)"]["session_excerpt_1"],
)
NSE_2026 = CalendarTexts(_CAPTURED["NSE"]["timezone"], _CAPTURED["NSE"]["session"])
# By hand: spot currencies as the provider's documentation writes them.
FX = CalendarTexts("America/New_York", "1700-1700")
CRYPTO = CalendarTexts("Etc/UTC", "24x7")
