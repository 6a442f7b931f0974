// Every visible word comes from `/i18n/{language}.json`; this file chooses the language.

export const LANGUAGES = ["de", "en"];
const STORAGE_KEY = "mqtt-lab.language";

/** @type {Record<string, string>} */
let words = {};
let current = "en";

/** The user's choice, else the browser's first known language, else English. */
export function preferred() {
  const stored = localStorage.getItem(STORAGE_KEY);
  if (stored && LANGUAGES.includes(stored)) return stored;
  const wanted = [...(navigator.languages ?? []), navigator.language].map((tag) => String(tag).slice(0, 2).toLowerCase());
  return wanted.find((tag) => LANGUAGES.includes(tag)) ?? "en";
}

/** Loads the words of `language` and makes it the page's. @param {string} language */
export async function use(language) {
  words = await (await fetch(`/i18n/${language}.json`)).json();
  current = language;
  document.documentElement.lang = language;
}

/** Adds the words of a page that most visitors never open. @param {string} name */
export async function extend(name) {
  const wanted = current;
  const more = await (await fetch(`/i18n/${name}.${wanted}.json`)).json();
  if (wanted === current) Object.assign(words, more);
}

/** Remembers the user's choice. @param {string} language */
export function remember(language) {
  localStorage.setItem(STORAGE_KEY, language);
}

export const language = () => current;

/** @param {string} key */
export const has = (key) => Object.hasOwn(words, key);

/** The words for `key`, with `{name}` filled in; the key itself when there are none.
 * @param {string} key @param {Record<string, string | number>} [values] */
export function t(key, values) {
  const text = has(key) ? words[key] : key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole)) : text;
}
