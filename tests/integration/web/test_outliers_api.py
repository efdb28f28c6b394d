"""Outliers over REST: bars with a price far from those around them."""

from collections.abc import Callable

from flask.testing import FlaskClient

from pocketquant.domain.bars import Bars

URL = "/api/v1/market-data/outliers/NASDAQ/AAPL"


def test_outliers_are_listed_with_their_evidence(
    client: FlaskClient, store: Callable[..., None], daily: Callable[[int], Bars]
) -> None:
    """The newest of the range, and how many bars were compared; the bars stay as they are."""
    bars = daily(200)
    bars.columns[1:5] += 1000
    bars.columns[2, [50, 150]] = 4000
    store("NASDAQ:AAPL|1d", bars)
    answer = client.get(f"{URL}?limit=1").get_json()
    (found,) = answer.pop("outliers")
    assert answer == {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "interval": "1d",
        "bars": 200,
        "first_bar_at": "1970-01-01T00:00:00Z",
        "last_bar_at": "1970-07-19T00:00:00Z",
        "outlier_count": 2,
    }
    assert ("1970-05-31T00:00:00Z", "high", 4000.0) == (
        found["datetime"],
        found["field"],
        found["value"],
    )
    assert found["lowest"] < found["usual"] < found["highest"] < 1200
    before = client.get(f"{URL}?end=1970-05-01").get_json()
    assert ["1970-02-20T00:00:00Z"] == [each["datetime"] for each in before["outliers"]]
    assert 404 == client.get(f"{URL}?interval=1h").status_code
