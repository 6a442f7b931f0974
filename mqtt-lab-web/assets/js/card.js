// A device on the dashboard: name and state, its channels, and a foot line on how it talks.

import { channelView, deviceRemarks } from "./channel.js";
import { now } from "./clock.js";
import { el, setBadge, setData, setText } from "./dom.js";
import { bytes, count, duration, NO_VALUE, UNKNOWN } from "./format.js";
import { t } from "./i18n.js";
import { deviceName, kindName, ownChannels, wordFor } from "./names.js";
import { showReloaded } from "./plugin.js";
import { deviceHref } from "./router.js";
import { keyOf } from "./store.js";

const CHANNELS_SHOWN = 6;

/** What a card is built from; another signature needs another card. @param {import("./store.js").Device} device */
export const signature = (device) => JSON.stringify([deviceName(device), device.kind, device.role, device.trigger, device.hidden,
  device.channels.map(({ name, label, datatype, unit, min, max, step, choices, settable }) =>
    [name, label, datatype, unit, min, max, step, choices, settable])]);

/** A sensor's control variables stand on its own page. @param {import("./store.js").Device} device */
function cardChannels(device) {
  const own = ownChannels(device);
  const measured = device.role === "sensor" ? own.filter((channel) => !channel.settable) : own;
  return measured.length ? measured : own;
}

/** Fills `element` with a card. @param {HTMLElement} element @param {import("./store.js").Device} device */
export function card(element, device) {
  const abort = new AbortController();
  const all = cardChannels(device);
  const channels = all.slice(0, CHANNELS_SHOWN);
  const alone = channels.length === 1;
  const views = channels.map((channel, index) => channelView(device, channel, { index, alone }, abort.signal));
  const more = all.length - channels.length;
  const badge = el("span", { class: "state" });
  const reloaded = el("span", { class: "state", hidden: true });
  const error = el("p", { class: "device-error", hidden: true });
  const remarks = deviceRemarks();
  const foot = footLine();
  const kind = device.kind && device.kind !== device.id ? ` · ${kindName(device.kind)}` : "";
  element.replaceChildren(
    el("header", { class: "card-head" },
      el("div", { class: "card-name" },
        el("h3", {}, el("a", { href: deviceHref(device) }, deviceName(device))),
        el("p", { class: "id" }, keyOf(device) + kind, device.hidden ? ` · ${t("device.hidden")}` : null)),
      el("div", { class: "card-states" }, badge, reloaded)),
    error,
    el("div", { class: alone ? "channels" : "channels rows" }, ...views.map((view) => view.element),
      views.length ? null : el("p", { class: "quiet" }, t("device.no-channels")),
      more > 0 ? el("a", { class: "more", href: deviceHref(device) }, t(more === 1 ? "device.more.1" : "device.more", { count: more })) : null),
    remarks.element, foot.element);

  return {
    signature: signature(device),
    remove: () => { abort.abort(); element.replaceChildren(); },
    /** Shows new samples: what changes ten times a second. @param {import("./store.js").Device} next */
    sample(next) {
      channels.forEach(({ name }, index) => {
        const channel = next.channels.find((candidate) => candidate.name === name);
        if (channel) views[index].update(next, channel);
      });
    },
    /** Shows everything. @param {import("./store.js").Device} next */
    update(next) {
      setData(element, "state", next.state);
      setBadge(badge, next.state, wordFor("state", next.state));
      showReloaded(reloaded, keyOf(next));
      error.hidden = next.error === null;
      setText(error, next.error === null ? "" : t("device.error", { error: next.error }));
      this.sample(next);
      remarks.update(next);
      foot.update(next);
    },
  };
}

const FOOT = ["age", "qos", "retain", "bytes", "lost", "duplicate"];

function footLine() {
  const figures = new Map(FOOT.map((key) => [key, el("dd", { data: { foot: key } })]));
  const pairs = FOOT.map((key) => el("div", { title: t(`foot.${key}.explain`) }, el("dt", {}, t(`foot.${key}`)), figures.get(key)));
  const element = el("dl", { class: "foot" }, ...pairs);
  return {
    element,
    /** @param {import("./store.js").Device} device */
    update(device) {
      const values = footValues(device);
      FOOT.forEach((key, index) => {
        setText(figures.get(key), values[index]);
        setData(figures.get(key), "alarm", String(key === "lost" && (device.counts.lost ?? 0) > 0));
      });
    },
  };
}

/** In the order of FOOT, of the channels that the card is about: a sensor's control variables, states at QoS 1 or more and retained,
 * would hide how its samples travel. @param {import("./store.js").Device} device */
function footValues(device) {
  const spoken = cardChannels(device).filter((channel) => channel.time_ms !== null);
  const newest = spoken.reduce((best, channel) => (best && (best.time_ms ?? 0) >= (channel.time_ms ?? 0) ? best : channel), spoken[0]);
  const all = (/** @type {(channel: any) => string} */ read) => [...new Set(spoken.map(read))].sort().join("/") || UNKNOWN;
  return [
    device.last_seen_ms === null ? NO_VALUE : duration(now() - device.last_seen_ms),
    all((channel) => (channel.qos === null ? UNKNOWN : String(channel.qos))),
    all((channel) => (channel.retain === null ? UNKNOWN : t(channel.retain ? "yes" : "no"))),
    bytes(newest?.bytes ?? null),
    count(device.counts.lost),
    count(device.counts.duplicate),
  ];
}
