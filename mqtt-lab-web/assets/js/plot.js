// Drawing one series into a canvas: as a line, as steps, as a lane of on and off.

/**
 * @typedef {import("./series.js").Series} Series
 * @typedef {{from: number, to: number, left: number, right: number, top: number, bottom: number,
 *   low: number, high: number}} Frame  the plotted area in pixels, and the times and values at its edges
 * @typedef {{series: Series, shape: "line" | "step" | "lane", holds: boolean, heldUntil: number, gapMs: number,
 *   color: string, off: string}} Trace
 */

const LANE_HEIGHT = 0.6;

/** @param {Frame} frame @param {number} time */
export const xOf = (frame, time) =>
  frame.left + ((time - frame.from) / (frame.to - frame.from)) * (frame.right - frame.left);

/** @param {Frame} frame @param {number} value */
export const yOf = (frame, value) =>
  frame.bottom - ((value - frame.low) / (frame.high - frame.low)) * (frame.bottom - frame.top);

/** Lowest and highest value in view, null when there is none. @param {Trace} trace @param {number} from @param {number} to
 * @returns {[number, number] | null} */
export function extent({ series, holds }, from, to) {
  let low = Infinity;
  let high = -Infinity;
  const first = series.lowerBound(from);
  for (let i = holds ? Math.max(0, first - 1) : first; i < series.length && series.times[i] <= to; i += 1) {
    const value = series.values[i];
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** Draws a trace. @param {CanvasRenderingContext2D} ctx @param {Frame} frame @param {Trace} trace */
export function draw(ctx, frame, trace) {
  ctx.lineWidth = 1.5;
  ctx.lineJoin = "round";
  ctx.strokeStyle = trace.color;
  ctx.fillStyle = trace.color;
  if (trace.shape === "lane") lane(ctx, frame, trace);
  else if (trace.shape === "step") steps(ctx, frame, trace);
  else line(ctx, frame, trace);
}

/**
 * A line, broken at gaps. Samples in the same pixel column become one stroke from lowest to highest.
 * @param {CanvasRenderingContext2D} ctx @param {Frame} frame @param {Trace} trace
 */
function line(ctx, frame, { series, gapMs }) {
  const { times, values } = series;
  const xScale = (frame.right - frame.left) / (frame.to - frame.from);
  const yScale = (frame.bottom - frame.top) / (frame.high - frame.low);
  const alone = [];
  let column = -Infinity, low = 0, high = 0, y = 0, before = -Infinity, inPiece = 0;
  const flush = () => {
    if (high - low > 1) { ctx.lineTo(column, low); ctx.lineTo(column, high); }
    ctx.lineTo(column, y);
  };
  ctx.beginPath();
  for (let i = Math.max(0, series.lowerBound(frame.from) - 1); i < series.length && times[i] <= frame.to; i += 1) {
    const x = frame.left + (times[i] - frame.from) * xScale;
    const gap = times[i] - before > gapMs;
    before = times[i];
    const next = frame.bottom - (values[i] - frame.low) * yScale;
    if (!gap && x - column < 0.7) {
      low = Math.min(low, next);
      high = Math.max(high, next);
      y = next;
      inPiece += 1;
      continue;
    }
    if (inPiece) flush();
    if (gap) {
      if (inPiece === 1) alone.push(column, y);
      inPiece = 0;
      ctx.moveTo(x, next);
    }
    inPiece += 1;
    column = x;
    low = high = y = next;
  }
  if (inPiece) flush();
  if (inPiece === 1) alone.push(column, y);
  ctx.stroke();
  for (let i = 0; i < alone.length; i += 2) dot(ctx, alone[i], alone[i + 1], 1.5);
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} radius */
export function dot(ctx, x, y, radius) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
}

/** Calls `piece` for each stretch of time in view with its value: from one sample to the next, a gap or the end.
 * @param {Frame} frame @param {Trace} trace @param {(x0: number, x1: number, value: number, joined: boolean) => void} piece */
function stretches(frame, { series, holds, heldUntil, gapMs }, piece) {
  const { times, values, length } = series;
  let ended = NaN;
  for (let i = Math.max(0, series.lowerBound(frame.from) - 1); i < length && times[i] <= frame.to; i += 1) {
    const next = i + 1 < length ? times[i + 1] : Math.max(times[i], Math.min(frame.to, heldUntil));
    const silent = !holds && next - times[i] > gapMs;
    const end = silent ? times[i] + gapMs / 3 : next;
    if (end >= frame.from) {
      const x0 = Math.max(frame.left, xOf(frame, times[i]));
      piece(x0, Math.min(frame.right, xOf(frame, end)), values[i], ended === times[i]);
    }
    ended = end;
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {Frame} frame @param {Trace} trace */
function steps(ctx, frame, trace) {
  ctx.beginPath();
  stretches(frame, trace, (x0, x1, value, joined) => {
    const y = yOf(frame, value);
    if (joined) ctx.lineTo(x0, y);
    else ctx.moveTo(x0, y);
    ctx.lineTo(x1, y);
  });
  ctx.stroke();
}

/** On is a filled block, off a thin line: told apart without colour. Short pulses keep a visible width.
 * @param {CanvasRenderingContext2D} ctx @param {Frame} frame @param {Trace} trace */
function lane(ctx, frame, trace) {
  const height = Math.round((frame.bottom - frame.top) * LANE_HEIGHT);
  const top = frame.bottom - height;
  const off = () => { ctx.fillStyle = trace.off; };
  stretches(frame, trace, (x0, x1, value) => {
    if (value) return;
    off();
    ctx.fillRect(x0, frame.bottom - 2, x1 - x0, 2);
  });
  ctx.fillStyle = trace.color;
  stretches(frame, trace, (x0, x1, value) => {
    if (value) ctx.fillRect(x0, top, Math.max(1.5, x1 - x0), height);
  });
}
