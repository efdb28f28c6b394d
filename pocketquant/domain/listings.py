"""The provider's description of a symbol."""

from dataclasses import dataclass
from hashlib import sha256

from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.errors import VariantNotAllowed
from pocketquant.domain.symbols import Symbol
from pocketquant.domain.variants import Adjustment, TradingHours, Variant, text_of

_FUTURES = ("futures", "")  # types that may have contracts
_NOT_BY_DIVIDENDS = ("none", "splits")


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
    has_adjustment: bool | None = None
    has_extended_hours: bool | None = None

    @property
    def tick_size(self) -> float | None:
        """The smallest step of the price."""
        return self.min_move / self.price_scale if self.min_move and self.price_scale else None

    @property
    def fingerprint(self) -> str:
        """A short text that differs if anything in the description does."""
        return sha256(repr(self).encode()).hexdigest()[:24]

    def require_variant(self, variant: Variant) -> None:
        """Raise VariantNotAllowed if the provider's description rules the variant out."""
        for name, value in variant.choices.items():
            allowed = self._allowed.get(name, (value,))
            if value not in allowed:
                raise VariantNotAllowed(
                    f"{self.symbol.listing} has no bars with {name}={text_of(value)};"
                    f" allowed: {name}={' or '.join(map(text_of, allowed))}"
                )

    def require_own_variant(self) -> None:
        """Raise VariantNotAllowed if the description is not one of the symbol's own variant."""
        self.require_variant(self.symbol.variant)
        wanted = self.symbol.variant.currency
        if wanted and self.currency not in ("", wanted):
            raise VariantNotAllowed(
                f"{self.symbol.listing} has no prices in {wanted}; TradingView sends"
                f" {self.currency}"
            )

    @property
    def _allowed(self) -> dict[str, tuple[object, ...]]:
        """The values that are left of the choices; all are, where nothing is known."""
        allowed: dict[str, tuple[object, ...]] = {}
        if self.has_adjustment is False or self.allowed_adjustment in _NOT_BY_DIVIDENDS:
            allowed["adjustment"] = (Adjustment.SPLITS, Adjustment.NONE)
        if self.has_extended_hours is False:
            allowed["session"] = (TradingHours.REGULAR,)
        if self.type not in _FUTURES:
            allowed |= {"back_adjustment": (False,), "settlement_as_close": ("unset",)}
        return allowed
