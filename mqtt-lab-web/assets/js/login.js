// The login form, shown when the lab wants a token, and the button that ends a login.

import * as api from "./api.js";
import { reason } from "./controls.js";
import { el, setText } from "./dom.js";
import { t } from "./i18n.js";

/** Shows the form over the page, once; a right token reloads the page. */
export function showLogin() {
  if (document.getElementById("login")) return;
  const field = el("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  const problem = el("p", { class: "problem", role: "alert" });
  const form = el("form", {},
    el("h2", { id: "login-title" }, t("login.title")),
    el("p", {}, t("login.explain")),
    el("label", { for: "token" }, t("login.token")), field, problem,
    el("button", { type: "submit", class: "primary" }, t("login.submit")));
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await api.login(field.value);
      location.reload();
    } catch (error) {
      const { status } = /** @type {api.ApiError} */ (error);
      setText(problem, status === 401 ? t("login.wrong") : reason(/** @type {api.ApiError} */ (error)));
      field.select();
    }
  });
  const dialog = el("dialog", { id: "login", "aria-labelledby": "login-title", oncancel: (/** @type {Event} */ event) => event.preventDefault() }, form);
  document.body.append(dialog);
  dialog.showModal();
}

/** Adds the button before the other switches, once. @param {HTMLElement} switches */
export function showLogout(switches) {
  if (switches.querySelector("#logout")) return;
  switches.prepend(el("button", { type: "button", id: "logout",
    onclick: () => api.logout().finally(() => location.reload()) }, t("header.logout")));
}
