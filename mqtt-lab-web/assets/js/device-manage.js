// What a person says about a device and its channels: kept by the lab, nothing is sent to the device.

import * as api from "./api.js";
import { announce } from "./announce.js";
import { reason } from "./controls.js";
import { arrange, el, setData, setText } from "./dom.js";
import { t } from "./i18n.js";
import { channelName, wordFor } from "./names.js";
import { setDevice } from "./store.js";

const DATATYPES = ["float", "int", "bool", "text", "choice", "color"];
const TEXTS = /** @type {const} */ (["label", "unit", "quantity"]);
const MOST_CHARS = 64;

/** The name and visibility of a device. @param {any} device */
export function manageSection(device) {
  const field = el("input", { type: "text", id: "device-name", maxlength: 100, autocomplete: "off" });
  const result = el("p", { class: "command-state" });
  const hide = el("input", { type: "checkbox", id: "device-hidden" });
  let edited = false;

  /** @param {{name?: string | null, hidden?: boolean}} change */
  async function patch(change) {
    try {
      setDevice(await api.patch(device, change));
      edited = false;
      setText(result, t("manage.saved"));
    } catch (error) {
      setText(result, t("manage.failed", { reason: reason(/** @type {api.ApiError} */ (error)) }));
      hide.checked = device.hidden;
    }
    announce(result.textContent ?? "");
  }

  field.addEventListener("input", () => { edited = true; });
  hide.addEventListener("change", () => patch({ hidden: hide.checked }));
  const form = el("form", { class: "field" }, field, el("button", { type: "submit" }, t("manage.save")));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    patch({ name: field.value.trim() || null });
  });
  const element = el("div", { class: "manage" },
    el("label", { for: "device-name" }, t("manage.name")), form,
    el("p", { class: "explain" }, t("manage.name.explain")),
    el("p", { class: "check" }, hide, el("label", { for: "device-hidden" }, t("manage.hide"))), result);

  return {
    element,
    /** @param {any} next */
    update(next) {
      device = next;
      field.placeholder = next.label ?? next.id;
      if (!edited && document.activeElement !== field) field.value = next.name ?? "";
      if (document.activeElement !== hide) hide.checked = next.hidden;
    },
  };
}

/** The channels that a device does not describe itself, a form each. @param {import("./store.js").Device} device */
export function describeSection(device) {
  const list = el("div", {});
  const element = el("section", { class: "part", "aria-label": t("describe.title"), hidden: true, data: { part: "describe" } },
    el("h3", {}, t("describe.title")), el("p", { class: "explain" }, t("describe.explain")), list);
  /** @type {Map<string, ReturnType<typeof channelForm>>} */
  const forms = new Map();
  return {
    element,
    /** @param {import("./store.js").Device} next */
    update(next) {
      device = next;
      const own = undescribed(next);
      element.hidden = !own.size;
      arrange(list, [...own].map(([name, channel]) => {
        const form = forms.get(name) ?? channelForm(name, () => device);
        forms.set(name, form);
        form.update(channel);
        return form.element;
      }));
    },
  };
}

/** These channels by name; null: one of which no usable value ever came.
 * @param {import("./store.js").Device} device @returns {Map<string, import("./store.js").Channel | null>} */
function undescribed({ channels, refusals, no_readings: empty }) {
  const own = channels.filter(({ described_by: by }) => by === null || by === "person");
  const known = new Set(channels.map(({ name }) => name));
  const silent = [...refusals, ...empty].map(({ channel }) => channel).filter((name) => name && !name.startsWith("$") && !known.has(name));
  return new Map([...own.map((channel) => /** @type {const} */ ([channel.name, channel])), ...silent.map((name) => /** @type {const} */ ([name, null]))]);
}

let formsMade = 0;

/** @param {string} name @param {() => import("./store.js").Device} device */
function channelForm(name, device) {
  const prefix = `describe-${formsMade += 1}`;
  const fields = {
    datatype: el("select", {}, el("option", { value: "" }, t("describe.automatic")), ...DATATYPES.map((word) => el("option", { value: word }, wordFor("datatype", word)))),
    label: el("input", { type: "text", autocomplete: "off", maxlength: MOST_CHARS }),
    unit: el("input", { type: "text", autocomplete: "off", maxlength: MOST_CHARS }),
    quantity: el("input", { type: "text", autocomplete: "off", maxlength: MOST_CHARS }),
    choices: el("textarea", { rows: 3 }),
  };
  const field = (/** @type {keyof typeof fields} */ key) => {
    fields[key].id = `${prefix}-${key}`;
    fields[key].name = key;
    fields[key].setAttribute("aria-describedby", `${prefix}-${key}-explain`);
    return el("p", { data: { field: key } }, el("label", { for: fields[key].id }, t(`describe.${key}`)), fields[key],
      el("span", { class: "explain", id: `${prefix}-${key}-explain` }, t(`describe.${key}.explain`)));
  };
  const choices = field("choices");
  const save = el("button", { type: "submit", class: "primary" }, t("manage.save"));
  const takeBack = el("button", { type: "button", onclick: () => send(NOTHING, "describe.taken-back") }, t("describe.take-back"));
  const result = el("p", { class: "command-state" });
  const title = el("span", { class: "describe-name" });
  const present = el("span", { class: "quiet" });
  const form = el("form", { class: "describe-form" }, field("datatype"), field("label"), choices, field("unit"), field("quantity"),
    el("p", { class: "inputs" }, save, takeBack), result);
  const element = el("details", { class: "describe", data: { channel: name } }, el("summary", {}, title, " ", present), form);
  /** @type {import("./store.js").Channel | null} */
  let channel = null;
  let edited = false;

  /** What the form shows of the channel as the lab has it. @returns {Record<keyof typeof fields, string>} */
  function saved() {
    const said = channel?.settings;
    return {
      datatype: said?.datatype ?? "", label: said?.label ?? "", unit: said?.unit ?? "", quantity: said?.quantity ?? "",
      choices: (said?.choices ?? []).join("\n"),
    };
  }

  /** What a person changed in the form, as the API takes it. */
  function change() {
    const before = saved();
    /** @type {Record<string, any>} */
    const wanted = {};
    for (const key of TEXTS) if (fields[key].value.trim() !== before[key]) wanted[key] = fields[key].value.trim() || null;
    const { datatype, choices: { value: lines } } = fields;
    if (datatype.value !== before.datatype) wanted.datatype = datatype.value || null;
    const isChoice = datatype.value === "choice";
    if (isChoice && ("datatype" in wanted || lines !== before.choices)) {
      wanted.choices = lines.split("\n").map((/** @type {string} */ line) => line.trim()).filter(Boolean);
    }
    return wanted;
  }

  /** @param {Record<string, any>} wanted @param {string} done what to say then */
  async function send(wanted, done) {
    save.disabled = takeBack.disabled = true;
    const focused = document.activeElement;
    try {
      if (Object.keys(wanted).length) {
        const answer = await api.describe(device(), name, wanted);
        edited = false;
        say("confirmed", t(done));
        update(answer.channels.find((/** @type {any} */ other) => other.name === name) ?? null);
        setDevice(answer);
      } else {
        say("idle", t("describe.unchanged"));
      }
    } catch (error) {
      say("refused", t("manage.failed", { reason: reason(/** @type {api.ApiError} */ (error)) }));
    }
    save.disabled = takeBack.disabled = false;
    // A button that was disabled has lost the focus, and one that is hidden cannot have it.
    if (element.contains(focused)) /** @type {HTMLElement} */ (focused === takeBack && takeBack.hidden ? save : focused).focus();
  }

  /** @param {string} state @param {string} words */
  function say(state, words) {
    setData(result, "state", state);
    setText(result, words);
    announce(words);
  }

  function showChoices() {
    choices.hidden = fields.datatype.value !== "choice";
    fields.choices.required = !choices.hidden;
  }

  /** @param {import("./store.js").Channel | null} next */
  function update(next) {
    channel = next;
    setText(title, next ? channelName(next) : name);
    const by = next?.described_by === "person" ? "describe.by-person" : "describe.by-values";
    setText(present, next ? `${[wordFor("datatype", next.datatype), next.unit].filter(Boolean).join(", ")} · ${t(by)}` : t("channel.no-value"));
    takeBack.hidden = next?.described_by !== "person";
    if (edited) return;
    const shown = saved();
    for (const key of /** @type {(keyof typeof fields)[]} */ (Object.keys(fields))) if (fields[key].value !== shown[key]) fields[key].value = shown[key];
    showChoices();
  }

  form.addEventListener("input", () => { edited = true; showChoices(); });
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    send(change(), "describe.saved");
  });
  showChoices();
  return { element, update };
}

/** Takes back all that a person said of a channel. */
const NOTHING = { datatype: null, unit: null, quantity: null, label: null, choices: null };
