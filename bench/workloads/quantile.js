/**
 * @param {number[]} values
 * @param {number} share 0.5 for the median.
 */
export function quantile(values, share) {
  const sorted = [...values].sort((one, two) => one - two);
  const place = (sorted.length - 1) * share;
  const low = sorted[Math.floor(place)] ?? NaN;
  const high = sorted[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - Math.floor(place));
}
