// The newest samples of one series, in typed arrays: a chart walks them ten times a second.

// So short an array lies in the heap itself: of thousands of series most are never drawn.
const FIRST_CAPACITY = 8;
const LAST_CAPACITY = 65_536;

export class Series {
  /** @param {number} keepMs how much of the past is kept at least */
  constructor(keepMs) {
    this.keepMs = keepMs;
    this.times = new Float64Array(FIRST_CAPACITY);
    this.values = new Float64Array(FIRST_CAPACITY);
    this.length = 0;
    /** Grows with every change, so that a reader sees whether it must look again. */
    this.version = 0;
  }

  /** Time of the newest sample, -Infinity when there is none. */
  get last() {
    return this.length ? this.times[this.length - 1] : -Infinity;
  }

  /** Index of the first sample at or after `timeMs`. @param {number} timeMs */
  lowerBound(timeMs) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Adds one sample; a late one goes to its place, a repeated one is left out. @param {number} timeMs @param {number} value */
  push(timeMs, value) {
    if (this.length === this.times.length) this.#makeRoom();
    const at = timeMs > this.last ? this.length : this.lowerBound(timeMs);
    if (at < this.length) {
      if (this.times[at] === timeMs) return;
      this.times.copyWithin(at + 1, at, this.length);
      this.values.copyWithin(at + 1, at, this.length);
    }
    this.times[at] = timeMs;
    this.values[at] = value;
    this.length += 1;
    this.version += 1;
  }

  /** Forgets samples after `timeMs`: those of a clock that was set back. @param {number} timeMs */
  forgetAfter(timeMs) {
    if (!(this.last > timeMs)) return;
    this.length = this.lowerBound(timeMs);
    this.version += 1;
  }

  /** Adds points as the API gives them. @param {[number, any][]} points */
  add(points) {
    for (const [timeMs, value] of points) if (typeof value !== "string") this.push(timeMs, Number(value));
  }

  /** Forgets what is older than `keepMs`, except one sample: a state holds until the next one. */
  #makeRoom() {
    const old = Math.max(0, this.lowerBound(this.last - this.keepMs) - 1);
    const drop = old > this.length / 4 || this.times.length >= LAST_CAPACITY ? Math.max(old, this.length >> 3) : 0;
    const times = drop ? this.times : new Float64Array(this.times.length * 2);
    const values = drop ? this.values : new Float64Array(this.values.length * 2);
    times.set(this.times.subarray(drop, this.length));
    values.set(this.values.subarray(drop, this.length));
    this.times = times;
    this.values = values;
    this.length -= drop;
  }

  /** The gap between samples that `share` (0 to 1) of all neighbours do not exceed; NaN below three samples.
   * @param {number} share */
  usualGap(share) {
    if (this.length < 3) return NaN;
    const first = Math.max(1, this.length - 2_000);
    const gaps = Float64Array.from({ length: this.length - first }, (_, i) => this.times[first + i] - this.times[first + i - 1]);
    gaps.sort();
    return gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))];
  }
}
