// What the lab says of itself, under the header of every page: errors until the lab takes them back, news for a while.

import { now } from "./clock.js";
import { el, icon, setText } from "./dom.js";
import { dateTime, time } from "./format.js";
import { language, t } from "./i18n.js";
import { wordFor } from "./names.js";
import { state } from "./store.js";

const NEWS_MS = 15_000;
const AGAIN_MS = 2_000;
const WITHOUT_DATE_MS = 12 * 3_600_000;

/** The news that was closed, or shown for long enough. */
let done = "";
/** What is on the page: the notice and the language it is written in. */
let shown = "";
let timer = 0;

/** Shows the notice of now; what is there already is left alone, so that nothing is read out twice.
 * @param {HTMLElement} place */
export function showLabNotice(place) {
  const key = JSON.stringify(state.notice);
  const notice = key === done || isOld(state.notice) ? null : state.notice;
  const wanted = notice ? `${language()} ${key}` : "";
  if (wanted === shown) return;
  shown = wanted;
  clearTimeout(timer);
  if (notice?.level === "info") timer = setTimeout(() => expire(place, key), notice.at_ms + NEWS_MS - now());
  fill(place, notice, () => { finish(place, key); document.getElementById("main")?.focus(); });
}

/** @param {any} notice */
const isOld = (notice) => notice?.level === "info" && now() >= notice.at_ms + NEWS_MS;

/** Nothing vanishes under a reader's hand. @param {HTMLElement} place @param {string} key */
function expire(place, key) {
  if (place.matches(":hover, :focus-within")) timer = setTimeout(() => expire(place, key), AGAIN_MS);
  else finish(place, key);
}

/** @param {HTMLElement} place @param {string} key */
function finish(place, key) {
  done = key;
  showLabNotice(place);
}

/** The two live regions stay, only their words change: else screen readers do not notice.
 * @param {HTMLElement} place @param {any} notice @param {() => void} close */
function fill(place, notice, close) {
  if (!place.firstChild) place.append(el("div", {}, el("p", { role: "alert" }), el("p", { role: "status" })));
  const line = /** @type {HTMLElement} */ (place.firstChild);
  const [alert, status] = line.querySelectorAll("p");
  for (const old of [...place.querySelectorAll(":scope > ul, .icon, button")]) old.remove();
  place.ariaLabel = t("lab-notice.label");
  if (notice) place.dataset.level = notice.level;
  else delete place.dataset.level;
  const isError = notice?.level === "error";
  const said = notice ? sentence(notice) : "";
  setText(alert, isError ? said : "");
  setText(status, isError ? "" : said);
  if (!notice) return;
  line.prepend(icon(isError ? "lost" : "info"));
  if (!isError) line.append(el("button", { type: "button", onclick: close }, t("lab-notice.dismiss")));
  if (notice.messages.length) place.append(details(notice));
}

/** Level, title and when. @param {any} notice */
function sentence({ level, title, at_ms: atMs }) {
  const when = now() - atMs < WITHOUT_DATE_MS ? time(atMs) : dateTime(atMs);
  return `${wordFor("lab-notice.level", level)}: ${wordFor("lab-notice.title", title)} (${when})`;
}

/** The messages as the terminal shows them; the keyboard can scroll them. @param {any} notice */
function details({ messages, left_out: more }) {
  return el("ul", { tabindex: "0", "aria-label": t("lab-notice.messages") },
    ...messages.map((/** @type {{text: string, hint: string | null}} */ { text, hint }) =>
      el("li", {}, el("pre", {}, text), hint === null ? null : el("pre", { class: "hint" }, t("lab-notice.hint", { hint })))),
    more > 0 ? el("li", { class: "quiet" }, t("lab-notice.more", { count: more })) : null);
}
