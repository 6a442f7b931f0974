// The page that shows MQTT itself: every topic as a tree, its last message, and a form to publish.

import * as api from "./api.js";
import { el, setText } from "./dom.js";
import { count } from "./format.js";
import { extend, t } from "./i18n.js";
import { repeat } from "./repeat.js";
import { topicHref } from "./router.js";
import { on, state } from "./store.js";
import { style } from "./style.js";
import { messagePanel } from "./topic-message.js";
import { publishForm } from "./topic-publish.js";
import { TopicNames } from "./topic-names.js";
import { topicTree } from "./topic-tree.js";

const POLL_MS = 1_000;

/** @param {HTMLElement} main @param {{topic: string | null}} where @param {AbortSignal} signal */
export async function mountTopics(main, where, signal) {
  await Promise.all([extend("topics"), style("/css/topics.css")]);
  if (signal.aborted) return;
  const names = new TopicNames();
  const status = el("p", { class: "quiet topics-status", role: "status" }, t("topics.loading"));
  const filter = el("input", { type: "search", id: "topic-filter", autocomplete: "off", spellcheck: "false", placeholder: t("topics.filter.placeholder") });
  const tree = topicTree(names, choose);
  const message = messagePanel(() => poll.now());
  const form = publishForm(() => poll.now());
  let chosen = where.topic;
  let shownCount = -1;

  const page = el("article", { class: "topics" },
    el("header", { class: "page-head" }, el("h2", {}, t("header.topics")), el("p", { class: "quiet" }, t("topics.explain"))),
    el("div", { class: "topics-columns" },
      el("section", { class: "part topics-left", "aria-label": t("topics.tree") },
        el("p", { class: "search", role: "search" }, el("label", { for: "topic-filter" }, t("topics.filter")), filter), tree.element, status),
      el("div", { class: "topics-right" }, message.element, form.element)));

  filter.addEventListener("input", () => { tree.filter(filter.value); showStatus(); });
  filter.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") { filter.value = ""; tree.filter(""); showStatus(); }
    if (event.key === "ArrowDown") { event.preventDefault(); tree.focus(); }
  });

  /** @param {string} topic */
  function choose(topic) {
    if (topic === chosen) return;
    chosen = topic;
    shownCount = -1;
    // No new entry: Back leads to where one came from, not through every topic looked at.
    history.replaceState(null, "", topicHref(topic));
    form.prefill(topic);
    showMessage();
  }

  /** Fetches the chosen message when there is a newer one than that shown. */
  async function showMessage() {
    const topic = chosen;
    const row = topic === null ? null : names.row(topic);
    if (topic === null || !row || row.count === shownCount) return;
    const wanted = await api.topicMessage(topic).catch(() => null);
    if (!wanted || signal.aborted || topic !== chosen) return;
    shownCount = wanted.count;
    message.show(wanted);
  }

  let left = { left_out: 0, unkept: 0 };
  function showStatus() {
    const words = [t(names.size === 1 ? "topics.count.1" : "topics.count", { count: count(names.size) })];
    if (filter.value.trim()) words.push(t("topics.matching", { count: count(tree.matching()) }));
    if (left.unkept) words.push(t("topics.unkept", { count: count(left.unkept) }));
    setText(status, names.size ? words.join(" · ") : t("topics.none"));
  }

  let since = 0;
  const poll = repeat(async () => {
    const answer = await api.topics(since);
    if (signal.aborted) return;
    since = answer.next;
    left = answer;
    tree.take(answer.topics);
    showStatus();
    await showMessage();
    document.documentElement.dataset.ready = "true";
  }, POLL_MS, signal);

  on("connection", () => { if (state.connection === "live") poll.now(); }, signal);
  if (chosen !== null) { form.prefill(chosen); tree.reveal(chosen); }
  await poll.now();
  // Not before it is filled: what would come into it later would move the rest.
  if (signal.aborted) return;
  main.replaceChildren(page);
  tree.showChosen();
}
