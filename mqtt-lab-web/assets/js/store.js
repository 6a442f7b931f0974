// What the browser knows of the lab: devices, samples, commands. Filled by messages, read by the views.

import { AHEAD_MS, learnNow, now } from "./clock.js";
import { Series } from "./series.js";

const KEEP_MS = 31 * 60_000;
const COMMANDS_KEPT = 200;

/**
 * @typedef {{series: number | null, name: string, label: string | null, datatype: string, unit: string | null,
 *   quantity: string | null, min: number | null, max: number | null, step: number | null, max_len: number | null,
 *   choices: string[] | null, settable: boolean, qos: number | null, retain: boolean | null, value: any,
 *   time_ms: number | null, bytes: number | null, settings: {datatype: string | null, unit: string | null, quantity: string | null, label: string | null, choices: string[]} | null,
 *   described_by: "device" | "framework" | "person" | null, no_reading: boolean,
 *   note: string | null, proposal: string | null, earlier: {series: number, datatype: string}[]}} Channel
 * @typedef {{channel: string, payload: string, reason?: string, count: number, last_ms: number, present: boolean}} Remark
 *   messages of one kind; `channel` is empty for the device's own topic, `reason` is missing for those without a value
 * @typedef {{problem: "ahead" | "never_set" | "no_offset" | "unreadable", ahead_ms: number | null, last_ms: number}} WrongClock
 * @typedef {{name: string, version: string, form: string, loads: number}} Plugin
 * @typedef {{group: string, id: string, name: string | null, label: string | null, kind: string | null,
 *   role: string | null, hidden: boolean, announced: boolean, state: string, state_since_ms: number | null,
 *   error: string | null, last_seen_ms: number | null, trigger: string | null, payload: string | null,
 *   version: number | null, keep_alive_s: number | null, downgrades: string | null, will: any, plugin: Plugin | null, counts: any,
 *   refusals: Remark[], no_readings: Remark[], clock: WrongClock | null, channels: Channel[]}} Device
 */

export const state = {
  /** @type {Map<string, Device>} in any order; `sortedDevices` gives them by group and id */
  devices: new Map(),
  /** @type {Map<number, Series>} */
  series: new Map(),
  /** @type {Map<string, any>} the newest commands by id */
  commands: new Map(),
  /** @type {any} */
  lab: null,
  /** @type {any} what the lab says of itself */
  notice: null,
  /** @type {"connecting" | "live" | "reconnecting"} */
  connection: "connecting",
  loaded: false,
  lastLiveMs: 0,
};

/** The live messages know the notice of now; an answer to a call may be older. */
let noticeIsLive = false;
/** @type {Map<number, [Device, Channel]>} whose channel a series is */
let owners = new Map();
/** @type {Map<string, Set<(detail: any) => void>>} */
const listeners = new Map();

/** Listens to `list`, `device`, `samples`, `lab`, `notice`, `connection`, `command` or `gap` until `signal` aborts.
 * @param {string} topic @param {(detail: any) => void} listener @param {AbortSignal} [signal] */
export function on(topic, listener, signal) {
  const set = listeners.get(topic) ?? new Set();
  listeners.set(topic, set.add(listener));
  signal?.addEventListener("abort", () => set.delete(listener));
}

/** @param {string} topic @param {any} [detail] */
function emit(topic, detail) {
  for (const listener of [...(listeners.get(topic) ?? [])]) listener(detail);
}

/** The name a device is found by: ids may hold any character, a slash only escaped.
 * @param {{group: string, id: string}} device */
export const keyOf = ({ group, id }) => `${group}/${id}`;

/** All devices by group and id. Sorted when they are read: a lab that starts adds thousands one by one. */
export const sortedDevices = () =>
  [...state.devices.values()].sort((a, b) => compare(a.group, b.group) || compare(a.id, b.id));

/** The samples of a series, empty when nothing is known yet. @param {number} id */
export function seriesOf(id) {
  let series = state.series.get(id);
  if (!series) state.series.set(id, (series = new Series(KEEP_MS)));
  return series;
}

/** @param {"connecting" | "live" | "reconnecting"} connection */
export function setConnection(connection) {
  if (connection === "live") state.lastLiveMs = now();
  if (state.connection === connection) return;
  state.connection = connection;
  emit("connection");
}

/** @param {any} lab */
export function setLab(lab) {
  state.lab = lab;
  if ("notice" in lab && !noticeIsLive) setNotice(lab.notice);
  emit("lab");
}

/** @param {any} notice */
function setNotice(notice) {
  state.notice = notice;
  emit("notice");
}

/** What the list of devices has named so far, while its parts come in. @type {Set<string>} */
let listed = new Set();

/** Takes the list of devices, or a part of it: what a whole list does not name is no more.
 * @param {Device[]} list @param {{first: boolean, last: boolean}} [part] */
export function setDevices(list, { first, last } = { first: true, last: true }) {
  const keys = list.map(keyOf);
  if (first) listed = new Set();
  keys.forEach((key, at) => {
    listed.add(key);
    state.devices.set(key, newer(state.devices.get(key), list[at]));
  });
  if (last) for (const key of state.devices.keys()) if (!listed.has(key)) state.devices.delete(key);
  state.loaded = true;
  index(last ? undefined : keys);
  emit("list");
  for (const key of keys) emit("device", key);
}

/** @param {Device} device */
export function setDevice(device) {
  const key = keyOf(device);
  const known = state.devices.get(key);
  listed.add(key);
  state.devices.set(key, newer(known, device));
  index(known ? [key] : undefined);
  if (!known || known.hidden !== device.hidden) emit("list");
  emit("device", key);
}

/** Takes the points of `GET /api/v1/recent`. @param {Record<string, [number, any][]>} points */
export function addRecent(points) {
  for (const [id, list] of Object.entries(points)) seriesOf(Number(id)).add(list);
  emit("samples", new Set(state.devices.keys()));
}

/** Takes one message of the WebSocket. @param {any} message */
export function apply(message) {
  switch (message.type) {
    case "devices": return setDevices(message.devices, message);
    case "device": return setDevice(message.device);
    case "removed": return remove(keyOf(message));
    case "samples": return addSamples(message.samples);
    case "command": return setCommand(message.command);
    case "lab":
      learnNow(message.lab.now_ms);
      return setLab(message.lab);
    case "notice":
      noticeIsLive = true;
      return setNotice(message.notice);
    case "gap": return emit("gap");
  }
}

/** @param {any} command */
export function setCommand(command) {
  const known = state.commands.get(command.id);
  // The answer to the POST may overtake or follow the live message: an ended command stays ended.
  if (known && known.state !== "pending" && command.state === "pending") return;
  state.commands.set(command.id, command);
  if (state.commands.size > COMMANDS_KEPT) state.commands.delete(state.commands.keys().next().value ?? "");
  emit("command", command);
}

/** @param {string} key */
function remove(key) {
  if (!state.devices.delete(key)) return;
  index();
  emit("list");
  emit("device", key);
}

/** @param {[number, number, any, number, number][]} samples */
function addSamples(samples) {
  const touched = new Set();
  for (const [id, timeMs, value, bytes] of samples) {
    if (typeof value !== "string") {
      const series = seriesOf(id);
      if (timeMs < series.last) series.forgetAfter(Math.max(timeMs, now() + AHEAD_MS));
      series.push(timeMs, Number(value));
    }
    const owner = owners.get(id);
    if (!owner) continue;
    const [device, channel] = owner;
    device.last_seen_ms = now();
    channel.bytes = bytes;
    if (!isNewer(channel.time_ms, timeMs)) Object.assign(channel, { value, time_ms: timeMs });
    touched.add(keyOf(device));
  }
  emit("samples", touched);
}

/** Whether a sample is newer than another and not of the future. @param {number | null} timeMs @param {number} otherMs */
const isNewer = (timeMs, otherMs) => timeMs !== null && timeMs > otherMs && timeMs <= now() + AHEAD_MS;

/** `next`, with the values of `known` where those are newer: both travel on their own paths.
 * @param {Device | undefined} known @param {Device} next */
function newer(known, next) {
  for (const channel of next.channels) {
    const old = known?.channels.find((other) => other.name === channel.name);
    if (old && isNewer(old.time_ms, channel.time_ms ?? 0)) {
      Object.assign(channel, { value: old.value, time_ms: old.time_ms, bytes: old.bytes });
    }
  }
  return next;
}

/** @param {Iterable<string>} [keys] */
function index(keys) {
  if (!keys) owners = new Map();
  for (const key of keys ?? state.devices.keys()) {
    const device = /** @type {Device} */ (state.devices.get(key));
    for (const channel of device.channels) {
      if (channel.series === null) continue;
      owners.set(channel.series, [device, channel]);
      const drawable = channel.value !== null && channel.time_ms !== null && typeof channel.value !== "string";
      if (drawable) seriesOf(channel.series).push(/** @type {number} */ (channel.time_ms), Number(channel.value));
    }
  }
}

/** By code unit, as the server sorts. @param {string} a @param {string} b */
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
