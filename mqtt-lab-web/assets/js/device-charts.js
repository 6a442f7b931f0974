// The charts of a device page: every channel over a chosen span, from storage and then live.

import * as api from "./api.js";
import { absence, channelNotes, reading } from "./channel.js";
import { reachMs, shapeOf } from "./cadence.js";
import { AHEAD_MS, now } from "./clock.js";
import { el, setData, setText } from "./dom.js";
import { dateTime, span, time, withUnit } from "./format.js";
import { HistoryChart } from "./history-chart.js";
import { t } from "./i18n.js";
import { channelName, ownChannels, wordFor } from "./names.js";
import { touch, watch } from "./paint.js";
import { DAY } from "./scale.js";
import { Series } from "./series.js";
import { state } from "./store.js";

const SPANS_MS = [60_000, 600_000, 3_600_000, DAY, 7 * DAY];
const POINTS = 2_000;
// Live points are not thinned: a long span is fetched again before they pile up.
const FETCH_AGAIN_MS = 60_000;
const KEY_STEP = 1 / 60;

let chosenSpan = SPANS_MS[1];

/** @param {any} device @param {AbortSignal} signal */
export function historyCharts(device, signal) {
  const cursor = { time: /** @type {number | null} */ (null) };
  /** @type {[number, number, boolean][]} */
  let offline = [];
  const context = { device: () => device, offline: () => offline, cursor, changed: () => touchAll(true), past: false };
  const charts = ownChannels(device).flatMap((channel, index) => [channelChart(channel, index, context, signal),
    ...channel.earlier.map((series) => earlierChart(channel, series, index, context, signal))]);
  const picker = spanPicker((spanMs) => { chosenSpan = spanMs; load(); });
  const element = el("section", { class: "part", "aria-label": t("history.title"), data: { part: "history" } },
    el("header", { class: "part-head" }, el("h3", {}, t("history.title")), picker),
    ...charts.map((chart) => chart.element));

  const load = () => Promise.all(charts.map((chart) => chart.load()));
  const touchAll = (moved = false) => { for (const chart of charts) chart.changed(moved); };
  const again = setInterval(() => { if (chosenSpan > SPANS_MS[1] && !document.hidden) load(); }, FETCH_AGAIN_MS);
  signal.addEventListener("abort", () => clearInterval(again));

  return {
    element,
    load,
    /** @param {any} next */
    update(next) {
      device = next;
      for (const chart of charts) chart.update();
    },
    /** @param {any[]} states newest first */
    setStates(states) {
      const away = new Set(["lost", "disconnected"]);
      offline = states.flatMap((entry, index) => (away.has(entry.state)
        ? [/** @type {[number, number, boolean]} */ ([entry.time_ms, states[index - 1]?.time_ms ?? Infinity, entry.cause === "will"])] : []));
      touchAll();
    },
  };
}

/** @param {(spanMs: number) => void} choose */
function spanPicker(choose) {
  const buttons = SPANS_MS.map((spanMs) => el("button", {
    type: "button", "aria-pressed": String(spanMs === chosenSpan), data: { span: spanMs },
    onclick: () => {
      choose(spanMs);
      for (const button of buttons) button.setAttribute("aria-pressed", String(Number(button.dataset.span) === spanMs));
    },
  }, span(spanMs)));
  return el("div", { class: "segmented", role: "group", "aria-label": t("history.span") }, ...buttons);
}

/** The series of another datatype that a channel had before, folded away.
 * @param {any} channel @param {{series: number, datatype: string}} earlier @param {number} index @param {any} context @param {AbortSignal} signal */
function earlierChart(channel, { series, datatype }, index, context, signal) {
  const title = el("summary", {}, t("history.earlier", { name: channelName(channel), datatype: wordFor("datatype", datatype) }));
  const of = { ...channel, series, datatype, settable: false, value: null, time_ms: null, note: null, no_reading: false, proposal: null };
  const unchanged = { update() {}, changed() {}, async load() {} };
  if (!shapeOf(context.device(), of)) {
    const data = el("a", { href: `/api/v1/series/${series}/points?from_ms=0` }, t("history.earlier.data"));
    return { ...unchanged, element: el("details", { class: "earlier", data: { earlier: datatype } }, title, el("p", {}, data)) };
  }
  const past = { ...context, past: true, device: () => ({ ...context.device(), channels: [of] }) };
  const chart = channelChart(of, index, past, signal);
  const element = el("details", { class: "earlier", data: { earlier: datatype } }, title, chart.element);
  return { ...chart, element };
}

/** @param {any} channel @param {number} index @param {any} context @param {AbortSignal} signal */
function channelChart(channel, index, context, signal) {
  const current = () => context.device().channels.find((/** @type {any} */ other) => other.name === channel.name) ?? channel;
  const shape = shapeOf(context.device(), channel);
  const shown = reading(channel);
  const absent = absence();
  const notes = channelNotes(context.device());
  const readout = el("p", { class: "readout" });
  const canvas = el("canvas", { role: "img", tabindex: "0", "aria-label": t("history.label", { name: channelName(channel) }) });
  const element = el("section", { class: "history", data: { channel: channel.name, shape: shape ?? "none" } },
    el("header", {}, el("h4", {}, channelName(channel)), shown.element, absent.element, readout),
    notes.element,
    shape ? el("div", { class: "plot tall" }, canvas) : null);
  let series = new Series(8 * DAY);
  let lastPulled = -Infinity;

  const chart = new HistoryChart(() => ({
    device: context.device(), channel: current(), series, index, spanMs: chosenSpan, offline: context.offline(), cursor: context.cursor,
  }));
  if (shape) {
    watch(canvas, (ctx, width, height) => chart.draw(ctx, width, height), signal);
    crosshair(canvas, chart, context);
  }

  /** Takes what came live since the last look. */
  function pull() {
    const live = channel.series === null ? undefined : state.series.get(channel.series);
    if (!live) return;
    if (lastPulled > now() + AHEAD_MS) {
      // The lab's clock was set back.
      series.forgetAfter(now() + AHEAD_MS);
      lastPulled = series.last;
    }
    for (let i = live.lowerBound(lastPulled); i < live.length; i += 1) {
      if (live.times[i] > lastPulled) series.push(live.times[i], live.values[i]);
    }
    lastPulled = live.last;
  }

  function showReadout() {
    const sample = shape ? chart.sample() : null;
    const { time_ms: newest } = current();
    const raw = sample && (channel.datatype === "bool" ? Boolean(sample[1]) : sample[1]);
    if (sample) setText(readout, `${dateTime(sample[0])} · ${withUnit(raw, channel)}`);
    else setText(readout, newest === null ? (context.past ? "" : t("channel.no-value")) : t("channel.at", { time: time(newest) }));
  }

  return {
    element,
    async load() {
      if (!shape || channel.series === null) return;
      const to = now();
      const answer = await api.points(channel.series, to - reachMs(channel, chosenSpan), to, POINTS).catch(() => null);
      if (!answer || signal.aborted) return;
      series = new Series(8 * DAY);
      series.add(answer.points);
      lastPulled = series.last;
      pull();
      touch(canvas);
    },
    update() {
      const next = current();
      shown.update(next);
      setData(element, "noReading", String(next.no_reading));
      absent.update(next);
      notes.update(next);
      if (shape) pull();
      this.changed(true);
    },
    /** @param {boolean} words whether the readout may have changed */
    changed(words) {
      if (words) showReadout();
      touch(canvas);
    },
  };
}

/** Pointer, touch and arrow keys move one crosshair through all charts of the page.
 * @param {HTMLCanvasElement} canvas @param {HistoryChart} chart @param {any} context */
function crosshair(canvas, chart, { cursor, changed }) {
  const set = (/** @type {number | null} */ time) => { cursor.time = time; changed(); };
  canvas.addEventListener("pointermove", (event) => set(chart.timeAt(event.offsetX)));
  canvas.addEventListener("pointerdown", (event) => set(chart.timeAt(event.offsetX)));
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") set(null); });
  canvas.addEventListener("blur", () => set(null));
  canvas.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") set(null);
    if (!direction) return;
    event.preventDefault();
    const newest = now();
    const next = (cursor.time ?? newest) + direction * chosenSpan * KEY_STEP * (event.shiftKey ? 5 : 1);
    set(Math.min(newest, Math.max(newest - chosenSpan, next)));
  });
}
