// Renaming and hiding a device: kept by the lab, nothing is sent to the device.

import * as api from "./api.js";
import { announce } from "./announce.js";
import { reason } from "./controls.js";
import { el, setText } from "./dom.js";
import { t } from "./i18n.js";
import { setDevice } from "./store.js";

/** @param {any} device */
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
