// Moments and spans as texts. Every zone is named; UTC is the default everywhere.

const UTC = "UTC";
const DAY = 86_400;

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();
/** @type {Map<string, Map<number, number>>} by zone, at midnights in UTC */
const offsets = new Map();

/** @param {string | null | undefined} iso @returns {number | null} epoch seconds */
export function epochOf(iso) {
  return iso ? Date.parse(iso) / 1000 : null;
}

export function now() {
  return Date.now() / 1000;
}

/**
 * `2026-11-27 14:30`; with `seconds`, `2026-11-27 14:30:05`.
 * @param {number} epoch
 */
export function momentText(epoch, zone = UTC, { seconds = false } = {}) {
  return `${dateText(epoch, zone)} ${clockText(epoch, zone, { seconds })}`;
}

/** @param {number} epoch */
export function dateText(epoch, zone = UTC) {
  const { year, month, day } = partsOf(epoch, zone);
  return `${year}-${month}-${day}`;
}

/** @param {number} epoch */
export function clockText(epoch, zone = UTC, { seconds = false } = {}) {
  const { hour, minute, second } = partsOf(epoch, zone);
  return seconds ? `${hour}:${minute}:${second}` : `${hour}:${minute}`;
}

/**
 * `America/New_York` → `New York`.
 * @param {string} zone
 */
export function zoneText(zone) {
  if (["Etc/UTC", "UTC", "Etc/GMT"].includes(zone)) return UTC;
  return (zone.split("/").pop() ?? zone).replaceAll("_", " ");
}

/** @param {string} zone */
export function isKnownZone(zone) {
  try {
    partsOf(0, zone);
    return true;
  } catch {
    return false;
  }
}

/**
 * A span in its largest unit: `12 s`, `3 min`, `5 h`, `2 d`.
 * @param {number} seconds
 */
export function spanText(seconds) {
  const whole = Math.max(0, seconds);
  if (whole < 90) return `${Math.round(whole)} s`;
  if (whole < 5400) return `${Math.round(whole / 60)} min`;
  if (whole < 172_800) return `${Math.round(whole / 3600)} h`;
  return `${Math.round(whole / 86_400)} d`;
}

/**
 * @param {number} epoch
 * @param {string} zone
 */
function partsOf(epoch, zone) {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone,
      hourCycle: "h23",
      ...{ year: "numeric", month: "2-digit", day: "2-digit" },
      ...{ hour: "2-digit", minute: "2-digit", second: "2-digit" },
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(epoch * 1000).map((part) => [part.type, part.value]));
}

/**
 * Seconds that the zone's clocks are ahead of UTC; quick for many moments of few days.
 * @param {number} epoch
 * @param {string} zone
 */
export function zoneOffset(epoch, zone) {
  if (zone === UTC) return 0;
  const day = Math.floor(epoch / DAY) * DAY;
  const offset = midnightOffset(day, zone);
  return offset === midnightOffset(day + DAY, zone) ? offset : askedOffset(epoch, zone);
}

/**
 * @param {number} midnight in UTC
 * @param {string} zone
 */
function midnightOffset(midnight, zone) {
  let known = offsets.get(zone);
  if (!known) offsets.set(zone, (known = new Map()));
  let offset = known.get(midnight);
  if (offset === undefined) known.set(midnight, (offset = askedOffset(midnight, zone)));
  return offset;
}

/**
 * @param {number} epoch
 * @param {string} zone
 */
function askedOffset(epoch, zone) {
  const { year, month, day, hour, minute, second } = partsOf(epoch, zone);
  const [y, m, d] = [Number(year), Number(month) - 1, Number(day)];
  return Date.UTC(y, m, d, Number(hour), Number(minute), Number(second)) / 1000 - Math.floor(epoch);
}
