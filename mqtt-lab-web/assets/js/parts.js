// The parts of the lab: their names, and why one does not work, in the reader's language.

import { now } from "./clock.js";
import { count, dateTime, time } from "./format.js";
import { has, t } from "./i18n.js";
import { wordFor } from "./names.js";

const WITHOUT_DATE_MS = 12 * 3_600_000;

/** @typedef {{part: string, essential: boolean, error: string | null, since_ms: number | null, waiting: number,
 *   restarts: number, panics: number, last_panic: string | null}} Part */

/** @param {string} part */
export const partName = (part) => wordFor("part", part);

/** Why a part does not work. What the lab says in English is told in the reader's language if its words are known.
 * @param {string} error "disk full (error returned from database: …)"
 * @returns {{words: string, details: string}} `details`: the message of the system, in parentheses */
export function causeOf(error) {
  const [, words, details] = /^(.*?)( \(.*\))$/s.exec(error) ?? [error, error, ""];
  const [, name, rest] = /^([^:]*)(.*)$/s.exec(words) ?? [words, words, ""];
  const [n] = /\d+/.exec(name) ?? [""];
  const key = `part-cause.${name.replace(n || "{n}", "{n}")}`;
  if (!has(key)) return { words, details };
  const said = t(key, { n, rest: rest.replace(/^: /, "") });
  // Where the words do not hold the rest, it follows them.
  return { words: t(key).includes("{rest}") ? said : said + rest, details };
}

/** Since when a part does not work. @param {number | null} ms */
export function sinceWords(ms) {
  if (ms === null) return "";
  return t("part.since", { time: now() - ms < WITHOUT_DATE_MS ? time(ms) : dateTime(ms) });
}

/** How many messages wait in memory for a part. @param {number} waiting */
export const waitingWords = (waiting) =>
  (waiting ? t(waiting === 1 ? "part.waiting.1" : "part.waiting", { count: count(waiting) }) : "");
