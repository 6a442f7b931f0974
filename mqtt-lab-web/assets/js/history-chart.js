// The history chart of one channel: stored points, then live ones, with axes and a crosshair.

import { axisText, domain, traceOf } from "./chart.js";
import { gapMs } from "./cadence.js";
import { now } from "./clock.js";
import { tick } from "./format.js";
import { t } from "./i18n.js";
import { setFont } from "./paint.js";
import { draw, dot, extent, xOf, yOf } from "./plot.js";
import { timeTicks } from "./scale.js";
import { colors } from "./theme.js";

const TOP = 8;

/**
 * @typedef {{device: any, channel: any, series: import("./series.js").Series, index: number, spanMs: number,
 *   offline: [number, number, boolean][], cursor: {time: number | null}}} View
 *   `offline`: from, to, and whether a last will told; `cursor` is shared by all charts of the page
 */

export class HistoryChart {
  /** @param {() => View} view */
  constructor(view) {
    this.view = view;
    /** @type {import("./plot.js").Frame | null} */
    this.frame = null;
    this.gap = { version: -1, ms: 0 };
  }

  /** @param {CanvasRenderingContext2D} ctx @param {number} width @param {number} height */
  draw(ctx, width, height) {
    ctx.clearRect(0, 0, width, height);
    const view = this.view();
    const palette = colors();
    const to = now();
    const from = to - view.spanMs;
    const trace = { ...traceOf(view.device, view.channel, view.series, view.index, palette), gapMs: this.#gap(view) };
    const range = extent(trace, from, to);
    const [low, high, step] = domain(view.channel, range, 4);
    const bottom = height - Math.round(palette.rem * 1.25);
    const right = width - gutter(ctx, palette, trace.shape === "lane" ? [] : [low, high], view.channel, step);
    const frame = { from, to, left: 0, right, top: TOP, bottom, low, high };
    this.frame = frame;
    offline(ctx, frame, view.offline, palette);
    axes(ctx, frame, trace.shape === "lane" || !range ? 0 : step, view.channel, width, palette);
    if (!range) return nothing(ctx, frame, palette);
    draw(ctx, frame, trace);
    this.#crosshair(ctx, frame, view, palette, trace.color);
    return true;
  }

  /** The sample the crosshair points at: the newest at or before it, else the first. @returns {[number, number] | null} */
  sample() {
    const { series, cursor, spanMs } = this.view();
    if (cursor.time === null || !series.length) return null;
    const after = series.lowerBound(cursor.time);
    const left = Math.max(0, after - 1);
    const right = Math.min(after, series.length - 1);
    const nearest = Math.abs(series.times[left] - cursor.time) <= Math.abs(series.times[right] - cursor.time) ? left : right;
    const index = this.view().channel.datatype === "bool" ? left : nearest;
    return series.times[index] >= now() - spanMs * 1.05 ? [series.times[index], series.values[index]] : null;
  }

  /** @param {number} x CSS pixels from the canvas's left edge */
  timeAt(x) {
    const { from, to, left, right } = this.frame ?? { from: 0, to: 1, left: 0, right: 1 };
    return from + (Math.min(Math.max(x, left), right) - left) / (right - left) * (to - from);
  }

  /** Thinned points stand further apart than the sender's interval: measure, and only when they changed. @param {View} view */
  #gap(view) {
    if (this.gap.version !== view.series.version) {
      this.gap = { version: view.series.version, ms: gapMs(view.device, view.series, 0.9) };
    }
    return this.gap.ms;
  }

  /** @param {CanvasRenderingContext2D} ctx @param {import("./plot.js").Frame} frame @param {View} view @param {any} palette @param {string} color */
  #crosshair(ctx, frame, view, palette, color) {
    const sample = this.sample();
    if (!sample || sample[0] < frame.from || sample[0] > frame.to) return;
    const x = xOf(frame, sample[0]);
    ctx.fillStyle = palette.muted;
    ctx.fillRect(Math.round(x), frame.top, 1, frame.bottom - frame.top);
    if (view.channel.datatype === "bool") return;
    ctx.fillStyle = color;
    dot(ctx, x, yOf(frame, sample[1]), 3.5);
  }
}

/** Says that there is nothing to draw. @param {CanvasRenderingContext2D} ctx @param {import("./plot.js").Frame} frame @param {any} palette */
function nothing(ctx, frame, palette) {
  ctx.fillStyle = palette.muted;
  ctx.textAlign = "center";
  ctx.fillText(t("chart.nothing"), (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2);
  return false;
}

/** Shades the time in which the device was away; a last will gets a stroke where it came.
 * @param {CanvasRenderingContext2D} ctx @param {import("./plot.js").Frame} frame @param {[number, number, boolean][]} spans @param {any} palette */
function offline(ctx, frame, spans, palette) {
  for (const [start, end, will] of spans) {
    if (end < frame.from || start > frame.to) continue;
    const x0 = Math.max(frame.left, xOf(frame, start));
    const x1 = Math.min(frame.right, xOf(frame, end));
    ctx.fillStyle = palette.grid;
    ctx.fillRect(x0, frame.top, Math.max(1, x1 - x0), frame.bottom - frame.top);
  }
  ctx.fillStyle = palette.lost;
  for (const [start, , will] of spans) {
    if (will && start >= frame.from && start <= frame.to) ctx.fillRect(xOf(frame, start), frame.top, 1.5, frame.bottom - frame.top);
  }
}

/** Room for the widest number of the axis. @param {CanvasRenderingContext2D} ctx @param {any} palette
 * @param {number[]} ends @param {any} channel @param {number} step */
function gutter(ctx, palette, ends, channel, step) {
  setFont(ctx, `${Math.round(palette.rem * 0.72)}px ${palette.font}`);
  const widest = Math.max(0, ...ends.map((value) => ctx.measureText(axisText(value, channel, step)).width));
  return Math.ceil(Math.max(palette.rem * (ends.length ? 3 : 1), widest + palette.rem * 0.5));
}

/** @param {CanvasRenderingContext2D} ctx @param {import("./plot.js").Frame} frame @param {number} step @param {any} channel @param {number} width @param {any} palette */
function axes(ctx, frame, step, channel, width, palette) {
  const size = Math.round(palette.rem * 0.72);
  setFont(ctx, `${size}px ${palette.font}`);
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  for (let value = frame.low; step > 0 && value <= frame.high + step / 2; value += step) {
    const y = yOf(frame, value);
    ctx.fillStyle = palette.grid;
    ctx.fillRect(frame.left, Math.round(y), frame.right - frame.left, 1);
    ctx.fillStyle = palette.muted;
    ctx.fillText(axisText(value, channel, step), width, y);
  }
  ctx.fillStyle = palette.grid;
  ctx.fillRect(frame.left, frame.bottom, frame.right - frame.left, 1);
  const { times, step: timeStep } = timeTicks(frame.from, frame.to, (frame.right - frame.left) / (palette.rem * 4.5));
  ctx.textAlign = "center";
  const labelY = frame.bottom + palette.rem * 0.75;
  for (const time of times) {
    const x = xOf(frame, time);
    ctx.fillStyle = palette.grid;
    ctx.fillRect(Math.round(x), frame.bottom, 1, 4);
    if (x < palette.rem * 2 || x > frame.right - palette.rem) continue;
    ctx.fillStyle = palette.muted;
    ctx.fillText(tick(time, timeStep), x, labelY);
  }
}
