// The page that shows how the lab itself is doing: its parts, and what it had to set aside.

import * as api from "./api.js";
import { now } from "./clock.js";
import { reason } from "./controls.js";
import { el, setBadge, setText } from "./dom.js";
import { count, time } from "./format.js";
import { extend, t } from "./i18n.js";
import { repeat } from "./repeat.js";
import { partRow, setAsideRow, table } from "./status-tables.js";
import { on, state } from "./store.js";
import { style } from "./style.js";

/** How often the lab is asked while nothing seems to change. */
const REFRESH_MS = 3_000;

/** @typedef {import("./parts.js").Part} Part */
/** @typedef {{total: number, last: {at_ms: number, part: string, what: string, reason: string}[]}} SetAside */

/** @param {HTMLElement} main @param {AbortSignal} signal */
export async function mountStatus(main, signal) {
  await Promise.all([extend("status"), extend("parts"), style("/css/status.css")]);
  if (signal.aborted) return;
  const headline = el("p", { class: "state status-headline", role: "status" });
  const parts = table("parts", ["part", "state", "waiting", "restarts", "panic"]);
  const aside = table("set-aside", ["time", "part", "what", "reason"]);
  const total = el("p", { class: "quiet" });
  /** @type {Map<string, ReturnType<typeof partRow>>} */
  const rows = new Map();
  let shownAside = "";
  let askedMs = 0;
  let unanswered = "";

  const page = el("article", { class: "page status" },
    el("header", { class: "page-head" }, el("h2", {}, t("header.status"))),
    el("p", { class: "explain" }, t("status.explain")),
    el("section", { class: "part", "aria-labelledby": "status-parts", data: { part: "parts" } },
      el("h3", { id: "status-parts" }, t("status.parts")), headline, parts.element),
    el("section", { class: "part", "aria-labelledby": "status-set-aside", data: { part: "set-aside" } },
      el("h3", { id: "status-set-aside" }, t("status.set-aside")), el("p", { class: "explain" }, t("status.set-aside.explain")),
      total, aside.element));

  /** @param {Part[]} list */
  function showParts(list) {
    for (const part of list) {
      const row = rows.get(part.part) ?? partRow();
      row.update(part);
      rows.set(part.part, row);
    }
    parts.show(list.map(({ part }) => /** @type {any} */ (rows.get(part)).element));
    failing = list.filter(({ error }) => error !== null).length;
    all = list.length;
  }
  let failing = 0;
  let all = 0;

  function showHeadline() {
    if (unanswered || state.connection === "reconnecting") {
      const words = unanswered || t("error.unreachable");
      setBadge(headline, "pending", askedMs ? `${words} ${t("status.stale", { time: time(askedMs) })}` : words);
    } else if (failing) {
      setBadge(headline, "lost", t(failing === 1 ? "status.failing.1" : "status.failing", { count: count(failing), all: count(all) }));
    } else {
      setBadge(headline, "ready", t("status.works.all"));
    }
  }

  /** @param {SetAside} answer */
  function showSetAside({ total: number, last }) {
    const key = JSON.stringify([number, last[0]]);
    if (key === shownAside) return;
    shownAside = key;
    const some = t("status.set-aside.last", { shown: count(last.length), total: count(number) });
    setText(total, !number ? t("status.set-aside.none") : number > last.length ? some : t("status.set-aside.total", { total: count(number) }));
    aside.show(last.map(setAsideRow));
  }

  const asking = repeat(async () => {
    try {
      const [list, left] = await Promise.all([api.parts(), api.setAside()]);
      if (signal.aborted) return;
      unanswered = "";
      askedMs = now();
      showParts(withBroker(list));
      showSetAside(left);
    } catch (error) {
      unanswered = t("status.failed", { reason: reason(/** @type {api.ApiError} */ (error)) });
    }
    showHeadline();
    document.documentElement.dataset.ready = "true";
  }, REFRESH_MS, signal);

  let known = signs();
  on("lab", () => {
    if (signs() === known) return;
    known = signs();
    asking.now();
  }, signal);
  on("connection", () => { showHeadline(); if (state.connection === "live") asking.now(); }, signal);
  await asking.now();
  // Not before it is filled: what would come into it later would move the rest.
  if (!signal.aborted) main.replaceChildren(page);
}

/** What the lab says each second of what is shown here. */
const signs = () => JSON.stringify([state.lab?.parts, state.lab?.counts.set_aside, state.lab?.broker]);

/** Without a broker nothing is received, whatever the task that receives does. @param {Part[]} parts @returns {Part[]} */
function withBroker(parts) {
  const broker = state.lab?.broker;
  if (!broker || broker.connected) return parts;
  const error = `${t("header.broker.away", { address: broker.address })}: ${broker.error ?? t("notice.no-reason")}`;
  return parts.map((part) => (part.part === "ingest" && part.error === null ? { ...part, error } : part));
}
