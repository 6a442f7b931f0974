// One channel as a card shows it: value, what is remarkable about it, control, live chart with its range.

import { liveWindowMs, shapeOf } from "./cadence.js";
import { drawLive } from "./chart.js";
import { now } from "./clock.js";
import { control } from "./controls.js";
import { el, setData, setText } from "./dom.js";
import { duration, span, time, value as formatValue } from "./format.js";
import { t } from "./i18n.js";
import { channelName, isOutput } from "./names.js";
import { touch, watch } from "./paint.js";

/** A value with its unit, kept up to date in place. @param {any} channel */
export function reading(channel) {
  const value = el("span", { class: "value", data: { value: "" } });
  const swatch = channel.datatype === "color" ? el("span", { class: "swatch" }) : null;
  const element = el("p", { class: "reading", data: { datatype: channel.datatype } }, swatch, value);
  if (channel.unit) element.append("\u202f", el("span", { class: "unit" }, channel.unit));
  return {
    element,
    /** @param {any} next */
    update(next) {
      setText(value, formatValue(next.value, next));
      setData(value, "raw", JSON.stringify(next.value));
      if (swatch) swatch.style.backgroundColor = next.value ?? "transparent";
    },
  };
}

/** That the last message had no value, and how old the value is that is shown. */
export function absence() {
  const age = el("p", { class: "value-age" });
  const element = el("div", { class: "absence", hidden: true }, el("p", { class: "no-reading" }, t("channel.no-reading")), age);
  return {
    element,
    /** @param {import("./store.js").Channel} next */
    update(next) {
      element.hidden = !next.no_reading;
      if (next.no_reading) setText(age, next.time_ms === null ? "" : t("channel.value-age", { time: duration(now() - next.time_ms) }));
    },
  };
}

/** @type {typeof import("./problem.js") | null} */
let code = null;

/** Fetches the code of the lines below, which most labs never need. */
export async function fetchLines() {
  code ??= await import("./problem.js").catch(() => null);
  await code?.loadReasons();
}

/** Lines that few devices have something to write into.
 * @template T @param {string} name @param {(next: T) => boolean} isNeeded
 * @param {(problem: typeof import("./problem.js")) => {elements: HTMLElement[], update: (next: T) => boolean}} make */
function linesOnDemand(name, isNeeded, make) {
  const element = el("div", { class: name, hidden: true });
  /** @type {ReturnType<typeof make> | null} */
  let lines = null;
  /** @type {T} */
  let newest;
  let isFetching = false;

  function show() {
    if (!lines && code) {
      lines = make(code);
      element.replaceChildren(...lines.elements);
    }
    if (lines) element.hidden = !lines.update(newest);
  }

  return {
    element,
    /** @param {T} next */
    update(next) {
      newest = next;
      if (lines || (code && isNeeded(next))) return show();
      if (isFetching || !isNeeded(next)) return;
      isFetching = true;
      fetchLines().then(() => { isFetching = false; show(); });
    },
  };
}

/** @param {import("./store.js").Channel} channel */
const isNoted = ({ note, proposal, earlier }) => note !== null || proposal !== null || earlier.length > 0;

/** @param {import("./store.js").Device} device */
const isRemarked = ({ refusals, no_readings: empty, clock }) => refusals.length > 0 || empty.length > 0 || clock !== null;

/** Whether a device's card has lines to show. @param {import("./store.js").Device} device */
export const hasLines = (device) => isRemarked(device) || device.channels.some(isNoted);

/** The lines on a device's messages. */
export const deviceRemarks = () => linesOnDemand("remarks", isRemarked, (problem) => problem.remarkLines());

/** The lines on how a channel's values were read. @param {import("./store.js").Device} device */
export const channelNotes = (device) => linesOnDemand("channel-notes", isNoted, (problem) => problem.noteLines(device));

/**
 * @param {import("./store.js").Device} device @param {import("./store.js").Channel} channel
 * @param {{index: number, alone: boolean}} place its colour, and whether it is the card's only channel
 * @param {AbortSignal} signal
 */
export function channelView(device, channel, place, signal) {
  const shape = shapeOf(device, channel);
  const shown = reading(channel);
  const handle = isOutput(device, channel) ? control(device, channel, signal) : null;
  const plot = shape ? livePlot(place, channelName(channel), signal) : null;
  const since = shape ? null : el("p", { class: "since" });
  const absent = absence();
  const notes = channelNotes(device);
  const name = el("h4", { class: "channel-name" }, channelName(channel));
  const element = el("section", {
    class: place.alone ? "channel alone" : "channel", "aria-label": channelName(channel),
    data: { channel: channel.name, shape: shape ?? "none", control: handle ? channel.datatype : "none" },
  }, name, shown.element, absent.element, handle?.element, notes.element, plot?.element, since);
  return {
    element,
    /** @param {any} nextDevice @param {any} next */
    update(nextDevice, next) {
      shown.update(next);
      setData(element, "noReading", String(next.no_reading));
      absent.update(next);
      notes.update(next);
      handle?.update(nextDevice, next);
      plot?.update(nextDevice, next);
      if (since) setText(since, next.time_ms === null ? t("channel.no-value") : t("channel.since", { time: time(next.time_ms) }));
    },
  };
}

/** @param {{index: number, alone: boolean}} place @param {string} name @param {AbortSignal} signal */
function livePlot(place, name, signal) {
  /** @type {any} */ let device = null;
  /** @type {any} */ let channel = null;
  const canvas = el("canvas", { role: "img", "aria-label": name });
  const start = el("span", {});
  const range = el("span", { class: "range-values", data: { range: "" } });
  const caption = el("div", { class: "range" }, start, range, el("span", {}, t("chart.now")));
  const box = el("div", { class: "plot" }, canvas);
  const element = place.alone ? el("div", { class: "live-chart" }, box, caption) : box;
  let captionAt = -Infinity;

  watch(canvas, (ctx, width, height) => {
    if (!device) return false;
    const extent = drawLive(ctx, width, height, device, channel, place.index);
    if (performance.now() - captionAt > 1_000 || !extent) describe(extent);
    return extent !== null;
  }, signal);

  /** @param {[number, number] | null} extent */
  function describe(extent) {
    captionAt = performance.now();
    const window = span(liveWindowMs(device));
    setText(start, `−${window}`);
    setText(range, rangeWords(extent, channel));
    const label = t("chart.label", { name, time: window, range: range.textContent ?? "" });
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
  }

  return {
    element,
    /** @param {any} nextDevice @param {any} nextChannel */
    update(nextDevice, nextChannel) {
      device = nextDevice;
      channel = nextChannel;
      touch(canvas);
    },
  };
}

/** @param {[number, number] | null} extent @param {any} channel */
function rangeWords(extent, channel) {
  if (!extent) return t("chart.nothing");
  const [low, high] = extent;
  if (channel.datatype === "bool") return "";
  const unit = channel.unit ? `\u202f${channel.unit}` : "";
  return t("chart.range", { low: formatValue(low, channel) + unit, high: formatValue(high, channel) + unit });
}
