// How our nodes lay out their widgets: what is needed first, and what is seldom needed under ComfyUI's "advanced".
//
// A workflow stores widget values by position, in the order of the node's definition. That order stays: only the page
// shows another one, so that a workflow of any version, with or without this extension, means the same.

import { isVueMode, setting, widgetHeight } from "../shared/comfyui.mjs";
import { tOr } from "../shared/i18n.mjs";
import { TEXTS, hasImages, isLinked, widget } from "./widgets.mjs";

/** The least height of a prompt, in pixels: four lines. */
const LEAST_PROMPT = 62;
const FIRST = [...TEXTS, "connection", "duration", "resolution", "aspect_ratio", "seed"];

/** The height of the advanced widgets that are seen, and whether they are folded away. @type {WeakMap<object, number>} */
const rooms = new WeakMap();
/** @type {WeakMap<object, boolean>} */
const folded = new WeakMap();

/** Show the widgets in our own order. Called once, when the node is made. @param {any} node */
export function arrange(node) {
  const stored = node.widgets.filter((/** @type {any} */ one) => one.serialize !== false);
  const seed = stored.find((/** @type {any} */ one) => one.name === "seed");
  const controls = seed?.linkedWidgets ?? [];
  for (const one of stored) if (one.options?.advanced || controls.includes(one)) setAdvanced(one);
  const rank = (/** @type {any} */ one) => {
    const place = FIRST.indexOf(controls.includes(one) ? "seed" : one.name);
    return (place < 0 ? FIRST.length : place) * stored.length + stored.indexOf(one);
  };
  const shown = [...stored].sort((one, other) => rank(one) - rank(other));
  const places = shown.map((one) => stored.indexOf(one));
  if (places.every((place, index) => place === index)) return;
  node.widgets.splice(0, node.widgets.length, ...shown, ...node.widgets.filter((/** @type {any} */ one) => !stored.includes(one)));
  const configure = node.configure;
  node.configure = function (/** @type {any} */ info) {
    const values = info.widgets_values;
    if (!Array.isArray(values)) return configure.call(this, info);
    // Values beyond those that the definition has are of a newer version, and stay where they are.
    const moved = [...places.map((place) => values[place]), ...values.slice(places.length)];
    while (moved.length && moved.at(-1) === undefined) moved.pop();
    return configure.call(this, { ...info, widgets_values: moved });
  };
  const onSerialize = node.onSerialize;
  node.onSerialize = function (/** @type {any} */ info) {
    onSerialize?.call(this, info);
    if (!Array.isArray(info.widgets_values)) return;
    const values = [...info.widgets_values];
    places.forEach((place, index) => (info.widgets_values[place] = values[index]));
  };
}

/** @param {any} widget */
function setAdvanced(widget) {
  widget.advanced = true;
  widget.options.advanced = true;
}

/** @param {any} node */
export const hasAdvanced = (node) => node.widgets.some((/** @type {any} */ one) => one.advanced);

/** Whether the node shows its advanced widgets. @param {any} node @returns {boolean} */
export const showsAdvanced = (node) =>
  Boolean(node.showAdvanced || setting("Comfy.Node.AlwaysShowAdvancedWidgets"));

/** Hide what need not be seen. Nodes 2.0 hides advanced widgets itself; the canvas would keep their room.
 * @param {any} node @param {boolean} hasMotion whether the connection offers motion modes
 * @param {boolean} [isLoading] the node has just been made or loaded, with its size */
export function hideAdvanced(node, hasMotion, isLoading = false) {
  const isFolded = !isVueMode() && !showsAdvanced(node);
  const before = rooms.get(node) ?? 0;
  for (const one of node.widgets) {
    if (!one.advanced) continue;
    const isFree = !isLinked(node, (input) => input.widget?.name === one.name);
    const isIdle = one.name === "motion_mode" && !hasMotion && one.value === "auto";
    setHidden(one, isFree && (isFolded || isIdle));
  }
  const room = roomOf(node);
  rooms.set(node, room);
  // Only as the user folds or unfolds them: a saved node has its size already.
  const change = isFolded === folded.get(node) ? 0 : room - before;
  folded.set(node, isFolded);
  if (!change || isLoading) return;
  node.setSize([node.size[0], Math.max(node.computeSize()[1], node.size[1] + change)]);
  node.graph?.setDirtyCanvas(true, true);
}

/** The height of the advanced widgets that are not hidden, in pixels of the canvas. @param {any} node */
function roomOf(node) {
  const shown = node.widgets.filter((/** @type {any} */ one) => one.advanced && !one.hidden);
  const heights = shown.map((/** @type {any} */ one) => one.computeLayoutSize?.(node)?.minHeight ?? widgetHeight());
  return heights.reduce((/** @type {number} */ sum, /** @type {number} */ height) => sum + height + 4, 0);
}

/** @param {any} widget @param {boolean} isHidden */
function setHidden(widget, isHidden) {
  if (Boolean(widget.hidden) === isHidden) return;
  widget.hidden = isHidden;
  widget.options.hidden = isHidden;
}

/** Make room for the prompt in a new node, and say there what to write. @param {any} node */
export function growPrompt(node) {
  const name = TEXTS.find((one) => widget(node, one));
  if (!name) return;
  const box = widget(node, name);
  const before = box.options.getMinHeight;
  box.options.getMinHeight = () => Math.max(LEAST_PROMPT, before?.() ?? 0);
  const hint = tOr(`node.placeholder.${hasImages(node) ? "images" : name}`, "");
  if (hint) {
    box.options.placeholder = hint;
    const area = box.element ?? box.inputEl;
    if (area) area.placeholder = hint;
  }
  const [width, height] = node.computeSize();
  node.setSize([Math.max(400, width), height]);
}

/** Grow or shrink the node by what the status has grown or shrunk. A saved node has the size that it had with its clip
 * already, so nothing is done until that is there again.
 * @param {any} node @param {import("./status.mjs").NodeStatus} status */
export function fit(node, status) {
  if (status.height < status.awaited) return;
  const before = status.awaited || status.fitted;
  status.awaited = 0;
  status.fitted = status.height;
  if (node.properties?.grok_imagine) node.properties.grok_imagine.height = status.height;
  const least = node.computeSize();
  const height = Math.max(least[1], node.size[1] + status.height - before);
  // Where it is not known how high the status was, the first measure only makes sure that it holds.
  node.setSize([node.size[0], before ? height : Math.max(least[1], node.size[1])]);
  node.graph?.setDirtyCanvas(true, true);
}

/** No clip will be restored: shrink the node. @param {any} node @param {import("./status.mjs").NodeStatus} status */
export function shrink(node, status) {
  if (!status.awaited) return;
  [status.fitted, status.awaited] = [status.awaited, 0];
  fit(node, status);
}
