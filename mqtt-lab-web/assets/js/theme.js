// Dark, light or as the system says; and the colours canvases draw with.

const STORAGE_KEY = "mqtt-lab.theme";
export const THEMES = ["auto", "dark", "light"];
const DARK = "(prefers-color-scheme: dark)";

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {any} */
let cache = null;

export const theme = () => {
  const stored = localStorage.getItem(STORAGE_KEY);
  return stored && THEMES.includes(stored) ? stored : "auto";
};

/** @param {string} name */
export function setTheme(name) {
  localStorage.setItem(STORAGE_KEY, name);
  apply();
}

/** Switches the dark style sheet by its media query, so that `auto` also works before scripts run. */
export function apply() {
  const link = /** @type {HTMLLinkElement} */ (document.getElementById("dark"));
  const chosen = theme();
  link.media = chosen === "auto" ? DARK : chosen === "dark" ? "all" : "not all";
  document.documentElement.dataset.theme = chosen;
  changed();
}

/** Calls `listener` when colours changed. @param {() => void} listener */
export const onTheme = (listener) => listeners.add(listener);

function changed() {
  cache = null;
  for (const listener of listeners) listener();
}

matchMedia(DARK).addEventListener("change", changed);
// A style sheet whose media query just began to match may still be loading.
document.getElementById("dark")?.addEventListener("load", changed);

/** The colours of the current theme, read from CSS once. */
export function colors() {
  if (cache) return cache;
  const style = getComputedStyle(document.documentElement);
  const read = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
  cache = {
    text: read("text"), muted: read("muted"), grid: read("grid"), surface: read("surface"),
    lost: read("lost"), off: read("off"),
    series: [1, 2, 3, 4, 5, 6].map((number) => read(`series-${number}`)),
    font: getComputedStyle(document.body).fontFamily,
    rem: parseFloat(style.fontSize),
  };
  return cache;
}
