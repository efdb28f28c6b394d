"""The texts about trading hours in a resolved symbol, as a calendar is made of them."""

from typing import Any

from pocketquant.domain.calendar import CalendarTexts
from pocketquant.tradingview.messages import Resolved


def calendar_texts(resolved: Resolved) -> CalendarTexts | None:
    """Return the texts; None if the provider named no hours or no time zone.

    Corrections come as a text of their own, or with the subsession that `subsession_id` names.
    """
    if not (resolved.session and resolved.timezone):
        return None
    corrections = resolved.corrections
    if corrections is None:
        corrections = _subsession(resolved).get("session-correction")
    return CalendarTexts(
        timezone=str(resolved.timezone),
        session=str(resolved.session),
        holidays=_text(resolved.session_holidays),
        corrections=_text(corrections),
    )


def _subsession(resolved: Resolved) -> dict[str, Any]:
    listed = resolved.subsessions if isinstance(resolved.subsessions, list) else []
    named = (
        each
        for each in listed
        if isinstance(each, dict) and each.get("id") == resolved.subsession_id
    )
    return next(named, {})


def _text(value: object) -> str:
    return "" if value is None else str(value)
