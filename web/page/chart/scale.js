// The scale of prices, as the address names it.

/** @typedef {"price" | "log" | "percent"} Scale */

/**
 * In per cent while symbols are compared, unless the address says otherwise.
 * @param {URLSearchParams} query
 * @returns {Scale}
 */
export function scaleOf(query) {
  const named = query.get("scale");
  if (named === "price" || named === "log" || named === "percent") return named;
  return plainScale(query);
}

/**
 * The scale where the address names none.
 * @param {URLSearchParams} query
 * @returns {Scale}
 */
export function plainScale(query) {
  return query.has("compare") ? "percent" : "price";
}
