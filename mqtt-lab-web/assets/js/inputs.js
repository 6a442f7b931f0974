// One input per datatype: what a person sets a channel with.

import { el, setText } from "./dom.js";
import { choice as choiceWord, decimalsOf } from "./format.js";
import { t } from "./i18n.js";
import { niceStep } from "./scale.js";

// A slider wider than this cannot be set to a value one means.
const WIDEST_SLIDER = 10_000;

/**
 * @typedef {{elements: Element[], show: (value: any) => void, busy: () => boolean}} Input
 *   `show` displays the value the device has; `busy` says that a person is at it and it must not change
 */

/**
 * Makes the input for a channel.
 * @param {import("./store.js").Channel} channel @param {string} label @param {(value: any) => void} send
 * @returns {Input}
 */
export function inputFor(channel, label, send) {
  switch (channel.datatype) {
    case "bool": return toggle(label, send);
    case "choice": return choice(channel, channel.choices ?? [], label, send);
    case "color": return color(label, send);
    case "text": return text(channel, label, send);
  }
  if (channel.name === "$qos") return choice(channel, [0, 1, 2], label, send);
  const { min, max } = channel;
  const bounded = min !== null && max !== null && max - min <= WIDEST_SLIDER && !channel.name.startsWith("$");
  return bounded ? slider(channel, label, send) : number(channel, label, send);
}

/** @param {string} label @param {(value: boolean) => void} send @returns {Input} */
function toggle(label, send) {
  const knob = el("button", { type: "button", role: "switch", class: "switch", "aria-checked": "false", "aria-label": label });
  knob.addEventListener("click", () => {
    const wanted = knob.getAttribute("aria-checked") !== "true";
    knob.setAttribute("aria-checked", String(wanted));
    send(wanted);
  });
  return { elements: [knob], show: (value) => knob.setAttribute("aria-checked", String(value === true)), busy: () => false };
}

/** @param {import("./store.js").Channel} channel @param {(string | number)[]} choices @param {string} label
 * @param {(value: any) => void} send @returns {Input} */
function choice(channel, choices, label, send) {
  const none = el("option", { value: "", disabled: true, hidden: true });
  const select = el("select", { "aria-label": label }, none, ...choices.map((item, index) => el("option", { value: index }, choiceWord(item, channel))));
  select.addEventListener("change", () => send(choices[Number(select.value)]));
  const show = (/** @type {any} */ value) => { select.value = String(choices.findIndex((item) => item === value)); };
  return { elements: [select], show, busy: () => document.activeElement === select };
}

/** @param {string} label @param {(value: string) => void} send @returns {Input} */
function color(label, send) {
  const well = el("input", { type: "color", "aria-label": label });
  well.addEventListener("change", () => send(well.value));
  return { elements: [well], show: (value) => { if (value) well.value = value; }, busy: () => document.activeElement === well };
}

/** @param {import("./store.js").Channel} channel @param {string} label @param {(value: string) => void} send @returns {Input} */
function text(channel, label, send) {
  const field = el("input", { type: "text", "aria-label": label, autocomplete: "off", maxlength: channel.max_len });
  return withButton(field, () => send(field.value), (value) => value ?? "");
}

/** @param {import("./store.js").Channel} channel @param {string} label */
function numberField({ min, max, step, datatype }, label) {
  const inputStep = step ?? (datatype === "int" ? 1 : "any");
  return el("input", { type: "number", "aria-label": label, inputmode: "decimal", required: true, min, max, step: inputStep });
}

/** @param {import("./store.js").Channel} channel @param {string} label @param {(value: number) => void} send @returns {Input} */
function number(channel, label, send) {
  const field = numberField(channel, label);
  return withButton(field, () => send(field.valueAsNumber), (value) => (value === null ? "" : String(value)));
}

/** A field that is sent by Enter or its button, and keeps what a person typed until then.
 * @param {HTMLInputElement} field @param {() => void} submit @param {(value: any) => string} format @returns {Input} */
function withButton(field, submit, format) {
  let edited = false;
  field.addEventListener("input", () => { edited = true; });
  const form = el("form", { class: "field" }, field, el("button", { type: "submit" }, t("control.send")));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    edited = false;
    submit();
  });
  return { elements: [form], show: (value) => { field.value = format(value); }, busy: () => edited };
}

/** @param {import("./store.js").Channel} channel @param {string} label @param {(value: number) => void} send @returns {Input} */
function slider(channel, label, send) {
  const min = /** @type {number} */ (channel.min);
  const max = /** @type {number} */ (channel.max);
  const step = channel.step ?? (channel.datatype === "int" ? 1 : niceStep((max - min) / 200));
  const range = el("input", { type: "range", "aria-label": label, min, max, step });
  const field = numberField(channel, `${label}, ${t("control.number")}`);
  const track = () => range.style.setProperty("--part", String((Number(range.value) - min) / (max - min || 1)));
  let held = false;
  range.addEventListener("input", () => { held = true; track(); field.value = Number(range.value).toFixed(decimalsOf(step)); });
  range.addEventListener("change", () => { held = false; send(Number(range.value)); });
  const exact = withButton(field, () => { range.value = field.value; track(); send(field.valueAsNumber); }, String);
  const unit = el("span", { class: "unit" });
  setText(unit, channel.unit ?? "");
  if (channel.unit) field.after(unit);
  const show = (/** @type {any} */ value) => { range.value = String(value ?? min); track(); exact.show(value ?? ""); };
  return { elements: [range, ...exact.elements], show, busy: () => held || exact.busy() };
}
