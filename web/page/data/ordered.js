// Searching in lists that have an order.

/**
 * The index of the first entry that is not before the place sought; the length if all are.
 * @template T
 * @param {T[]} entries
 * @param {(entry: T) => boolean} isBefore true for entries up to some place, false from there on
 */
export function firstFrom(entries, isBefore) {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(entries[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}
