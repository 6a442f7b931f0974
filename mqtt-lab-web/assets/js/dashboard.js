// The dashboard: a card per device, in groups.

import * as api from "./api.js";
import { liveWindowMs, reachMs, shapeOf } from "./cadence.js";
import { fetchLines, hasLines } from "./channel.js";
import { now } from "./clock.js";
import { el, setText } from "./dom.js";
import { cardGroups } from "./groups.js";
import { t } from "./i18n.js";
import { nextFrame } from "./paint.js";
import { cardPlaces } from "./places.js";
import { matching, nothingFound, search } from "./search.js";
import { keyOf, on, seriesOf, sortedDevices, state } from "./store.js";

const TICK_MS = 1_000;
const LOADED_WITH_RECENT_MS = 60_000;
const HISTORY_POINTS = 600;

let showHidden = false;
/** @type {Set<number>} series whose longer past is here already */
const fetched = new Set();

/** @param {HTMLElement} main @param {AbortSignal} signal */
export function mountDashboard(main, signal) {
  const places = cardPlaces((key) => state.devices.get(key), (element) => seen.observe(element), signal);
  const groups = cardGroups(places.of, signal);
  const status = el("div", { class: "status" });
  const hidden = hiddenToggle(() => { showHidden = !showHidden; build(); });
  const finder = search(() => build(), signal);
  /** @type {Map<string, boolean>} what to show in the next frame; true: all of the card, not only samples */
  const dirty = new Map();
  main.append(finder.element, status, groups.element, hidden.element);

  /** For the code of the lines that cards may have: a card does not grow once it is shown. */
  let waits = /** @type {"not yet" | "now" | "no more"} */ ("not yet");

  function build() {
    if (signal.aborted || waits === "now") return;
    const all = sortedDevices();
    if (waits === "not yet" && all.some(hasLines)) {
      waits = "now";
      fetchLines().then(() => { waits = "no more"; build(); });
      return;
    }
    const visible = showHidden ? all : all.filter((device) => !device.hidden);
    const shown = matching(visible);
    places.keep(visible);
    groups.show(shown);
    finder.update(shown.length, visible.length);
    hidden.update(all.filter((device) => device.hidden).length);
    status.replaceChildren(...(shown.length ? [] : [visible.length ? nothingFound() : placeholder()]));
    if (state.loaded) document.documentElement.dataset.ready = "true";
  }

  // A card that comes into view fetches what its chart shows beyond the minute everyone has.
  const seen = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      const device = state.devices.get(/** @type {HTMLElement} */ (target).dataset.device ?? "");
      if (device) fetchPast(device).then(() => { dirty.set(keyOf(device), true); nextFrame(flush); });
    }
  });

  function flush() {
    if (signal.aborted) return;
    for (const [key, whole] of dirty) {
      const device = state.devices.get(key);
      const shown = places.card(key);
      if (device && shown) whole ? shown.update(device) : shown.sample(device);
    }
    dirty.clear();
  }

  // Once for all devices that come in a frame.
  on("list", () => nextFrame(build), signal);
  on("device", (key) => {
    const device = state.devices.get(key);
    if (device) places.renew(device);
    dirty.set(key, true);
    nextFrame(flush);
  }, signal);
  on("samples", (keys) => {
    for (const key of keys) if (!dirty.has(key)) dirty.set(key, false);
    nextFrame(flush);
  }, signal);
  on("lab", () => { if (!state.devices.size) build(); }, signal);
  on("connection", build, signal);
  // Ages tick, and the charts of silent devices move on with the time.
  const ticking = setInterval(() => {
    if (state.connection === "reconnecting") return;
    for (const key of places.filled()) dirty.set(key, true);
    nextFrame(flush);
  }, TICK_MS);
  signal.addEventListener("abort", () => {
    clearInterval(ticking);
    seen.disconnect();
  });
  build();
}

/** @param {import("./store.js").Device} device */
async function fetchPast(device) {
  const windowMs = liveWindowMs(device);
  if (windowMs <= LOADED_WITH_RECENT_MS && !device.hidden) return;
  const wanted = device.channels.filter(({ series, name }) => series !== null && !fetched.has(series) && !name.startsWith("$"));
  await Promise.all(wanted.map(async (channel) => {
    const series = /** @type {number} */ (channel.series);
    if (!shapeOf(device, channel)) return;
    fetched.add(series);
    const answer = await api.points(series, now() - reachMs(channel, windowMs), now(), HISTORY_POINTS).catch(() => null);
    if (answer) seriesOf(series).add(answer.points);
    else fetched.delete(series);
  }));
}

/** @param {() => void} toggle */
function hiddenToggle(toggle) {
  const box = el("input", { type: "checkbox", id: "show-hidden", onchange: toggle });
  box.checked = showHidden;
  const words = el("label", { for: "show-hidden" });
  const element = el("p", { class: "hidden-toggle" }, box, words);
  return {
    element,
    /** @param {number} number */
    update(number) {
      element.hidden = number === 0;
      setText(words, t("dashboard.show-hidden", { count: number }));
    },
  };
}

/** What stands where no card is: loading, unreachable or empty with the next thing to do. */
function placeholder() {
  if (!state.loaded) {
    const gone = state.connection === "reconnecting";
    return el("div", { class: "placeholder", role: "status" },
      el("h2", {}, t(gone ? "dashboard.unreachable" : "dashboard.loading")),
      gone ? el("p", {}, t("dashboard.unreachable.explain")) : null);
  }
  const command = `mosquitto_pub ${brokerOptions()} -t ${state.lab?.root ?? "lab"}/demo/mine/temperature -m 21.5`;
  return el("div", { class: "placeholder" },
    el("h2", {}, t("dashboard.empty")),
    el("p", {}, t("dashboard.empty.explain")),
    el("pre", { tabindex: "0", role: "group", "aria-label": t("dashboard.empty.command") }, el("code", {}, command)),
    el("p", {}, t("dashboard.empty.more")));
}

/** The broker as command line options; one that listens everywhere is reached as this page was. */
function brokerOptions() {
  const [, host = "127.0.0.1", port = "1883"] = /^\[?(.*?)\]?:(\d+)$/.exec(state.lab?.broker.address ?? "") ?? [];
  return `-h ${["0.0.0.0", "::"].includes(host) ? location.hostname : host} -p ${port}`;
}
