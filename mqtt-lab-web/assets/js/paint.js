// When canvases are drawn: in an animation frame, when visible, when something changed.

import { onTheme } from "./theme.js";

/**
 * @typedef {{canvas: HTMLCanvasElement, ctx: CanvasRenderingContext2D, width: number, height: number, ratio: number,
 *   dirty: boolean, visible: boolean, draw: (ctx: CanvasRenderingContext2D, width: number, height: number) => boolean}} Entry
 */

/** @type {Map<Element, Entry>} */
const entries = new Map();
/** @type {Set<() => void>} */
const tasks = new Set();
let frame = 0;
let sawData = false;

/**
 * Draws `canvas` by `draw(ctx, width, height)` (CSS pixels) until `signal` aborts.
 * `draw` clears what it draws anew, and returns whether there was data to show.
 * @param {HTMLCanvasElement} canvas @param {Entry["draw"]} draw @param {AbortSignal} signal
 */
export function watch(canvas, draw, signal) {
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  entries.set(canvas, { canvas, ctx, width: 0, height: 0, ratio: 0, dirty: true, visible: false, draw });
  sizes.observe(canvas);
  views.observe(canvas);
  signal.addEventListener("abort", () => {
    entries.delete(canvas);
    sizes.unobserve(canvas);
    views.unobserve(canvas);
  });
}

/** @type {WeakMap<CanvasRenderingContext2D, string>} */
const fonts = new WeakMap();

/** Sets the font unless it is set: the browser parses it each time, and that costs more than the text.
 * @param {CanvasRenderingContext2D} ctx @param {string} font */
export function setFont(ctx, font) {
  if (fonts.get(ctx) === font) return;
  ctx.font = font;
  fonts.set(ctx, font);
}

/** @type {WeakMap<CanvasRenderingContext2D, string>} */
const kept = new WeakMap();

/** Whether what `key` describes is not on the canvas yet; asked again, it is. For what changes seldom and costs much.
 * @param {CanvasRenderingContext2D} ctx @param {string} key */
export function isNew(ctx, key) {
  if (kept.get(ctx) === key) return false;
  kept.set(ctx, key);
  return true;
}

/** Says that what `canvas` shows has changed. @param {Element} canvas */
export function touch(canvas) {
  const entry = entries.get(canvas);
  if (!entry) return;
  entry.dirty = true;
  if (entry.visible) schedule();
}

/** Runs `task` once in the next animation frame, however often it is asked for. @param {() => void} task */
export function nextFrame(task) {
  tasks.add(task);
  schedule();
}

function schedule() {
  frame ||= requestAnimationFrame(flush);
}

function flush() {
  const due = [...tasks];
  tasks.clear();
  try {
    for (const task of due) task();
    for (const entry of entries.values()) if (entry.dirty && entry.visible && entry.width > 0) paint(entry);
  } finally {
    // Only now: what a task touches is drawn in this very frame and asks for no other.
    frame = 0;
    if (tasks.size) schedule();
  }
}

/** @param {Entry} entry */
function paint(entry) {
  const { canvas, ctx, width, height } = entry;
  entry.dirty = false;
  const columns = Math.round(width * devicePixelRatio);
  const rows = Math.round(height * devicePixelRatio);
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
    fonts.delete(ctx);
    kept.delete(ctx);
  }
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  if (entry.draw(ctx, width, height) && !sawData) {
    sawData = true;
    performance.mark("first-chart");
  }
}

const sizes = new ResizeObserver((changes) => {
  for (const { target, contentRect } of changes) {
    const entry = entries.get(target);
    if (!entry) continue;
    entry.width = contentRect.width;
    entry.height = contentRect.height;
    touch(target);
  }
});

const views = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    const entry = entries.get(target);
    if (!entry) continue;
    entry.visible = isIntersecting;
    if (isIntersecting && entry.dirty) schedule();
  }
}, { rootMargin: "120px" });

function touchAll() {
  for (const canvas of entries.keys()) touch(canvas);
}

onTheme(touchAll);
addEventListener("resize", touchAll);
