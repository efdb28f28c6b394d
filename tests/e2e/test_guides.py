"""The examples of the guides, as they stand there."""

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
THERE = "http://127.0.0.1:8000"  # where the guides say that the API is


def test_the_guide_of_the_python_client(platform: Any) -> None:
    """Its blocks run one after the other."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "client.md").read_text(), re.DOTALL)
    assert len(blocks) > 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block.replace(THERE, platform.url), "client.md", "exec"), names)  # noqa: S102
    assert 500 == len(names["frame"])
    names["client"].unsubscribe(["BINANCE:BTCUSDT"])
