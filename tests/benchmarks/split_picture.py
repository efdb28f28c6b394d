"""Draws what a split does to a stored series: `python -m tests.benchmarks.split_picture FILE`.

Both halves show daily bars of the simulated market around a split of 10 for 1, with the mean of the
last ten closes: kept as they were before it, and rescaled. The picture follows the reader's theme.
"""

import sys
from pathlib import Path

import numpy as np

from pocketquant.domain.bars import Bars, Floats, concatenate
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.market.splits import Split
from tests.simulated import known

_OPEN = 1_795_012_200  # 2026-11-18T14:30:00Z: New York opens
_UNTIL = _OPEN + 21 * 86400
_BARS, _MEAN = 36, 10
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 360, 200, 46, 58, 50
_TICKS = (10, 20, 50, 100, 200, 400)
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1d2733; }
.page { fill: #ffffff; }
.title { font-weight: 600; }
.small { font-size: 11px; fill: #5b6775; }
.frame { fill: none; stroke: #c9d1db; }
.grid { stroke: #e4e9ef; }
.bar { stroke: #1f5fa8; stroke-width: 3; }
.mean { fill: none; stroke: #b5452c; stroke-width: 2; }
.split { stroke: #5b6775; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e3e9f1; }
  .page { fill: #151a21; }
  .small { fill: #9aa7b6; }
  .frame { stroke: #46505d; }
  .grid { stroke: #2c343e; }
  .bar { stroke: #6fb1ff; }
  .mean { stroke: #f08b6d; }
  .split { stroke: #9aa7b6; }
}
"""


def picture() -> str:
    """Return the picture as SVG."""
    market = Market({})
    before, _ = _days(market, _OPEN - 3600)
    market.split("NASDAQ:AAPL", Split(_OPEN, 10, _OPEN))
    rescaled, opens = _days(market, _UNTIL)
    kept = concatenate([before.between(opens, _OPEN), rescaled.between(_OPEN, None)])
    width = _LEFT + 2 * _WIDTH + _GAP + 12
    halves = (("Kept as they were", kept), ("Rescaled: one scale", rescaled))
    parts = [_half(*half, _LEFT + (_WIDTH + _GAP) * n) for n, half in enumerate(halves)]
    legend = (
        f'<line class="bar" x1="{_LEFT}" x2="{_LEFT + 18}" y1="22" y2="22"/>'
        f'<text x="{_LEFT + 24}" y="26">daily bars</text>'
        f'<line class="mean" x1="{_LEFT + 110}" x2="{_LEFT + 128}" y1="22" y2="22"/>'
        f'<text x="{_LEFT + 134}" y="26">mean of the last ten closes</text>'
    )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_TOP + _HEIGHT + 30}"'
            ' role="img" aria-label="A series before and after a split of 10 for 1: kept as it was,'
            ' it falls to a tenth; rescaled, it goes on">',
            f"<style>{_STYLE}</style>",
            '<rect class="page" width="100%" height="100%" rx="6"/>',
            legend,
            *parts,
            "</svg>\n",
        )
    )


def _days(market: Market, now: int) -> tuple[Bars, int]:
    """Return the closed days of a share, and when the first of them opened."""
    found = market.newest(known("NASDAQ:AAPL"), Resolution(1, "D"), now, _BARS).bars
    return found, int(found.time[0])


def _half(title: str, bars: Bars, left: int) -> str:
    xs = left + (np.arange(len(bars)) + 0.5) * _WIDTH / len(bars)
    split = (xs[np.searchsorted(bars.time, _OPEN) - 1] + xs[np.searchsorted(bars.time, _OPEN)]) / 2
    lines = [
        f'<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="{high:.1f}" y2="{low:.1f}"/>'
        for x, high, low in zip(xs, _y(bars.high) - 1.5, _y(bars.low) + 1.5, strict=True)
    ]
    mean = np.convolve(bars.close, np.ones(_MEAN) / _MEAN, "valid")
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs[_MEAN - 1 :], _y(mean), strict=True))
    bottom = _TOP + _HEIGHT
    grid = [
        f'<line class="grid" x1="{left}" x2="{left + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="small" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>'
        for tick, y in zip(_TICKS, _y(np.array(_TICKS, dtype=np.float64)), strict=True)
    ]
    return "\n".join(
        (
            f'<text class="title" x="{left}" y="{_TOP - 8}">{title}</text>',
            *grid,
            f'<rect class="frame" x="{left}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}"/>',
            f'<line class="split" x1="{split:.1f}" x2="{split:.1f}" y1="{_TOP}" y2="{bottom}"/>',
            f'<text class="small" x="{split:.1f}" y="{bottom + 16}" text-anchor="middle">'
            "split, 10 for 1</text>",
            *lines,
            f'<polyline class="mean" points="{points}"/>',
        )
    )


def _y(prices: Floats) -> Floats:
    """Return the places of prices, on a scale of equal ratios."""
    low, high = np.log(_TICKS[0] * 0.8), np.log(_TICKS[-1] * 1.2)
    return np.asarray(_TOP + _HEIGHT * (high - np.log(prices)) / (high - low))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture())
