"""The provider's description of a symbol."""

from dataclasses import dataclass

from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.symbols import Symbol


@dataclass(frozen=True, slots=True)
class Listing:
    """The provider's description of a resolved symbol; empty text for an unknown value."""

    symbol: Symbol
    description: str = ""
    type: str = ""
    currency: str = ""
    timezone: str = ""
    session: str = ""
    has_volume: bool = True
    full_name: str = ""  # names the feed, as BATS:AAPL for NASDAQ:AAPL
    price_scale: int | None = None
    min_move: int | None = None
    delay_seconds: int | None = None
    allowed_adjustment: str = ""
    hours: CalendarTexts | None = None

    @property
    def tick_size(self) -> float | None:
        """The smallest step of the price."""
        return self.min_move / self.price_scale if self.min_move and self.price_scale else None
