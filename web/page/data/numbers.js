// Numbers as texts.

const counts = new Intl.NumberFormat("en-US");
/** @type {Intl.NumberFormat[]} by the number of digits; each is dear to make */
const formats = [];
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 });

/** @param {number | null | undefined} value */
export function countText(value) {
  return value === null || value === undefined ? "–" : counts.format(value);
}

/** @param {number} count */
export function pagesText(count) {
  return `${countText(count)} ${count === 1 ? "page" : "pages"}`;
}

/** @param {number | null | undefined} value */
export function volumeText(value) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) < 100 ? String(Number(value.toFixed(4))) : compact.format(value);
}

/**
 * @param {number | null | undefined} value
 * @param {number} digits
 */
export function priceText(value, digits) {
  if (value === null || value === undefined) return "–";
  formats[digits] ??= new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return formats[digits].format(value);
}

/** @param {number | null | undefined} value */
export function percentText(value) {
  if (value === null || value === undefined) return "–";
  const isNegative = value < 0 || Object.is(value, -0);
  return `${isNegative ? "−" : "+"}${Math.abs(value).toFixed(2)} %`;
}

/**
 * How many digits after the point these prices need: those of the tick, else those in use.
 * @param {number | null | undefined} tick
 * @param {number[]} prices
 */
export function digitsOf(tick, prices) {
  const samples = tick ? [tick] : prices.slice(-50);
  const used = samples.map((price) => (String(Number(price.toPrecision(9))).split(".")[1] ?? "").length);
  return Math.min(8, Math.max(2, ...used));
}
