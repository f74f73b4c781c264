// Texts in the language that ComfyUI is set to. ComfyUI's own catalogue (locales/) serves only what it draws itself.
import english from "../strings/en/index.mjs";
import { setting } from "./comfyui.mjs";

const TRANSLATED = ["zh", "ja"];

/** @type {Record<string, string>} */
let words = english;
let language = "en";
/** @type {Promise<void> | undefined} */
let loading;

/** Load the texts. Await it in an extension's `init`: ComfyUI's settings can be read from then on. */
export function loadStrings() {
  loading ??= load();
  return loading;
}

async function load() {
  const chosen = String(setting("Comfy.Locale") ?? navigator.language);
  const found = TRANSLATED.find((one) => chosen.toLowerCase().split("-")[0] === one);
  if (!found) return;
  words = (await import(`../strings/${found}/index.mjs`)).default;
  language = chosen === "zh-TW" ? "zh-TW" : found;
}

/** The language's tag, for Intl. */
export const locale = () => language;

/**
 * The text of `key`, with each `{name}` filled in. With a number `count` in `values`, `key.one` and `key.other` are
 * looked for first.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const text = pick(key, values.count);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * The text of `key`, or `other` where there are none: for names that the server may add.
 * @param {string} key
 * @param {string} other
 */
export const tOr = (key, other) => words[key] ?? english[key] ?? other;

/** @param {string} key @param {string | number | undefined} count */
function pick(key, count) {
  if (typeof count === "number") {
    const plural = `${key}.${new Intl.PluralRules(language).select(count)}`;
    const found = words[plural] ?? words[`${key}.other`] ?? english[plural] ?? english[`${key}.other`];
    if (found) return found;
  }
  return words[key] ?? english[key] ?? key;
}
