// How often a channel speaks, and what follows from it for its chart: width, gaps, whether a value holds.

import { now } from "./clock.js";

const MINUTE_MS = 60_000;
const SHORTEST_GAP_MS = 5_000;

/** The interval its sender announced, in ms; NaN when it has none. @param {import("./store.js").Device} device */
export function announcedIntervalMs(device) {
  const control = device.channels.find((channel) => channel.name === "$interval");
  return device.trigger === "interval" && typeof control?.value === "number" ? control.value * 1000 : NaN;
}

/** How much of the past the live chart of a device shows. @param {import("./store.js").Device} device */
export function liveWindowMs(device) {
  const interval = announcedIntervalMs(device);
  if (Number.isNaN(interval)) return device.trigger === "interval" ? MINUTE_MS : 5 * MINUTE_MS;
  if (interval <= 3_000) return MINUTE_MS;
  return interval <= 15_000 ? 5 * MINUTE_MS : 30 * MINUTE_MS;
}

/** A state stays what it is until the next message; a measurement does not.
 * @param {import("./store.js").Device} device @param {import("./store.js").Channel} channel */
export const holds = (device, channel) => channel.settable || device.trigger === "event";

/** How far back to fetch for a view of `windowMs`: what holds at its beginning was set before it.
 * @param {import("./store.js").Channel} channel @param {number} windowMs */
export const reachMs = (channel, windowMs) => (channel.settable ? Math.max(windowMs, 24 * 60 * MINUTE_MS) : windowMs);

/** Until when a held value is known to be true. @param {import("./store.js").Device} device */
export function heldUntilMs(device) {
  const gone = device.state === "lost" || device.state === "disconnected";
  return gone && device.state_since_ms !== null ? device.state_since_ms : now();
}

/** The silence after which a line is broken: three intervals, five seconds at least.
 * @param {import("./store.js").Device} device @param {import("./series.js").Series} series @param {number} [share] */
export function gapMs(device, series, share = 0.5) {
  const announced = announcedIntervalMs(device);
  const usual = Number.isNaN(announced) || share > 0.5 ? series.usualGap(share) : announced;
  return Math.max(SHORTEST_GAP_MS, 3 * (usual || 0), 3 * (announced || 0));
}

/** How a channel is drawn, null when a chart would say nothing.
 * @param {import("./store.js").Device} device @param {import("./store.js").Channel} channel
 * @returns {"line" | "step" | "lane" | null} */
export function shapeOf(device, channel) {
  if (channel.datatype === "bool") return "lane";
  if (channel.datatype !== "float" && channel.datatype !== "int") return null;
  return holds(device, channel) ? "step" : "line";
}
