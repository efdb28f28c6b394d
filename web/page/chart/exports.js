// Saves what is seen: bars as CSV, the picture as PNG.

const HEADING = "datetime,open,high,low,close,volume";

/** @typedef {import("./live-chart.js").LiveChart} LiveChart */

/** @param {LiveChart} chart */
export function saveCsv(chart) {
  const blob = new Blob([csvOf(chart.visibleBars())], { type: "text/csv" });
  save(blob, `${nameOf(chart)}.csv`);
}

/** @param {LiveChart} chart */
export function savePicture(chart) {
  chart.drawing.picture().toBlob((blob) => blob && save(blob, `${nameOf(chart)}.png`));
}

/**
 * Bars as `format=csv` of the API has them.
 * @param {import("../data/bars.js").Bar[]} bars
 */
export function csvOf(bars) {
  const hasDays = bars.some((bar) => bar.tradingDay);
  const rows = bars.map(({ time, open, high, low, close, volume, tradingDay }) => {
    const opened = new Date(time * 1000).toISOString().replace(".000", "");
    const numbers = [open, high, low, close, volume].map(numberText);
    return [opened, ...numbers, ...(hasDays ? [tradingDay ?? ""] : [])].join(",");
  });
  const heading = hasDays ? `${HEADING},trading_day` : HEADING;
  return `${[heading, ...rows].join("\n")}\n`;
}

/** @param {number | null} value */
function numberText(value) {
  if (value === null) return "";
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

/** @param {LiveChart} chart */
function nameOf({ symbol, interval }) {
  return `${symbol}_${interval}`.replace(/[:/]/g, "_");
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
