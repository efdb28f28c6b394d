// Texts of the time axis and the crosshair.

import { TickMarkType } from "../vendor/lightweight-charts.js";
import { isIntraday } from "../data/intervals.js";
import { clockText, dateText, momentText, zoneText } from "../data/times.js";
import { tradingDay } from "../data/trading-hours.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @typedef {import("../data/trading-hours.js").TradingHours} TradingHours */

/**
 * The text at a mark of the axis; a larger unit where the mark begins one.
 * @param {string} interval
 * @param {TradingHours | null} hours
 * @param {string} zone
 */
export function markTexts(interval, hours, zone) {
  return (/** @type {number} */ time, /** @type {number} */ mark) => {
    const date = isIntraday(interval) ? dateText(time, zone) : tradingDay(time, hours);
    const [year, month, day] = date.split("-");
    if (mark === TickMarkType.Year) return year;
    if (mark === TickMarkType.Month) return MONTHS[Number(month) - 1];
    if (mark === TickMarkType.DayOfMonth || !isIntraday(interval)) return String(Number(day));
    return clockText(time, zone);
  };
}

/**
 * The text of a bar's open at the axis.
 * @param {string} interval
 * @param {TradingHours | null} hours
 * @param {string} zone
 */
export function axisText(interval, hours, zone) {
  return (/** @type {number} */ time) =>
    isIntraday(interval) ? `${momentText(time, zone)} ${zoneText(zone)}` : tradingDay(time, hours);
}

/**
 * When a bar opened, in UTC and in the exchange's zone; with its trading day if it is a day or longer.
 * @param {number} time
 * @param {string} interval
 * @param {TradingHours | null} hours
 * @returns {string[]}
 */
export function openTexts(time, interval, hours) {
  const texts = isIntraday(interval) ? [] : [tradingDay(time, hours)];
  texts.push(`${momentText(time)} UTC`);
  if (hours && zoneText(hours.zone) !== "UTC") {
    const isSameDate = dateText(time) === dateText(time, hours.zone);
    const local = isSameDate ? clockText(time, hours.zone) : momentText(time, hours.zone);
    texts.push(`${local} ${zoneText(hours.zone)}`);
  }
  return texts;
}
