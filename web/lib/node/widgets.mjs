// A node's widgets: read for a quote, limited to what the connection supports, and marked where a value is unsupported.
//
// No value is ever changed here. A stored one that is not offered stays in its list, so that neither the canvas nor
// Nodes 2.0 replaces it, and is marked; only the user, or a button that says so, changes it.
import { isLightTheme } from "../shared/comfyui.mjs";
import { count } from "./tokens.mjs";

/** The text of what a node makes: one request, segments, a list, or a film. */
export const TEXTS = ["prompt", "prompts", "rows", "shots"];

const NARROWED = /** @type {const} */ (["model", "mode", "resolution", "aspect_ratio", "motion_mode"]);
/** On a dark theme, and on a light one. */
const REDS = ["#ff6b6b", "#a1201a"];

/** @param {any} node @param {string} name */
export const widget = (node, name) => node.widgets?.find((/** @type {any} */ one) => one.name === name);

/** Whether a link ends at the node's input that `is` finds. @param {any} node @param {(input: any) => boolean} is */
export function isLinked(node, is) {
  const slot = node.inputs?.findIndex(is) ?? -1;
  return slot >= 0 && node.isInputConnected(slot);
}

/** The widget's value; undefined where there is none, or where a link brings it.
 * @param {any} node @param {string} name */
export function value(node, name) {
  return isLinked(node, (input) => input.widget?.name === name) ? undefined : widget(node, name)?.value;
}

/** Which images are connected, in the order in which they are sent. @param {any} node */
export function images(node) {
  const sockets = (node.inputs ?? [])
    .filter((/** @type {any} */ one) => one.type === "IMAGE" && /^image_\d+$/.test(one.name))
    .map((/** @type {any} */ one) => {
      const slot = node.inputs.indexOf(one);
      return { name: one.name, isLinked: node.isInputConnected(slot), size: batchSize(node, slot) };
    });
  const urls = String(value(node, "image_urls") ?? "").split("\n").filter((line) => line.trim()).length;
  return { urls, ...count(sockets) };
}

/** @param {any} node */
export const hasImages = (node) => node.inputs?.some((/** @type {any} */ one) => one.name === "image_1");

/** The sockets whose images are more than `most`. @param {any} node @param {number} most */
export const surplusSockets = (node, most) => [...images(node).ends].filter(([, end]) => end > most).map(([name]) => name);

/** Nodes 2.0 draws its text boxes in the order of the widgets. @param {Element} area @param {any} node @param {Element} home */
export function isPrompt(area, node, home) {
  const texts = node.widgets.filter((/** @type {any} */ one) => one.type === "customtext" || one.options?.multiline);
  return texts[[...home.querySelectorAll("textarea")].indexOf(/** @type {any} */ (area))]?.name === "prompt";
}

/** How many images ComfyUI's own nodes give, of those where it is known beforehand. @type {Record<string, (node: any) => number>} */
const SIZES = { LoadImage: () => 1, EmptyImage: (node) => Number(widget(node, "batch_size")?.value ?? 1) };

/** How many images come through a link; null if only the run knows. @param {any} node @param {number} slot */
function batchSize(node, slot) {
  const origin = node.graph ? node.getInputNode(slot) : null; // a node that is just being made is in no graph yet
  return SIZES[origin?.comfyClass]?.(origin) ?? null;
}

/** What a quote depends on. A value that a link brings is left out. @param {any} node @returns {import("./quotes.mjs").NodeValues} */
export function valuesOf(node) {
  const named = node.widgets.filter((/** @type {any} */ one) => one.serialize !== false && one.name !== "seed");
  const stated = named.map(({ name }) => [name, value(node, name)]).filter(([, one]) => one !== undefined);
  const { least, isExact } = images(node);
  const single = Number(isLinked(node, (input) => input.name === "images"));
  return { node: node.comfyClass ?? node.type, values: Object.fromEntries(stated), images: least + single, is_exact: isExact };
}

/** Offer in each list what the connection offers, and what is chosen already.
 * @param {any} node @param {import("./quotes.mjs").Quote} quote @param {string[]} connections */
export function narrow(node, quote, connections) {
  offer(widget(node, "connection"), connections);
  if (!quote.choices) return;
  for (const name of NARROWED) offer(widget(node, name), ["auto", ...quote.choices[name].filter((/** @type {string} */ one) => one !== "auto")]);
  const slider = widget(node, "duration");
  if (!slider?.options) return;
  slider.options.whole ??= { min: slider.options.min, max: slider.options.max };
  const [least, most] = quote.choices.duration ?? [slider.options.whole.min, slider.options.whole.max];
  // A stored length beyond the limits stays within the slider's reach, else it would be moved without a word.
  slider.options.min = Math.min(least, Number(slider.value));
  slider.options.max = Math.max(most, Number(slider.value));
}

/** Lists of our own: the one that came with the node's definition is shared by all nodes of the kind. @type {WeakSet<object>} */
const ownLists = new WeakSet();

/** A list keeps its array, since Nodes 2.0 reads that alone, as it opens. @param {any} list @param {string[]} values */
function offer(list, values) {
  if (!list?.options) return;
  const all = values.includes(list.value) ? values : [...values, list.value];
  if (!ownLists.has(list.options.values)) ownLists.add((list.options.values = [...(list.options.values ?? [])]));
  const now = list.options.values;
  if (now.length !== all.length || now.some((/** @type {string} */ one, /** @type {number} */ index) => one !== all[index])) now.splice(0, now.length, ...all);
}

/** Give each list of a new node an array of its own, before Nodes 2.0 sees it. @param {any} node */
export function ownChoices(node) {
  for (const name of ["connection", ...NARROWED]) {
    const list = widget(node, name);
    if (Array.isArray(list?.options?.values)) offer(list, list.options.values);
  }
}

/** Mark the widgets with unsupported values; the node's status shows the reasons.
 * @param {any} node @param {import("./quotes.mjs").Violation[]} found */
export function mark(node, found) {
  const wrong = new Set(found.filter((one) => !one.is_warning).map((one) => one.field));
  for (const one of node.widgets ?? []) {
    if (wrong.has(one.name) === Boolean(one.isGrokMarked)) continue;
    one.isGrokMarked = wrong.has(one.name);
    // A slider's text lies over its bar, which no red can be read on.
    const colours = one.type === "slider" ? ["outline_color"] : ["text_color", "secondary_text_color", "outline_color"];
    for (const colour of colours) {
      // The classes compute these from the theme; a property of the widget itself comes first.
      if (one.isGrokMarked) Object.defineProperty(one, colour, { get: () => REDS[Number(isLightTheme())], configurable: true });
      else delete one[colour];
    }
  }
}

/** Write the tokens beside the sockets. @param {any} node */
export function label(node) {
  const { labels } = images(node);
  for (const socket of node.inputs ?? []) {
    if (socket.type !== "IMAGE" || !/^image_\d+$/.test(socket.name)) continue;
    const token = labels.get(socket.name);
    const plain = socket.localized_name ?? socket.name;
    const text = token ? `${plain} ${token}` : undefined;
    if (socket.label !== text) socket.label = text;
  }
}
