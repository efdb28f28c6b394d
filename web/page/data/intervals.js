// Bar lengths: the 13 stored ones, and any other that the API computes.

export const STORED = [
  ...["1m", "3m", "5m", "15m", "30m", "45m", "1h", "2h", "3h", "4h", "1d", "1w", "1M"],
];

const LENGTH = /^([1-9]\d{0,3})([mhdwM])$/;
const SECONDS = { m: 60, h: 3600, d: 86_400, w: 604_800, M: 2_592_000 };
const WORDS = { m: "minute", h: "hour", d: "day", w: "week", M: "month" };

/** @param {string} text */
export function isInterval(text) {
  return LENGTH.test(text);
}

/**
 * About how long a bar is, in seconds.
 * @param {string} interval
 */
export function secondsOf(interval) {
  const { count, unit } = parsed(interval);
  return count * SECONDS[unit];
}

/**
 * Whether a bar is shorter than a day.
 * @param {string} interval
 */
export function isIntraday(interval) {
  return "mh".includes(parsed(interval).unit);
}

/**
 * `5m` → `5 minutes`.
 * @param {string} interval
 */
export function inWords(interval) {
  const { count, unit } = parsed(interval);
  return `${count} ${WORDS[unit]}${count === 1 ? "" : "s"}`;
}

/** @param {string} interval */
function parsed(interval) {
  const found = LENGTH.exec(interval);
  if (!found) throw new RangeError(`${interval} is no interval`);
  return { count: Number(found[1]), unit: /** @type {keyof typeof SECONDS} */ (found[2]) };
}
