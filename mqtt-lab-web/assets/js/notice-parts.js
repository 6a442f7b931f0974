// What the notice at the lower edge says of parts of the lab that do not work: a line for each.

import { arrange, el, setText } from "./dom.js";
import { extend, t } from "./i18n.js";
import { causeOf, partName, sinceWords, waitingWords } from "./parts.js";
import { route } from "./router.js";
import { state } from "./store.js";

/** Longer causes are on the status page. */
const LONGEST_CAUSE = 120;

/** @typedef {{name: string, cause: string, since: string, waiting: string}} Trouble */
/** @typedef {{element: HTMLElement, update: (trouble: Trouble) => void}} Line */

/** The link to the status page, and what shows the lines of now. @param {HTMLElement} list */
export async function noticeParts(list) {
  await extend("parts");
  /** @type {Map<string, Line>} */
  const lines = new Map();
  const link = el("a", { href: "#/status" }, t("notice.status"));
  return {
    link,
    /** @param {boolean} failing */
    show(failing) {
      arrange(list, failing ? troubles().map((trouble) => lineOf(lines, trouble)) : []);
      link.hidden = !failing || route().view === "status";
    },
  };
}

/** What does not work, the essential first. @returns {Trouble[]} */
function troubles() {
  const { broker, parts } = state.lab;
  const failing = parts.filter((/** @type {import("./parts.js").Part} */ { error }) => error !== null)
    .sort((/** @type {any} */ one, /** @type {any} */ other) => Number(other.essential) - Number(one.essential)).map(troubleOf);
  return broker.connected ? failing : [withoutBroker(broker), ...failing];
}

/** @param {import("./parts.js").Part} part @returns {Trouble} */
function troubleOf({ part, error, since_ms: sinceMs, waiting }) {
  const { words } = causeOf(error ?? "");
  const cause = words.length > LONGEST_CAUSE ? `${words.slice(0, LONGEST_CAUSE)}…` : words;
  return { name: partName(part), cause, since: sinceWords(sinceMs), waiting: waitingWords(waiting) };
}

/** @param {{address: string, error: string | null}} broker @returns {Trouble} */
const withoutBroker = ({ address, error }) =>
  ({ name: t("header.broker.away", { address }), cause: error ?? t("notice.no-reason"), since: "", waiting: "" });

/** The line of a trouble, which stays the same as long as that lasts: its words change in place.
 * @param {Map<string, Line>} lines @param {Trouble} trouble */
function lineOf(lines, trouble) {
  const line = lines.get(trouble.name) ?? newLine();
  lines.set(trouble.name, line);
  line.update(trouble);
  return line.element;
}

/** @returns {Line} */
function newLine() {
  const name = el("b");
  const cause = el("span");
  const since = el("span");
  // It changes each second: nobody wants to have it read out.
  const waiting = el("span", { "aria-live": "off" });
  return {
    element: el("li", {}, name, cause, since, waiting),
    update(trouble) {
      setText(name, `${trouble.name}: `);
      setText(cause, trouble.cause);
      setText(since, trouble.since && ` · ${trouble.since}`);
      setText(waiting, trouble.waiting && ` · ${trouble.waiting}`);
    },
  };
}
