"""The picture of a split in the documentation."""

from pathlib import Path

from tests.benchmarks.split_picture import picture

DRAWN = Path(__file__).parents[2] / "docs" / "split.svg"


def test_the_picture_is_the_one_that_its_script_draws() -> None:
    """It is drawn anew with `python -m tests.benchmarks.split_picture docs/split.svg`."""
    assert DRAWN.read_text() == picture()
