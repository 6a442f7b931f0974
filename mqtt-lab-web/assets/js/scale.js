// Axes: round numbers and round times.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const TIME_STEPS = [
  SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE,
  15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY,
];

/** The smallest of 1, 2, 5 × 10ⁿ that is at least `raw`. @param {number} raw */
export function niceStep(raw) {
  const power = 10 ** Math.floor(Math.log10(raw));
  const ratio = raw / power;
  return (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10) * power;
}

/**
 * A round range around [low, high] with about `count` steps.
 * @param {number} low @param {number} high @param {number} count @param {number} [leastStep]
 * @returns {{low: number, high: number, step: number}}
 */
export function niceRange(low, high, count, leastStep = 0) {
  // A constant value gets a range around it that grows with its size, so that noise is not blown up.
  const least = Math.max(Math.abs(low), Math.abs(high)) * 0.01 || 1;
  const middle = (low + high) / 2;
  const span = Math.max(high - low, least);
  const step = Math.max(leastStep, niceStep(span / count));
  let bottom = Math.floor((middle - span / 2) / step + 1e-9) * step;
  let top = Math.ceil((middle + span / 2) / step - 1e-9) * step;
  if (low >= 0 && bottom < 0) bottom = 0;
  if (top <= bottom) top = bottom + step;
  return { low: bottom, high: top, step };
}

/** Round times in [from, to], at most about `count`, on the reader's own hours and days.
 * @param {number} from @param {number} to @param {number} count
 * @returns {{times: number[], step: number}} */
export function timeTicks(from, to, count) {
  const raw = (to - from) / Math.max(1, count);
  const step = TIME_STEPS.find((candidate) => candidate >= raw) ?? 7 * DAY;
  const shift = new Date(to).getTimezoneOffset() * MINUTE;
  const times = [];
  for (let time = Math.ceil((from - shift) / step) * step + shift; time <= to; time += step) times.push(time);
  return { times, step };
}
