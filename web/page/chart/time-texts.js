// Texts of the time axis and the crosshair.

import { TickMarkType } from "../vendor/lightweight-charts.js";
import { clockText, dateText, momentText, zoneOffset, zoneText } from "../data/times.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @typedef {(time: number) => string | null} TradingDayOf null for bars shorter than a day */

/**
 * The text at a mark of the axis; a larger unit where the mark begins one.
 * @param {TradingDayOf} tradingDayOf
 * @param {string} zone
 */
export function markTexts(tradingDayOf, zone) {
  return (/** @type {number} */ time, /** @type {number} */ mark) => {
    const tradingDay = tradingDayOf(time);
    const [year, month, day] = (tradingDay ?? dateText(time, zone)).split("-");
    if (mark === TickMarkType.Year) return year;
    if (mark === TickMarkType.Month) return MONTHS[Number(month) - 1];
    return mark === TickMarkType.DayOfMonth || tradingDay ? String(Number(day)) : clockText(time, zone);
  };
}

/**
 * The time whose date and clock in UTC are those of a bar's trading day, or of its open in the zone.
 * @param {TradingDayOf} tradingDayOf
 * @param {string} zone
 */
export function shownTime(tradingDayOf, zone) {
  return (/** @type {number} */ time) => {
    const tradingDay = tradingDayOf(time);
    return tradingDay ? Date.parse(tradingDay) / 1000 : time + zoneOffset(time, zone);
  };
}

/**
 * The text of a bar's open at the axis.
 * @param {TradingDayOf} tradingDayOf
 * @param {string} zone
 */
export function axisText(tradingDayOf, zone) {
  return (/** @type {number} */ time) => tradingDayOf(time) ?? `${momentText(time, zone)} ${zoneText(zone)}`;
}

/**
 * A bar's trading day, if it is known, and its open in UTC and in the exchange's zone.
 * @param {number} time
 * @param {string | null} tradingDay
 * @param {string} zone
 * @returns {string[]}
 */
export function openTexts(time, tradingDay, zone) {
  const texts = tradingDay ? [`Trading day ${tradingDay}`] : [];
  texts.push(`${momentText(time)} UTC`);
  if (zoneText(zone) === "UTC") return texts;
  const isSameDate = dateText(time) === dateText(time, zone);
  const local = isSameDate ? clockText(time, zone) : momentText(time, zone);
  return [...texts, `${local} ${zoneText(zone)}`];
}
