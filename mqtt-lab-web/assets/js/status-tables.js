// The tables of the status page. On a phone a row becomes a block of named cells (css/device.css).

import { arrange, el, setBadge, setData, setText } from "./dom.js";
import { count, dateTime, NO_VALUE } from "./format.js";
import { has, t } from "./i18n.js";
import { causeOf, partName, sinceWords } from "./parts.js";

/** A table with its heads; hidden while it has no rows. @param {string} name @param {string[]} columns */
export function table(name, columns) {
  const rows = el("tbody", { role: "rowgroup" });
  const element = el("div", { class: "status-table", hidden: true },
    el("table", { role: "table", "aria-labelledby": `status-${name}` },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...columns.map((column) =>
        el("th", { scope: "col", role: "columnheader", data: { column } }, t(`status.column.${column}`))))), rows));
  return {
    element,
    /** @param {Element[]} list */
    show(list) {
      arrange(rows, list);
      element.hidden = !list.length;
    },
  };
}

/** @param {string} column @param {...any} content */
const cell = (column, ...content) =>
  el("td", { role: "cell", data: { head: t(`status.column.${column}`), column } }, el("div", {}, ...content));

/** The row of a part. What changes is written in place: it can be selected and copied meanwhile. */
export function partRow() {
  const name = el("b");
  const purpose = el("p", { class: "quiet" });
  const state = el("span", { class: "state" });
  const cause = el("span");
  const details = el("span", { class: "quiet", lang: "en" });
  const since = el("p", { class: "quiet" });
  const meaning = el("p", { class: "quiet" });
  const trouble = el("div", {}, el("p", { class: "status-cause" }, cause, details), since, meaning);
  const waiting = el("span");
  const restarts = el("span");
  const panic = el("code", { lang: "en" });
  const numbers = { waiting: cell("waiting", waiting), restarts: cell("restarts", restarts), panic: cell("panic", panic) };
  const element = el("tr", { role: "row" }, cell("part", name, purpose), cell("state", state, trouble), ...Object.values(numbers));
  return {
    element,
    /** @param {import("./parts.js").Part} part */
    update(part) {
      const works = part.error === null;
      element.dataset.name = part.part;
      element.dataset.works = String(works);
      setText(name, partName(part.part));
      setText(purpose, has(`status.purpose.${part.part}`) ? t(`status.purpose.${part.part}`) : "");
      setBadge(state, works ? "ready" : "lost", t(works ? "status.works" : "status.fails"));
      trouble.hidden = works;
      const { words, details: more } = causeOf(part.error ?? "");
      setText(cause, words);
      setText(details, more);
      setText(since, sinceWords(part.since_ms));
      setText(meaning, t(part.essential ? "status.essential" : "status.helpful"));
      setText(waiting, count(part.waiting));
      setText(restarts, count(part.restarts));
      setText(panic, part.last_panic ?? NO_VALUE);
      // On a phone what says nothing takes no place.
      setData(numbers.waiting, "none", String(!part.waiting));
      setData(numbers.restarts, "none", String(!part.restarts));
      setData(numbers.panic, "none", String(part.last_panic === null));
    },
  };
}

/** @param {{at_ms: number, part: string, what: string, reason: string}} entry */
export const setAsideRow = ({ at_ms: atMs, part, what, reason }) => el("tr", { role: "row" },
  cell("time", dateTime(atMs)), cell("part", partName(part)),
  cell("what", el("code", { lang: "en" }, what)), cell("reason", el("span", { lang: "en" }, reason)));
