// Numbers, times and values as the reader's language writes them.

import { visible } from "./dom.js";
import { language, t, has } from "./i18n.js";

/** In characters. */
const MAX_TEXT = 200;

/** U+202F: a number never stands on another line than its unit. */
const NARROW_SPACE = "\u202f";
export const UNKNOWN = "?";
export const NO_VALUE = "–";

/** @type {Map<string, any>} Intl objects are slow to make and are needed ten times a second */
const cache = new Map();

/** @template T @param {string} key @param {() => T} make @returns {T} */
function cached(key, make) {
  const full = `${language()} ${key}`;
  if (!cache.has(full)) cache.set(full, make());
  return cache.get(full);
}

/** @param {number} value @param {number} decimals */
export function fixed(value, decimals) {
  const digits = Math.min(12, Math.max(0, decimals));
  return cached(`n${digits}`, () => new Intl.NumberFormat(language(), {
    minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative",
  })).format(value);
}

/** A count that a sender may not make possible: then the word. @param {number | null} value */
export const countOrWord = (value) => (value === null ? t("unknown") : fixed(value, 0));

/** A count. @param {number | null | undefined} value */
export const count = (value) => (value === null || value === undefined ? UNKNOWN : fixed(value, 0));

/** Decimals that say something: the step's, else about three significant digits. @param {number} value @param {any} channel */
function decimalsFor(value, channel) {
  if (channel.datatype === "int") return 0;
  if (channel.step) return decimalsOf(channel.step);
  const size = Math.abs(value);
  if (size >= 10_000) return 0;
  if (size >= 10 || size === 0) return 1;
  return size >= 1 ? 2 : Math.min(6, 2 - Math.floor(Math.log10(size)));
}

/** How many decimals a step such as 0.25 needs. @param {number} step */
export function decimalsOf(step) {
  for (let digits = 0; digits < 8; digits += 1) {
    if (Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) < 1e-9) return digits;
  }
  return 8;
}

/** The shortest form of a number that is very large or small. @param {number} number */
export const scientific = (number) => (number === 0 ? "0"
  : cached("e", () => new Intl.NumberFormat(language(), { notation: "scientific", maximumFractionDigits: 2 })).format(number));

/** @param {number} number @param {any} channel */
function numeric(number, channel) {
  const size = Math.abs(number);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return scientific(number);
  return fixed(number, decimalsFor(number, channel));
}

/** A value without its unit. @param {any} value @param {any} channel */
export function value(value, channel) {
  if (value === null || value === undefined) return NO_VALUE;
  if (typeof value === "number") return numeric(value, channel);
  if (typeof value === "boolean") {
    const own = `bool.${channel.name}.${value}`;
    return t(has(own) ? own : `bool.${value}`);
  }
  return channel.datatype === "choice" ? choice(value, channel) : shortened(String(value), MAX_TEXT);
}

/** The word of a choice as the built-in kinds offer it; another one is shown as the device says it.
 * @param {string | number} word @param {any} channel */
export function choice(word, channel) {
  const key = `choice.${channel.name}.${word}`;
  return has(key) ? t(key) : shortened(String(word), MAX_TEXT);
}

/** The beginning of a text. @param {string} text @param {number} most characters */
export function shortened(text, most) {
  const letters = [...text];
  return letters.length > most ? `${letters.slice(0, most).join("")}…` : text;
}

/** A value with its unit. @param {any} raw @param {any} channel */
export function withUnit(raw, channel) {
  const text = value(raw, channel);
  return channel.unit && typeof raw === "number" ? text + NARROW_SPACE + visible(channel.unit) : text;
}

/** A limit of a channel's range, with the digits it was written with. @param {number} number @param {any} channel */
export function limit(number, channel) {
  const text = cached("l", () => new Intl.NumberFormat(language(), { maximumFractionDigits: 9 })).format(number);
  return channel.unit ? text + NARROW_SPACE + visible(channel.unit) : text;
}

/** @param {number | null} bytes */
export const bytes = (bytes) => (bytes === null ? UNKNOWN : `${count(bytes)}${NARROW_SPACE}B`);

/** A span of time, in its largest whole unit. @param {number} ms */
export function duration(ms) {
  const s = Math.max(0, ms) / 1000;
  const [amount, unit] = s < 120 ? [s, "s"] : s < 7200 ? [s / 60, "min"] : s < 172_800 ? [s / 3600, "h"] : [s / 86_400, "d"];
  return `${count(Math.floor(amount))}${NARROW_SPACE}${t(`unit.${unit}`)}`;
}

/** A short span to the millisecond: how long a command took. @param {number} ms */
export const latency = (ms) => (ms < 1000 ? `${count(Math.round(ms))}${NARROW_SPACE}ms` : `${fixed(ms / 1000, 1)}${NARROW_SPACE}${t("unit.s")}`);

/** A whole number of minutes, hours or days: the width of a chart. @param {number} ms */
export function span(ms) {
  const [amount, unit] = ms < 3_600_000 ? [ms / 60_000, "min"] : ms < 86_400_000 ? [ms / 3_600_000, "h"] : [ms / 86_400_000, "d"];
  return `${fixed(amount, decimalsOf(amount))}${NARROW_SPACE}${t(amount === 1 ? `unit.1${unit}` : `unit.${unit}`)}`;
}

/** @param {number} ms @param {Intl.DateTimeFormatOptions} options */
function date(ms, options) {
  return cached(`d${JSON.stringify(options)}`, () => new Intl.DateTimeFormat(language(), { hourCycle: "h23", ...options })).format(ms);
}

/** Time of day. @param {number} ms */
export const time = (ms) => date(ms, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Date and time of day. @param {number} ms */
export const dateTime = (ms) => date(ms, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** A tick of a time axis whose ticks are `stepMs` apart. @param {number} ms @param {number} stepMs */
export function tick(ms, stepMs) {
  if (stepMs >= 86_400_000) return date(ms, { day: "numeric", month: "short" });
  return stepMs >= 60_000 ? date(ms, { hour: "2-digit", minute: "2-digit" }) : time(ms);
}
