// What the lab remarks on calls, messages and values, in the page's language. The lab gives its reasons in English; a
// call's problem is also named by `type` and `values`. Fetched when there is something to say.

import * as api from "./api.js";
import { announce } from "./announce.js";
import { now } from "./clock.js";
import { reason } from "./controls.js";
import { el, setText } from "./dom.js";
import { duration, shortened } from "./format.js";
import { extend, has, language, t } from "./i18n.js";
import { channelName, wordFor } from "./names.js";
import { deviceHref } from "./router.js";
import { setDevice } from "./store.js";

const NAMED = "urn:mqtt-lab:problem:";
const OF_THE_LAB = "en";
const PAYLOAD_CHARS = 32;
/** A time ahead by so much less was sent by a clock that is ahead by a round figure, in ms. */
const TRAVEL_MS = 1_000;
/** A refusal is shown at least this long, in ms: the card does not jump when every second message is refused. */
const REFUSAL_MS = 10_000;
/** A note outlives its message by this, in ms: it does not flicker when only some messages deserve it. */
const NOTE_MS = 10_000;

/** The words of a problem (RFC 9457), of which there may be none.
 * @param {{type?: string, title?: string, detail?: string, values?: any} | null} problem @returns {Promise<string | undefined>} */
export async function inWords(problem) {
  const said = problem?.detail ?? problem?.title;
  if (!problem?.type?.startsWith(NAMED) || language() === OF_THE_LAB) return said;
  const key = `problem.${problem.type.slice(NAMED.length)}`;
  // Without the words, those of the lab are better than none.
  if (!has(key)) await extend("problems").catch(() => {});
  if (!has(key)) return said;
  const { expected, ...values } = problem.values ?? {};
  return t(key, expected ? { ...values, expected: t(`problem.expected.${expected}`, values) } : values);
}

/** Quoted words, lists of them, and numbers: what varies in a reason. */
const VARIABLE = /`[^`]*`(?:, `[^`]*`)*|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g;
/** The payload at the end of a reason, which is shown beside it anyway. */
const PAYLOAD = /, not `.*`$/s;

/** Loads the words of the reasons. Without them, those of the lab are shown. */
export async function loadReasons() {
  if (language() !== OF_THE_LAB && !has("part.clock")) await extend("parts").catch(() => {});
}

/** Why a message was refused. @param {string} reason @returns {{words: string, lang: string}} */
export function reasonWords(reason) {
  const said = reason.replace(PAYLOAD, "");
  const own = language();
  if (own === OF_THE_LAB || !said) return { words: said, lang: own };
  /** @type {string[]} */
  const values = [];
  const key = `refusal.${said.replace(VARIABLE, (found) => `{${values.push(found) - 1}}`)}`;
  return has(key) ? { words: t(key, { ...values }), lang: own } : { words: said, lang: OF_THE_LAB };
}

/** What is wrong with a device's messages, a line each: the newest refusal, a channel that never had a value, the clock. */
export function remarkLines() {
  const refused = messageLine("refused");
  const more = el("a", { class: "more", hidden: true });
  const silent = messageLine("no-reading");
  const clock = el("p", { class: "remark", hidden: true, data: { remark: "clock" } });
  const elements = [refused.element, more, silent.element, clock];
  return {
    elements,
    /** Returns whether there is a line to show. @param {import("./store.js").Device} device */
    update(device) {
      const refusals = device.refusals.filter(({ present, last_ms }) => present || now() - last_ms < REFUSAL_MS);
      refused.update(refusals.at(-1));
      more.hidden = refusals.length < 2;
      if (!more.hidden) {
        more.href = deviceHref(device);
        setText(more, t(refusals.length === 2 ? "remark.more.1" : "remark.more", { count: refusals.length - 1 }));
      }
      silent.update(device.no_readings.findLast(({ present, channel }) => present && !device.channels.some(({ name }) => name === channel)));
      const words = clockWords(device);
      clock.hidden = words === null;
      setText(clock, words === null ? "" : `${words}.`);
      return elements.some(({ hidden }) => !hidden);
    },
  };
}

/** What is wrong with the times that a device sends, null if nothing is. @param {import("./store.js").Device} device */
export function clockWords({ clock, counts }) {
  if (!clock) return null;
  // Of a device that numbers its samples the lab knows how far its clock is off.
  const numbered = counts.lost !== null && clock.problem !== "no_offset";
  const cause = t(`clock.${clock.problem}`, { time: duration((clock.ahead_ms ?? 0) + TRAVEL_MS) });
  return `${cause}: ${t(numbered ? "clock.corrected" : "clock.stamped")}`;
}

/** @param {"refused" | "no-reading"} kind */
function messageLine(kind) {
  const [head, payload, why] = [el("span"), el("code"), el("span")];
  const element = el("p", { class: "remark", hidden: true, data: { remark: kind } }, head, " ", payload, why);
  return {
    element,
    /** @param {import("./store.js").Remark | undefined} remark */
    update(remark) {
      element.hidden = !remark;
      if (!remark) return;
      const { channel, last_ms, reason: cause = "" } = remark;
      setText(head, t(channel ? `remark.${kind}.channel` : `remark.${kind}`, { channel, time: duration(now() - last_ms) }));
      setText(payload, shortened(remark.payload, PAYLOAD_CHARS) || t("remark.empty"));
      const { words, lang } = reasonWords(cause);
      setText(why, words && ` – ${words}`);
      why.lang = lang;
    },
  };
}

/** How the channel's values were read, which datatypes it had before, and a better one for its values.
 * @param {import("./store.js").Device} device */
export function noteLines(device) {
  const words = el("p", { class: "channel-note", hidden: true });
  const result = el("span", { class: "command-state" });
  const button = el("button", { type: "button", onclick: () => showAsNumbers() }, t("proposal.accept"));
  const proposal = el("div", { class: "proposal", hidden: true }, el("p", {}, t("proposal.float")), button, result);
  const elements = [words, proposal];
  /** @type {import("./store.js").Channel | null} */
  let channel = null;
  let note = "";
  let notedAt = -Infinity;

  async function showAsNumbers() {
    if (!channel?.proposal) return;
    button.disabled = true;
    const card = button.closest(".card");
    try {
      setDevice(await api.describe(device, channel.name, { datatype: channel.proposal }));
      announce(t("proposal.accepted", { name: channelName(channel) }));
      // The button is gone with what it asked.
      if (!button.checkVisibility()) /** @type {HTMLElement | null} */ (card?.querySelector("h3 a"))?.focus();
    } catch (error) {
      setText(result, t("manage.failed", { reason: reason(/** @type {api.ApiError} */ (error)) }));
      announce(result.textContent ?? "");
    }
    button.disabled = false;
  }

  return {
    elements,
    /** Returns whether there is a line to show. @param {import("./store.js").Channel} next */
    update(next) {
      channel = next;
      if (next.note) [note, notedAt] = [next.note, performance.now()];
      const noted = note && performance.now() - notedAt < NOTE_MS ? t(`note.${note}`) : "";
      setText(words, [noted, earlierWords(next)].filter(Boolean).join(" "));
      words.hidden = !words.textContent;
      proposal.hidden = !next.proposal;
      return !words.hidden || !proposal.hidden;
    },
  };
}

/** @param {import("./store.js").Channel} channel */
function earlierWords({ earlier }) {
  const datatypes = earlier.map(({ datatype }) => wordFor("datatype", datatype)).join(", ");
  return datatypes && t("channel.earlier", { datatypes });
}
