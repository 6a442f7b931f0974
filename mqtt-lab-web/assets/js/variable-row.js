// One variable in the list: what it is, the control that sets it, and what may be done with it.

import { control } from "./controls.js";
import { el, topicCode } from "./dom.js";
import { limit } from "./format.js";
import { t } from "./i18n.js";

/**
 * @param {import("./variables.js").Variable} variable @param {() => void} onChange @param {() => void} onDelete
 * @param {AbortSignal} signal
 */
export function variableRow(variable, onChange, onDelete, signal) {
  const { group, id } = variable;
  const name = variable.label ?? id;
  const own = new AbortController();
  signal.addEventListener("abort", () => own.abort(), { signal: own.signal });
  const place = el("div", { class: "variable-control" }, el("p", { class: "quiet" }, t("variables.coming")));
  /** @type {import("./controls.js").Control | null} */
  let handle = null;
  const element = el("div", { class: "control-row", data: { variable: `${group}/${id}` } },
    el("div", {}, el("h4", {}, name), el("p", { class: "explain" }, inWords(variable)),
      el("p", { class: "explain" }, t("variables.follow"), " ", topicCode(`${group}/variables/${id}`))),
    el("div", {}, place, variable.declared
      ? el("p", { class: "explain" }, t("variables.declared"))
      : actions(name, onChange, onDelete)));

  return {
    element,
    group,
    /** Shows the value that the device has. @param {any} device */
    update(device) {
      const channel = device?.channels.find((/** @type {any} */ other) => other.name === id);
      // The list may be newer than what the device has said.
      if (!channel || channel.datatype !== variable.datatype) return;
      if (!handle) {
        handle = control(device, channel, own.signal);
        place.replaceChildren(handle.element);
      }
      handle.update(device, channel);
    },
    end: () => own.abort(),
  };
}

/** @param {import("./variables.js").Variable} variable */
function inWords(variable) {
  const words = [t(`variables.datatype.${variable.datatype}`)];
  const ends = { min: variable.min === null ? "" : limit(variable.min, variable), max: variable.max === null ? "" : limit(variable.max, variable) };
  if (ends.min && ends.max) words.push(t("control.bounds", ends));
  else if (ends.min) words.push(t("variables.from", ends));
  else if (ends.max) words.push(t("variables.to", ends));
  else if (variable.unit) words.push(variable.unit);
  if (variable.choices.length) words.push(variable.choices.join(" · "));
  return words.join(", ");
}

/** The buttons; deleting asks once more. @param {string} name @param {() => void} onChange @param {() => void} onDelete */
function actions(name, onChange, onDelete) {
  const change = el("button", { type: "button", onclick: onChange, "aria-label": t("variables.change.of", { name }) }, t("variables.change"));
  const ask = el("button", { type: "button", onclick: () => open(true), "aria-label": t("variables.delete.of", { name }) }, t("variables.delete"));
  const no = el("button", { type: "button", onclick: () => open(false) }, t("variables.delete.no"));
  const yes = el("button", { type: "button", class: "primary", onclick: onDelete }, t("variables.delete.yes"));
  const buttons = el("p", { class: "inputs" }, change, ask);
  const question = el("div", {
    class: "confirm", role: "group", "aria-label": t("variables.delete.of", { name }), hidden: true,
    onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") open(false); },
  }, el("p", {}, t("variables.delete.explain", { name })), el("p", { class: "inputs" }, yes, no));

  /** @param {boolean} asking */
  function open(asking) {
    question.hidden = !asking;
    buttons.hidden = asking;
    (asking ? no : ask).focus();
  }

  return el("div", { class: "variable-actions" }, buttons, question);
}
