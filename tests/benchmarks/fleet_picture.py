"""The scaling curve as a picture."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt  # after the choice of how to draw

_OURS, _IDEAL, _SERIAL = "#1f5fa8", "#8a8a8a", "#b5452c"


def draw(
    path: Path,
    rates: Mapping[int, float],
    busy: Mapping[int, float],
    latency_seconds: float,
    serial_rate: float,
) -> None:
    """Syncs a second over slots: ours, the ideal, and the serial loop; both axes double."""
    figure, axes = plt.subplots(figsize=(8, 5), dpi=120)
    slots = list(rates)
    ideal = [each / latency_seconds for each in slots]
    axes.plot(slots, ideal, "--", color=_IDEAL, label=f"ideal: slots / {latency_seconds} s")
    axes.plot(slots, list(rates.values()), "o-", color=_OURS, label="PocketQuant", linewidth=2)
    axes.axhline(
        serial_rate, color=_SERIAL, label=f"tvdatafeed in a serial loop: {serial_rate:.1f}/s"
    )
    for each in slots:
        text = f"{rates[each]:.0f}/s\n{rates[each] * latency_seconds / each:.0%} of ideal"
        note = f"{text}\nprocessors {busy[each]:.0%} busy"
        axes.annotate(note, (each, rates[each]), (6, -38), textcoords="offset points", fontsize=8)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(slots, [str(each) for each in slots])
    axes.set_xlim(slots[0] / 1.2, slots[-1] * 1.9)
    axes.set_ylim(serial_rate / 1.6, ideal[-1] * 1.4)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("slots (workers × threads)")
    axes.set_ylabel("syncs a second")
    axes.set_title(f"400 series of 500 bars, {latency_seconds} s latency of the provider")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
