// The lab's clock as the browser knows it: a phone may be minutes off, and every age would be wrong.

// The Date header counts whole seconds; a smaller difference is not worth a correction.
const TOLERANCE_MS = 2_000;

let offsetMs = 0;

/** Learns the server's clock from an answer's `Date` header. @param {string | null} date */
export function learn(date) {
  const serverMs = date ? Date.parse(date) + 500 : NaN;
  if (Number.isNaN(serverMs)) return;
  learnNow(serverMs);
}

/** Learns it from a message that was just sent. @param {number | undefined} serverMs */
export function learnNow(serverMs) {
  if (serverMs === undefined) return;
  const difference = serverMs - Date.now();
  offsetMs = Math.abs(difference) > TOLERANCE_MS ? difference : 0;
}

/** How far ahead of the lab's clock, as far as it is known here, a sample may be; one beyond is of a clock that was set back since. */
export const AHEAD_MS = 2 * TOLERANCE_MS;

/** Now, in the server's milliseconds since the Unix epoch. */
export function now() {
  return Date.now() + offsetMs;
}
