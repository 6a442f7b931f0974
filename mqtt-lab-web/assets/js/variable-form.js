// The form that makes a variable, or changes one: fields by its datatype.

import { announce } from "./announce.js";
import { reason } from "./controls.js";
import { el, setData, setText } from "./dom.js";
import { t } from "./i18n.js";
import { state } from "./store.js";

const DATATYPES = ["float", "int", "bool", "text", "choice", "color"];
const NUMBERS = ["float", "int"];

/** @param {(wanted: any, old: import("./variables.js").Variable | null) => Promise<void>} save throws an `ApiError` */
export function variableForm(save) {
  /** @type {import("./variables.js").Variable | null} the one that is changed */
  let old = null;
  let named = false;
  const text = (/** @type {string} */ name, /** @type {any} */ more = {}) => el("input", { type: "text", id: `variable-${name}`, autocomplete: "off", ...more });
  const number = (/** @type {string} */ name) => el("input", { type: "number", id: `variable-${name}`, step: "any", inputmode: "decimal" });
  const groups = el("datalist", { id: "variable-groups" });
  const fields = {
    label: text("label", { maxlength: 100 }),
    id: text("id", { required: true, pattern: "[a-z0-9\\-]{1,64}", spellcheck: "false", "aria-describedby": "variable-id-explain" }),
    group: text("group", { pattern: "[a-z0-9\\-]{1,64}", spellcheck: "false", list: "variable-groups", placeholder: t("variables.group.default") }),
    datatype: el("select", { id: "variable-datatype" }, ...DATATYPES.map((word) => el("option", { value: word }, t(`variables.datatype.${word}`)))),
    unit: text("unit", { maxlength: 32 }),
    min: number("min"),
    max: number("max"),
    step: number("step"),
    choices: el("textarea", { id: "variable-choices", rows: 3, "aria-describedby": "variable-choices-explain" }),
  };
  const value = el("span", { class: "variable-value" });
  const title = el("h3", {}, t("variables.new"));
  const submit = el("button", { type: "submit", class: "primary" }, t("variables.create"));
  const cancel = el("button", { type: "button", hidden: true, onclick: () => edit(null) }, t("variables.cancel"));
  const result = el("p", { class: "command-state", role: "status" });
  const label = (/** @type {string} */ name) => el("label", { for: `variable-${name}` }, t(`variables.${name}`));
  const explain = (/** @type {string} */ name) => el("p", { class: "explain", id: `variable-${name}-explain` }, t(`variables.${name}.explain`));
  const ofNumbers = el("div", { class: "variable-numbers" }, ...["unit", "min", "max", "step"].map((name) =>
    el("p", {}, label(name), fields[/** @type {keyof typeof fields} */ (name)])));
  const ofChoices = el("div", { class: "variable-choices" }, label("choices"), fields.choices, explain("choices"));
  const form = el("form", { class: "variable-form" },
    el("p", {}, label("label"), fields.label), el("p", {}, label("id"), fields.id, el("span", { class: "explain", id: "variable-id-explain" }, t("variables.id.explain"))),
    el("p", {}, label("group"), fields.group, groups), el("p", {}, label("datatype"), fields.datatype),
    ofNumbers, ofChoices, el("p", {}, label("value"), value),
    el("p", { class: "inputs" }, submit, cancel), result);

  /** What a person typed as the first value, kept over another datatype where it fits. @param {any} [wanted] */
  function showFields(wanted) {
    const datatype = fields.datatype.value;
    ofNumbers.hidden = !NUMBERS.includes(datatype);
    ofChoices.hidden = datatype !== "choice";
    fields.choices.required = datatype === "choice";
    value.replaceChildren(valueField(datatype, choices()));
    const field = /** @type {any} */ (value.firstChild);
    if (wanted !== undefined && wanted !== null) field.value = String(wanted);
  }

  const choices = () => fields.choices.value.split("\n").map((/** @type {string} */ line) => line.trim()).filter(Boolean);

  /** What the form says, as the API takes it. */
  function wanted() {
    const datatype = fields.datatype.value;
    const isNumber = NUMBERS.includes(datatype);
    const figure = (/** @type {HTMLInputElement} */ field) => (isNumber && field.value !== "" ? field.valueAsNumber : null);
    const given = /** @type {any} */ (value.firstChild);
    return {
      id: fields.id.value, group: fields.group.value, label: fields.label.value.trim() || null, datatype,
      unit: isNumber ? fields.unit.value.trim() || null : null,
      min: figure(fields.min), max: figure(fields.max), step: figure(fields.step),
      choices: datatype === "choice" ? choices() : [],
      value: isNumber ? given.valueAsNumber : datatype === "bool" ? given.value === "true" : given.value,
    };
  }

  /** @param {import("./variables.js").Variable | null} variable none: a new one */
  function edit(variable) {
    old = variable;
    named = variable !== null;
    form.reset();
    for (const name of /** @type {const} */ (["label", "id", "group", "unit", "min", "max", "step"])) fields[name].value = String(variable?.[name] ?? "");
    fields.datatype.value = variable?.datatype ?? "float";
    fields.choices.value = (variable?.choices ?? []).join("\n");
    fields.id.disabled = fields.group.disabled = variable !== null;
    cancel.hidden = variable === null;
    setText(title, variable ? t("variables.change.of", { name: variable.label ?? variable.id }) : t("variables.new"));
    setText(submit, t(variable ? "variables.save" : "variables.create"));
    setText(result, "");
    showFields(variable?.value);
    fields.label.focus();
  }

  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    submit.disabled = true;
    setData(result, "state", "pending");
    setText(result, t("variables.saving"));
    try {
      await save(wanted(), old);
      edit(null);
    } catch (error) {
      const words = t("variables.failed", { reason: reason(/** @type {import("./api.js").ApiError} */ (error)) });
      setData(result, "state", "refused");
      setText(result, words);
      announce(words);
    }
    submit.disabled = false;
  });
  fields.datatype.addEventListener("change", () => showFields());
  fields.choices.addEventListener("input", () => showFields(/** @type {any} */ (value.firstChild).value));
  fields.id.addEventListener("input", () => { named = fields.id.value !== ""; });
  fields.label.addEventListener("input", () => { if (!named) fields.id.value = word(fields.label.value); });
  fields.group.addEventListener("focus", () => {
    const known = new Set([...state.devices.values()].map((device) => device.group));
    groups.replaceChildren(...[...known].sort().map((group) => el("option", { value: group })));
  });
  showFields();

  return {
    element: el("section", { class: "part", data: { part: "variable-form" }, "aria-label": t("variables.form") }, title, form),
    edit,
    /** The variable is gone: it is not changed any more. @param {import("./variables.js").Variable} variable */
    forget(variable) {
      if (old?.id === variable.id && old.group === variable.group) edit(null);
    },
  };
}

/** @param {string} datatype @param {string[]} choices @returns {any} */
function valueField(datatype, choices) {
  const id = "variable-value";
  switch (datatype) {
    case "bool": return el("select", { id }, ...["false", "true"].map((word) => el("option", { value: word }, t(`variables.value.${word}`))));
    case "choice": return el("select", { id, required: true }, ...choices.map((choice) => el("option", { value: choice }, choice)));
    case "color": return el("input", { id, type: "color", value: "#ffffff" });
    case "text": return el("input", { id, type: "text", autocomplete: "off" });
  }
  return el("input", { id, type: "number", step: datatype === "int" ? 1 : "any", inputmode: "decimal", required: true });
}

/** A name for topics, of what a person calls it. @param {string} label */
const word = (label) => label.toLowerCase().replaceAll("ä", "ae").replaceAll("ö", "oe").replaceAll("ü", "ue").replaceAll("ß", "ss")
  .normalize("NFD").replace(/\p{M}/gu, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
