// The live chart of one channel on a card: the last minute or minutes, moving with the time.

import { gapMs, heldUntilMs, holds, liveWindowMs, shapeOf } from "./cadence.js";
import { now } from "./clock.js";
import { scientific, value as formatValue } from "./format.js";
import { isNew, setFont } from "./paint.js";
import { draw, dot, extent, xOf, yOf } from "./plot.js";
import { niceRange } from "./scale.js";
import { state } from "./store.js";
import { colors } from "./theme.js";

// A device's clock may run ahead of the lab's; beyond this it is simply wrong.
const CLOCK_TOLERANCE_MS = 60_000;
const PADDING = 5;
const DOT_RADIUS = 2.5;
/** So many characters fit beside the plot and its dot. */
const WIDEST_LABEL = 5;
const GUTTER_REM = 2.6;

/**
 * Draws a channel's live chart.
 * @param {CanvasRenderingContext2D} ctx @param {number} width @param {number} height
 * @param {import("./store.js").Device} device @param {import("./store.js").Channel} channel
 * @param {number} index which colour of the palette
 * @returns {[number, number] | null} lowest and highest value in view
 */
export function drawLive(ctx, width, height, device, channel, index) {
  const series = channel.series === null ? undefined : state.series.get(channel.series);
  const palette = colors();
  const trace = series && traceOf(device, channel, series, index, palette);
  const ahead = series ? series.last - now() : 0;
  const to = now() + (ahead > 0 && ahead < CLOCK_TOLERANCE_MS ? ahead : 0);
  const from = to - liveWindowMs(device);
  const range = trace ? extent(trace, from, to) : null;
  const lane = channel.datatype === "bool";
  const [low, high, step] = domain(channel, range);
  const ends = lane || !range ? [] : endTexts([high, low], channel, step, width / 2 / letterWidth(palette));
  const gutter = lane ? 4 : gutterFor(ends, width, palette);
  const frame = { from, to, left: 0, right: width - gutter, top: PADDING, bottom: height - PADDING, low, high };
  labels(ctx, frame, width, height, ends, palette);
  grid(ctx, frame, lane, palette);
  if (!trace || !range) return null;
  draw(ctx, frame, trace);
  if (!lane) newest(ctx, frame, trace);
  return range;
}

/** @param {any} device @param {any} channel @param {import("./series.js").Series} series @param {number} index @param {any} palette */
export function traceOf(device, channel, series, index, palette) {
  return {
    series,
    shape: shapeOf(device, channel) ?? "line",
    holds: holds(device, channel),
    heldUntil: heldUntilMs(device),
    gapMs: usualGapMs(device, series),
    color: palette.series[index % palette.series.length],
    off: palette.off,
  };
}

/** @type {WeakMap<object, {at: number, ms: number}>} measuring gaps sorts: once a second is enough */
const gaps = new WeakMap();

/** @param {any} device @param {import("./series.js").Series} series */
function usualGapMs(device, series) {
  const known = gaps.get(series);
  if (known && performance.now() - known.at < 1_000) return known.ms;
  const ms = gapMs(device, series);
  gaps.set(series, { at: performance.now(), ms });
  return ms;
}

// In a wider range a value one sets is a line at its edge.
const WIDEST_RANGE = 10_000;

/** An output is shown over its whole range, a measurement over what it did.
 * @param {any} channel @param {[number, number] | null} range @param {number} [count] steps, about */
export function domain(channel, range, count = 2) {
  if (channel.datatype === "bool") return [0, 1, 1];
  if (channel.settable && channel.min !== null && channel.max !== null && channel.max - channel.min <= WIDEST_RANGE) {
    return [channel.min, channel.max, (channel.max - channel.min) / count];
  }
  const { low, high, step } = niceRange(...(range ?? [0, 1]), count, channel.datatype === "int" ? 1 : 0);
  return [low, high, step];
}

/** @param {CanvasRenderingContext2D} ctx @param {import("./plot.js").Frame} frame @param {boolean} lane @param {any} palette */
function grid(ctx, frame, lane, palette) {
  ctx.fillStyle = palette.grid;
  const ys = lane ? [frame.bottom - 1] : [frame.top, (frame.top + frame.bottom) / 2, frame.bottom];
  for (const y of ys) ctx.fillRect(frame.left, Math.round(y), frame.right - frame.left, 1);
}

/** @param {any} palette */
const letterWidth = (palette) => palette.rem * (GUTTER_REM / WIDEST_LABEL);

/** The ends of the axis in words, shorter ones where `most` letters are too few for them.
 * @param {number[]} ends @param {any} channel @param {number} step @param {number} most */
function endTexts(ends, channel, step, most) {
  const texts = ends.map((end) => axisText(end, channel, step));
  return texts.some((text) => text.length > most) ? ends.map(scientific) : texts;
}

/** The room for the ends of the axis: the same for most charts, so that those of a card stand in line.
 * @param {string[]} ends @param {number} width @param {any} palette */
function gutterFor(ends, width, palette) {
  const longest = Math.max(WIDEST_LABEL, ...ends.map((text) => text.length));
  return Math.round(Math.min(width / 2, longest * letterWidth(palette)));
}

/** Clears the canvas, and writes the ends of the axis at its right edge. Text is what costs most: it is left where it
 * is until it changes. @param {CanvasRenderingContext2D} ctx @param {import("./plot.js").Frame} frame
 * @param {number} width @param {number} height @param {string[]} ends @param {any} palette */
function labels(ctx, frame, width, height, ends, palette) {
  // A text for which there is no room reaches into the plot, which is drawn anew each time.
  const isWide = ends.some((text) => Math.round(text.length * letterWidth(palette)) > width - frame.right);
  if (!isNew(ctx, `${width} ${height} ${palette.muted} ${ends.join(" ")}`) && !isWide) {
    ctx.clearRect(0, 0, frame.right + DOT_RADIUS + 1, height);
    return;
  }
  ctx.clearRect(0, 0, width, height);
  ctx.fillStyle = palette.muted;
  setFont(ctx, `${Math.round(palette.rem * 0.68)}px ${palette.font}`);
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  const inset = palette.rem * 0.18;
  if (ends.length) ctx.fillText(ends[0], width, frame.top + inset);
  if (ends.length) ctx.fillText(ends[1], width, frame.bottom - inset);
}

/** As many decimals as the axis needs, no more. @param {number} number @param {any} channel @param {number} step */
export const axisText = (number, channel, step) => formatValue(number, { ...channel, step });

/** A dot on the newest value. @param {CanvasRenderingContext2D} ctx @param {import("./plot.js").Frame} frame @param {import("./plot.js").Trace} trace */
function newest(ctx, frame, { series, holds: held, heldUntil }) {
  const last = series.length - 1;
  const time = held ? Math.max(series.times[last], Math.min(frame.to, heldUntil)) : series.times[last];
  if (time < frame.from || time > frame.to) return;
  dot(ctx, xOf(frame, time), yOf(frame, series.values[last]), DOT_RADIUS);
}
