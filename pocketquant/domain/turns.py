"""`TurnFarOff`: a call to the provider may not begin yet."""

from pocketquant.domain.errors import PocketQuantError


class TurnFarOff(Exception):
    """The call may not begin for `delay_seconds`; waiting users are shown `error`, if any."""

    def __init__(self, delay_seconds: float, error: PocketQuantError | None) -> None:
        super().__init__(f"not before {delay_seconds:.1f} s")
        self.delay_seconds = delay_seconds
        self.error = error
