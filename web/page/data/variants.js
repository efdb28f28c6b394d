// Variants of a symbol: the marks after its ticker, as in `NASDAQ:AAPL;adjustment=dividends;session=extended`.

const ORDER = ["adjustment", "session", "currency", "back_adjustment", "settlement_as_close"];
const DEFAULTS = { adjustment: "splits", session: "regular" };

/** @type {Record<string, string>} */
const WORDS = {
  "adjustment=dividends": "adjusted for dividends",
  "adjustment=none": "not adjusted",
  "session=extended": "extended hours",
  "back_adjustment=true": "back-adjusted",
  "settlement_as_close=true": "settlement as close",
  "settlement_as_close=false": "last trade as close",
};

/**
 * The symbol as the API writes it, whatever its case.
 * @param {string} text
 */
export function inItsCase(text) {
  return withMarks(plainOf(text).toUpperCase(), marksOf(text));
}

/**
 * The symbol in its default variant.
 * @param {string} symbol
 */
export function plainOf(symbol) {
  return symbol.split(";", 1)[0];
}

/**
 * The choices of a symbol's variant, by their names.
 * @param {string} symbol
 * @returns {Record<string, string>}
 */
export function marksOf(symbol) {
  const marks = symbol.split(";").slice(1).map((mark) => mark.trim().toLowerCase().split("="));
  return Object.fromEntries(marks.map(([name, value = ""]) => [name, name === "currency" ? value.toUpperCase() : value]));
}

/**
 * @param {string} plain
 * @param {Record<string, string>} marks those of the default, and empty ones, are left out
 */
export function withMarks(plain, marks) {
  const chosen = Object.entries({ ...DEFAULTS, ...marks }).filter(
    ([name, value]) => value && value !== /** @type {Record<string, string>} */ (DEFAULTS)[name],
  );
  chosen.sort(([one], [other]) => ORDER.indexOf(one) - ORDER.indexOf(other));
  return [plain, ...chosen.map((mark) => mark.join("="))].join(";");
}

/**
 * Describe a variant in words; empty for the default one.
 * @param {string} symbol
 */
export function variantInWords(symbol) {
  const marks = Object.entries(marksOf(symbol));
  return marks.map(([name, value]) => (name === "currency" ? `in ${value}` : (WORDS[`${name}=${value}`] ?? value))).join(", ");
}
