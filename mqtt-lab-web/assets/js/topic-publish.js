// The form that publishes a message by hand.

import * as api from "./api.js";
import { announce } from "./announce.js";
import { reason } from "./controls.js";
import { el, setData, setText } from "./dom.js";
import { bytes, time } from "./format.js";
import { now } from "./clock.js";
import { t } from "./i18n.js";

/** @param {() => void} onPublished */
export function publishForm(onPublished) {
  const topic = el("input", { type: "text", id: "publish-topic", autocomplete: "off", spellcheck: "false", required: true });
  const payload = el("textarea", { id: "publish-payload", rows: 3, spellcheck: "false" });
  const qos = el("select", { id: "publish-qos" }, ...[0, 1, 2].map((level) => el("option", { value: level }, t(`topics.qos.${level}`))));
  const retain = el("input", { type: "checkbox", id: "publish-retain" });
  const button = el("button", { type: "submit", class: "primary" }, t("topics.publish.send"));
  const result = el("p", { class: "command-state", role: "status" });
  let edited = false;
  topic.addEventListener("input", () => { edited = topic.value !== ""; });

  /** @param {string} name @param {string} words */
  function say(name, words) {
    setData(result, "state", name);
    setText(result, words);
  }

  async function submit() {
    button.disabled = true;
    say("pending", t("topics.publish.sending"));
    const message = { topic: topic.value, payload: payload.value, qos: Number(qos.value), retain: retain.checked };
    try {
      const { packet } = await api.publish(message);
      say("confirmed", t("topics.publish.done", { time: time(now()), bytes: bytes(packet.total) }));
    } catch (error) {
      say("refused", t("topics.failed", { reason: reason(/** @type {api.ApiError} */ (error)) }));
    }
    announce(result.textContent ?? "");
    button.disabled = false;
    onPublished();
  }

  const label = (/** @type {string} */ name) => el("label", { for: `publish-${name}` }, t(`topics.publish.${name}`));
  const form = el("form", { class: "publish" },
    label("topic"), topic, label("payload"), payload, label("qos"), qos,
    el("span", {}), el("p", { class: "check" }, retain, label("retain")),
    el("span", {}), el("p", { class: "inputs" }, button, result));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    submit();
  });
  return {
    element: el("section", { class: "part", "aria-label": t("topics.publish"), data: { part: "publish" } }, el("h3", {}, t("topics.publish")), form),
    /** Offers a topic, unless one was typed. @param {string} name */
    prefill(name) {
      if (!edited) topic.value = name;
    },
  };
}
