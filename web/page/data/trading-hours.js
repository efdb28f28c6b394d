// When a symbol trades: open or closed now, its zone, its sessions.

import { get, symbolPath } from "./api.js";
import { epochOf, isKnownZone, now } from "./times.js";

const AHEAD = 7 * 86_400; // asked for beyond the newest bar
const MOST = 30 * 366 * 86_400; // of sessions; bars that are older go without

/**
 * @typedef {object} TradingHours
 * @property {string} zone
 * @property {boolean | null} isOpen
 * @property {number | null} nextOpen
 * @property {number | null} nextClose
 * @property {string | null} problem
 */

/**
 * @typedef {object} Sessions in order of time, as columns; `days` are midnights in UTC
 * @property {number[]} opens
 * @property {number[]} closes
 * @property {number[]} days the trading days that they belong to
 */

/**
 * The hours of a symbol; null while no sync has seen them.
 * @param {string} symbol
 * @returns {Promise<TradingHours | null>}
 */
export async function tradingHours(symbol) {
  const answer = await calendarOf(symbol, {});
  return answer && hoursOf(answer);
}

/** A symbol's hours, and its sessions as far back as they were needed. */
export class TradingCalendar {
  /** @param {string} symbol */
  constructor(symbol) {
    this.symbol = symbol;
    /** @type {TradingHours | null} */
    this.hours = null;
    /** @type {Sessions} */
    this.sessions = { opens: [], closes: [], days: [] };
    this.from = Infinity;
    this.to = -Infinity;
    this.asked = Promise.resolve();
  }

  /**
   * Whether the market has opened or closed since its hours were asked for.
   * @param {number} time
   */
  isOutdated(time) {
    const { nextOpen, nextClose } = this.hours ?? {};
    return time >= Math.min(nextOpen ?? Infinity, nextClose ?? Infinity);
  }

  /**
   * Know the hours of now, and all sessions of a range; calls wait for each other.
   * @param {number} from
   * @param {number} to
   */
  cover(from, to) {
    const run = this.asked.then(() => this.#cover(from, to));
    this.asked = run.catch(() => {});
    return run;
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  async #cover(from, to) {
    const first = Math.max(from, to - MOST);
    if (this.from === Infinity) await this.#ask(first, to + AHEAD);
    if (this.from === Infinity) return; // no sync has seen them
    if (first < this.from) await this.#ask(first, this.from);
    if (to > this.to) await this.#ask(this.to, to + AHEAD);
    if (this.isOutdated(now())) this.hours = await tradingHours(this.symbol);
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  async #ask(from, to) {
    const answer = await calendarOf(this.symbol, { start: isoOf(from), end: isoOf(to) });
    if (!answer) return;
    this.hours = hoursOf(answer);
    if (this.hours.problem) return;
    this.sessions = joined(this.sessions, sessionsOf(answer));
    this.from = Math.min(this.from, from);
    this.to = Math.max(this.to, to);
  }
}

/**
 * @param {string} symbol
 * @param {import("./api.js").Query} query
 */
async function calendarOf(symbol, query) {
  try {
    return await get(`/market-data/calendar/${symbolPath(symbol)}`, query);
  } catch (error) {
    if (/** @type {any} */ (error).status === 404) return null;
    throw error;
  }
}

/** @param {any} answer @returns {TradingHours} */
function hoursOf(answer) {
  return {
    zone: isKnownZone(answer.timezone) ? answer.timezone : "UTC",
    isOpen: answer.is_open,
    nextOpen: epochOf(answer.next_open),
    nextClose: epochOf(answer.next_close),
    problem: answer.problem ?? (answer.doubts.length ? "its bars do not follow its hours" : null),
  };
}

/** @param {any} answer @returns {Sessions} */
function sessionsOf({ sessions }) {
  const column = (/** @type {string} */ name) =>
    sessions.map((/** @type {any} */ session) => Date.parse(session[name]) / 1000);
  return { opens: column("open"), closes: column("close"), days: column("trading_day") };
}

/**
 * Sessions of two ranges that touch each other; one that lies in both is taken once.
 * @param {Sessions} some
 * @param {Sessions} others
 * @returns {Sessions}
 */
function joined(some, others) {
  if (!some.opens.length || !others.opens.length) return some.opens.length ? some : others;
  const [older, newer] = others.opens[0] < some.opens[0] ? [others, some] : [some, others];
  const last = older.opens[older.opens.length - 1];
  const isNew = newer.opens.map((opened) => opened > last);
  const column = (/** @type {keyof Sessions} */ name) =>
    [...older[name], ...newer[name].filter((_, index) => isNew[index])];
  return { opens: column("opens"), closes: column("closes"), days: column("days") };
}

/** @param {number} epoch */
function isoOf(epoch) {
  return new Date(epoch * 1000).toISOString();
}
