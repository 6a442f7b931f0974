// The last message of one topic: payload, how it was published, and of what bytes its packet is made.

import * as api from "./api.js";
import { announce } from "./announce.js";
import { reason } from "./controls.js";
import { el, setData, setText } from "./dom.js";
import { bytes, count, dateTime } from "./format.js";
import { t } from "./i18n.js";
import { pretty } from "./pretty-json.js";
import { state } from "./store.js";
import { explain } from "./topic-explain.js";

/** What a packet is made of, in the order in which it travels. */
const PARTS = ["fixed", "variable", "payload"];

/** @param {() => void} onRemoved called once a retained message was removed */
export function messagePanel(onRemoved) {
  const topic = el("h3", {});
  const hint = el("p", { class: "quiet" }, t("topics.choose"));
  const payload = el("pre", { class: "payload", tabindex: "0", role: "group", "aria-label": t("topics.payload") });
  const cut = el("p", { class: "explain", hidden: true });
  const values = new Map(["time", "qos", "retained", "count"].map((name) => [name, el("dd", { data: { fact: name } })]));
  const facts = el("dl", { class: "message-facts" }, ...[...values].map(([name, value]) =>
    el("div", {}, el("dt", {}, t(`topics.fact.${name}`)), value)));
  const about = el("p", { class: "explain" });
  const kept = keptMessage();
  const packet = packetBar();
  const remover = retainedRemover(onRemoved);
  const body = el("div", { class: "message-body", hidden: true }, about, facts, payload, cut, kept.element, packet.element, remover.element);
  const element = el("section", { class: "part", "aria-label": t("topics.message"), data: { part: "message" } }, topic, hint, body);
  setText(topic, t("topics.message"));

  return {
    element,
    /** @param {any} message */
    show(message) {
      hint.hidden = true;
      body.hidden = false;
      setText(topic, message.topic);
      const words = explain(message.topic, state.lab?.root ?? "lab");
      about.hidden = words === "";
      setText(about, words);
      const fact = (/** @type {string} */ name, /** @type {string} */ words) => setText(/** @type {Node} */ (values.get(name)), words);
      fact("time", dateTime(message.time_ms));
      fact("qos", message.qos === null ? t("topics.qos.unknown", { qos: message.delivered_qos }) : t(`topics.qos.${message.qos}`));
      fact("retained", message.retained === null ? t("unknown") : t(message.retained ? "topics.retained.yes" : "no"));
      fact("count", count(message.count));
      showPayload(payload, message);
      cut.hidden = !message.truncated;
      setText(cut, message.truncated ? t("topics.truncated", { bytes: bytes(message.packet.payload) }) : "");
      kept.show(message.kept);
      packet.show(message.packet, message.qos !== null);
      remover.show(message);
    },
  };
}

/** @param {HTMLElement} place @param {any} message */
function showPayload(place, message) {
  const words = payloadWords(message);
  setText(place, words.text);
  place.dataset.form = words.form;
}

/** What the broker keeps although a newer message came: many a beginner looks for the newer one in vain. */
function keptMessage() {
  const payload = el("pre", { class: "payload", tabindex: "0", role: "group", "aria-label": t("topics.kept.title") });
  const explain = el("p", { class: "explain" });
  const element = el("div", { class: "kept", hidden: true }, el("h4", {}, t("topics.kept.title")), payload, explain);
  return {
    element,
    /** @param {any} message null when the newest message is the one it keeps, or none is known */
    show(message) {
      element.hidden = !message;
      if (!message) return;
      showPayload(payload, message);
      setText(explain, t("topics.kept.explain", { time: dateTime(message.time_ms), bytes: bytes(message.bytes) }));
    },
  };
}

/** @param {any} message @returns {{text: string, form: string}} */
function payloadWords({ text, hex, truncated }) {
  if (text === null) return { text: hex.replace(/(..)(?=.)/g, "$1 "), form: "hex" };
  if (text === "") return { text: t("topics.empty"), form: "empty" };
  const json = truncated ? null : pretty(text);
  return json === null ? { text, form: "text" } : { text: json, form: "json" };
}

/** The packet as a bar of its parts, and in words. */
function packetBar() {
  const bars = PARTS.map((part) => el("span", { data: { bytes: part } }));
  const sizes = PARTS.map(() => el("dd", {}));
  const detail = el("span", { class: "quiet" });
  const total = el("strong", { data: { bytes: "total" } });
  const explain = el("p", { class: "explain" });
  const element = el("div", { class: "packet" },
    el("h4", {}, t("topics.packet"), " ", total), el("div", { class: "packet-bar", "aria-hidden": "true" }, ...bars),
    el("dl", {}, ...PARTS.map((part, index) => el("div", { data: { bytes: part } },
      el("dt", {}, t(`topics.packet.${part}`), index === 1 ? detail : null), sizes[index]))), explain);
  return {
    element,
    /** @param {any} packet @param {boolean} known whether it is the publisher's QoS */
    show({ version, qos, fixed_header: fixed, topic, packet_id: id, properties, payload, total: all }, known) {
      const lengths = [fixed, topic + id + properties, payload];
      lengths.forEach((length, index) => {
        bars[index].style.flexGrow = String(length);
        bars[index].hidden = length === 0;
        setText(sizes[index], bytes(length));
      });
      const parts = [t("topics.packet.topic", { count: count(topic) })];
      if (id) parts.push(t("topics.packet.id", { count: count(id) }));
      if (properties) parts.push(t("topics.packet.properties", { count: count(properties) }));
      setText(detail, ` (${parts.join(", ")})`);
      setText(total, bytes(all));
      setText(explain, t(known ? "topics.packet.explain" : "topics.packet.explain.unknown", { version: version === 5 ? "5" : "3.1.1", qos }));
    },
  };
}

/** The button that removes a retained message, once one has confirmed. @param {() => void} onRemoved */
function retainedRemover(onRemoved) {
  let topic = "";
  const result = el("p", { class: "command-state", role: "status" });
  const ask = el("button", { type: "button", onclick: () => open(true) }, t("topics.remove"));
  const yes = el("button", { type: "button", class: "primary", onclick: remove }, t("topics.remove.yes"));
  const no = el("button", { type: "button", onclick: () => open(false) }, t("topics.remove.no"));
  const question = el("div", {
    class: "confirm", role: "group", "aria-label": t("topics.remove"), hidden: true,
    onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") open(false); },
  }, el("p", {}, t("topics.remove.explain")), el("p", { class: "inputs" }, yes, no));

  /** @param {boolean} asking */
  function open(asking) {
    question.hidden = !asking;
    ask.hidden = asking;
    (asking ? no : ask).focus();
  }

  async function remove() {
    const meant = topic;
    open(false);
    const [name, words] = await api.removeRetained(meant).then(() => ["confirmed", t("topics.removed")],
      (error) => ["refused", t("topics.failed", { reason: reason(error) })]);
    if (meant === topic) {
      setData(result, "state", name);
      setText(result, words);
    }
    announce(words);
    onRemoved();
  }

  return {
    element: el("div", { class: "remover" }, ask, question, result),
    /** @param {any} message */
    show(message) {
      if (message.topic !== topic) {
        topic = message.topic;
        question.hidden = true;
        setText(result, "");
      }
      const possible = message.retained !== false || message.kept !== null;
      if (!possible) question.hidden = true;
      ask.hidden = !possible || !question.hidden;
    },
  };
}
