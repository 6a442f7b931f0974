// The tables of a device page: states, commands, messages without a usable value, settings, last will, counts, boots, channels.

import { describe } from "./controls.js";
import { el, setBadge, topicCode } from "./dom.js";
import { bytes, choice, count, countOrWord, dateTime, duration, fixed, limit, NO_VALUE, time, UNKNOWN, withUnit } from "./format.js";
import { now } from "./clock.js";
import { t } from "./i18n.js";
import { channelName, kindName, wordFor } from "./names.js";
import { clockWords, reasonWords } from "./problem.js";
import { state } from "./store.js";

/** On a phone a row becomes a block of named cells (css/device.css); the roles say that it is a table all the same.
 * @param {string[]} heads @param {(Node | string)[][]} rows @param {string} [caption] */
function table(heads, rows, caption) {
  const cells = (/** @type {(Node | string)[]} */ row) => row.map((cell, index) =>
    el("td", { role: "cell", data: { head: heads[index] } }, el("div", {}, cell)));
  return el("div", { class: "table", tabindex: "0", role: "group", "aria-label": caption ?? heads[0] }, el("table", { role: "table" },
    caption ? el("caption", {}, caption) : null,
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads.map((head) => el("th", { scope: "col", role: "columnheader" }, head)))),
    el("tbody", { role: "rowgroup" }, ...rows.map((row) => el("tr", { role: "row" }, ...cells(row))))));
}

/** @param {string} caption @param {(readonly [string, any, (string | null)?])[]} rows name, value, explanation */
function facts(caption, rows) {
  return el("div", { class: "facts" }, el("h4", {}, caption), el("dl", {}, ...rows.map(([name, value, explain]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value ?? UNKNOWN, explain ? el("p", { class: "explain" }, explain) : null)))));
}

/** @param {string} name @param {string} word @param {string} kind */
function badge(name, word, kind) {
  const element = el("span", { class: kind });
  setBadge(element, name, word);
  return element;
}

/** Why a device came into a state, in words. @param {{state: string, cause: string}} entry */
function causeWords({ state: name, cause }) {
  return wordFor(`cause.${name}`, cause) === cause ? wordFor("cause", cause) : wordFor(`cause.${name}`, cause);
}

/** The device's state as a sentence. @param {any} device @param {any[]} history newest first */
export function stateSentence(device, history) {
  if (device.state === "unknown" || device.state_since_ms === null) return t("sentence.unknown");
  const since = duration(now() - device.state_since_ms);
  const text = t("sentence.state", { state: wordFor("state", device.state), since, time: dateTime(device.state_since_ms) });
  const newest = history.find((entry) => entry.state === device.state);
  return newest && device.state !== "ready" ? `${text} ${causeWords(newest)}.` : text;
}

/** @param {any[]} history newest first */
export function stateRows(history) {
  if (!history.length) return el("p", { class: "quiet" }, t("states.none"));
  return table([t("states.time"), t("states.state"), t("states.cause"), t("states.lasted")], history.map((entry, index) => [
    dateTime(entry.time_ms), badge(entry.state, wordFor("state", entry.state), "state"), causeWords(entry),
    index === 0 ? t("states.until-now") : duration(history[index - 1].time_ms - entry.time_ms),
  ]));
}

/** @param {any[]} commands newest first @param {any} device */
export function commandRows(commands, device) {
  if (!commands.length) return el("p", { class: "quiet" }, t("commands.none"));
  return table([t("commands.time"), t("commands.channel"), t("commands.value"), t("commands.result")], commands.map((command) => {
    const channel = device.channels.find((/** @type {any} */ other) => other.name === command.channel);
    return [time(command.sent_ms), channel ? channelName(channel) : command.channel,
      channel ? withUnit(command.value, channel) : String(command.value), badge(command.state, describe(command, channel), "command-state")];
  }));
}

/** Messages that were refused or had no value, the newest first; null if there were none.
 * @param {import("./store.js").Device} device */
export function messageRows({ refusals, no_readings: empty }) {
  const all = [...refusals, ...empty].sort((a, b) => b.last_ms - a.last_ms);
  if (!all.length) return null;
  const heads = ["time", "channel", "payload", "reason", "count"].map((key) => t(`messages.${key}`));
  const messages = table(heads, all.map((remark) => {
    const { words, lang } = reasonWords(remark.reason ?? "");
    return [
      dateTime(remark.last_ms), remark.channel ? el("code", {}, remark.channel) : t("messages.device"),
      remark.payload ? el("code", {}, remark.payload) : t("remark.empty"),
      el("div", {}, words ? el("span", { lang }, words) : t("channel.no-reading"),
        remark.present ? null : el("p", { class: "quiet" }, t("messages.over"))),
      count(remark.count),
    ];
  }));
  messages.classList.add("whole");
  return messages;
}

/** What is wrong with a device's times and how often it was, empty if nothing ever was. @param {import("./store.js").Device} device */
export function clockSentence(device) {
  const { counts: { wrong_clock: wrong } } = device;
  const words = clockWords(device);
  const often = wrong ? t(wrong === 1 ? "clock.count.1" : "clock.count", { count: count(wrong) }) : "";
  return [words && `${words}.`, often, wrong && !words ? t("clock.over") : ""].filter(Boolean).join(" ");
}

const yesNo = (/** @type {boolean | null} */ value) => (value === null ? UNKNOWN : t(value ? "yes" : "no"));

/** @param {any} device */
export function descriptionTable(device) {
  const { kind, role, trigger, payload, version, keep_alive_s: keepAlive, announced, downgrades } = device;
  return facts(t("settings.device"), [
    [t("settings.id"), device.id], [t("settings.group"), device.group],
    [t("settings.kind"), kind && kindName(kind)], [t("settings.role"), role && wordFor("role", role)],
    [t("settings.trigger"), trigger && wordFor("trigger", trigger)],
    [t("settings.payload"), payload && wordFor("payload", payload), t(payload ? `payload.${payload}.explain` : "payload.none.explain")],
    [t("settings.version"), version && (version === 5 ? "MQTT 5" : "MQTT 3.1.1"),
      downgrades && t("settings.downgrades", { words: downgrades })],
    [t("settings.keep-alive"), keepAlive && `${count(keepAlive)}\u202f${t("unit.s")}`,
      keepAlive ? t("settings.keep-alive.explain", { time: fixed(keepAlive * 1.5, 0) }) : null],
    [t("settings.announced"), yesNo(announced), announced ? null : t("settings.announced.explain")],
  ]);
}

/** @param {any} device */
export function willTable({ will }) {
  if (!will) return facts(t("will.title"), [[t("will.topic"), UNKNOWN, t("will.none")]]);
  return facts(t("will.title"), [
    [t("will.topic"), topicCode(will.topic), t("will.explain")], [t("will.payload"), el("code", {}, String(will.payload))],
    [t("will.qos"), count(will.qos)], [t("will.retain"), yesNo(will.retain ?? null)],
    [t("will.delay"), will.delay_s === null || will.delay_s === undefined ? UNKNOWN : `${count(will.delay_s)}\u202f${t("unit.s")}`],
  ]);
}

/** Those that are counted for each boot. */
const COUNTS = ["received", "stored", "duplicate", "lost", "refused"];

/** @param {any} device */
export function countsTable({ counts }) {
  const explained = (/** @type {string} */ key) => t(["received", "stored"].includes(key) ? `counts.${key}.explain` : `counter.${key}.explain`);
  return facts(t("counts.title"), [...COUNTS, "no_reading", "wrong_clock"].map((key) => /** @type {const} */ ([
    t(`counter.${key}`), countOrWord(counts[key]), counts[key] === null ? t("counts.unknown") : explained(key)])));
}

/** @param {any[]} boots newest first */
export function bootRows(boots) {
  if (!boots.length) return facts(t("boots.title"), [[t("boots.boot"), t("unknown"), t("boots.none")]]);
  const heads = [...["boot", "began", "seen"].map((key) => t(`boots.${key}`)), ...COUNTS.map((key) => t(`counter.${key}`))];
  return table(heads, boots.map((boot) => [el("code", {}, boot.boot), dateTime(boot.began_ms), dateTime(boot.last_seen_ms),
    ...COUNTS.map((key) => count(boot[key]))]), t("boots.title"));
}

/** @param {any} device */
export function channelTable(device) {
  const root = state.lab?.root ?? "lab";
  const heads = ["channel", "topic", "datatype", "range", "qos", "retain", "bytes"].map((key) => t(`channels.${key}`));
  const channels = table(heads, device.channels.map((/** @type {any} */ channel) => [
    channelName(channel), topicCode(`${root}/${device.group}/${device.id}/${channel.name}`),
    wordFor("datatype", channel.datatype) + (channel.settable ? `, ${t("channels.settable")}` : ""),
    rangeWords(channel), count(channel.qos), yesNo(channel.retain), bytes(channel.bytes),
  ]), t("channels.title"));
  // What a device has is looked up here, and has an end: a box to scroll in would only hide it.
  channels.classList.add("whole");
  return channels;
}

/** @param {any} channel */
function rangeWords({ min, max, choices, ...channel }) {
  if (choices) return choices.map((/** @type {string} */ word) => choice(word, channel)).join(", ");
  if (min === null && max === null) return NO_VALUE;
  return `${min === null ? "" : limit(min, channel)} … ${max === null ? "" : limit(max, channel)}`;
}
