// The page of the broker's clients: who is connected, who may come back, and what waits for them.

import * as api from "./api.js";
import { now } from "./clock.js";
import { reason } from "./controls.js";
import { el, setBadge, setText, setTitle, topicCode } from "./dom.js";
import { count, dateTime, duration } from "./format.js";
import { extend, t } from "./i18n.js";
import { style } from "./style.js";

/** As often as a person looks. */
const REFRESH_MS = 2000;
const SHOWN = 200;

/** @typedef {{id: string, connection: null | {address: string, version: number, keep_alive_s: number, connected_ms: number,
 *   messages: number, will: string | null}, subscriptions: string[], subscription_count: number, queued: number, dropped: number,
 *   session_expiry_s: number | null}} Client */

/** @param {HTMLElement} main @param {AbortSignal} signal */
export async function mountClients(main, signal) {
  await Promise.all([extend("clients"), style("/css/clients.css")]);
  if (signal.aborted) return;
  const status = el("p", { class: "quiet", role: "status" }, t("clients.loading"));
  const rows = el("tbody");
  const table = el("div", { class: "table", tabindex: "0", role: "group", "aria-label": t("header.clients"), hidden: true },
    el("table", {}, el("thead", {}, el("tr", {}, ...COLUMNS.map((name) => el("th", { scope: "col" }, t(`clients.${name}`))))), rows));
  const input = el("input", {
    type: "search", id: "client-search", autocomplete: "off", spellcheck: "false", placeholder: t("clients.search.placeholder"), oninput: () => load(),
  });
  main.replaceChildren(el("article", { class: "page clients" },
    el("header", { class: "page-head" }, el("h2", {}, t("header.clients"))),
    el("p", { class: "explain" }, t("clients.explain")),
    el("section", { class: "part", "aria-label": t("header.clients"), data: { part: "clients" } },
      el("p", { class: "search", role: "search" }, el("label", { for: "client-search" }, t("search.label")), input), status, table)));

  let asked = 0;
  /** What was asked for last counts: answers may overtake each other. */
  async function load() {
    asked += 1;
    const mine = asked;
    try {
      const answer = await api.clients(input.value.trim(), SHOWN);
      if (!signal.aborted && mine === asked) show(answer);
    } catch (error) {
      if (!signal.aborted) setText(status, t("clients.failed", { reason: reason(/** @type {api.ApiError} */ (error)) }));
    }
    document.documentElement.dataset.ready = "true";
  }

  /** @param {{known: boolean, connected: number, away: number, dropped: number, total: number, clients: Client[]}} answer */
  function show({ known, connected, away, dropped, total, clients }) {
    table.hidden = !clients.length;
    rows.replaceChildren(...clients.map(row));
    const words = [t("clients.connected", { count: count(connected) })];
    if (away) words.push(t("clients.away.count", { count: count(away) }));
    if (dropped) words.push(t("clients.dropped.count", { count: count(dropped) }));
    if (total > clients.length) words.push(t("clients.more", { shown: count(clients.length), total: count(total) }));
    if (known && !total) words.push(t("clients.none"));
    setText(status, known ? words.join(" · ") : t("clients.unknown"));
    input.disabled = !known;
  }

  const timer = setInterval(() => { if (!document.hidden) load(); }, REFRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  await load();
}

const COLUMNS = ["id", "state", "version", "keep-alive", "filters", "will", "messages", "queued", "dropped"];

/** @param {Client} client */
function row({ id, connection, subscriptions, subscription_count: all, queued, dropped, session_expiry_s: expiry }) {
  const state = el("span", { class: "state" });
  if (connection) setBadge(state, "ready", t("clients.since", { time: duration(now() - connection.connected_ms) }));
  else setBadge(state, "sleeping", t("clients.away"));
  state.title = connection ? dateTime(connection.connected_ms) : expiry === null ? t("clients.kept") : t("clients.kept.for", { time: duration(expiry * 1000) });
  const filters = el("span", {}, topicCode(subscriptions[0] ?? ""), all > 1 ? ` ${t("clients.and", { count: count(all - 1) })}` : "");
  if (all > 1) setTitle(filters, subscriptions.join("\n") + (all > subscriptions.length ? "\n…" : ""));
  const cells = [
    el("span", {}, el("code", {}, id), el("br"), el("span", { class: "quiet" }, connection?.address ?? "")),
    state,
    connection ? (connection.version === 5 ? "5" : "3.1.1") : "",
    connection ? (connection.keep_alive_s ? `${count(connection.keep_alive_s)}\u202f${t("unit.s")}` : t("clients.no-keep-alive")) : "",
    filters,
    connection?.will ? topicCode(connection.will) : "",
    connection ? count(connection.messages) : "",
    count(queued),
    el("span", { data: { alarm: String(dropped > 0) } }, count(dropped)),
  ];
  return el("tr", {}, ...cells.map((cell, index) => el("td", { data: { name: t(`clients.${COLUMNS[index]}`) } }, cell)));
}
