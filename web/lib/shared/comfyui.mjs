// All that this pack takes from ComfyUI's front end. No other file here reads `app`, `api` or `LiteGraph`, so that a
// front end with another API needs changes in this file alone.
import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";

/** @param {any} extension */
export const registerExtension = (extension) => app.registerExtension(extension);

// -- settings, commands, messages

/** @param {string} id @returns {any} */
export const setting = (id) => app.extensionManager.setting.get(id);

/** @param {string} id @param {() => void} listener */
export const onSettingChange = (id, listener) => app.ui.settings.addEventListener(`${id}.change`, listener);

/** @param {string} id */
export const runCommand = (id) => app.extensionManager.command.execute(id);

/** @param {any} tab */
export const addSidebarTab = (tab) => app.extensionManager.sidebarTab.registerSidebarTab(tab);

/** @param {{severity: string, summary: string, detail?: string, life: number}} message */
export const addToast = (message) => app.extensionManager.toast.add(message);

// -- the server

/** @param {string} path @param {RequestInit} options @returns {Promise<Response>} */
export const fetchApi = (path, options) => api.fetchApi(path, options);

/** The address of a file, for an element, which sends no header that names the user of a ComfyUI with several.
 * @param {string} path without a query */
export const apiUrl = (path) => api.apiURL(path + (api.user ? `?${new URLSearchParams({ user: api.user })}` : ""));

/** The page's own id; undefined before the server has given one. @returns {string | undefined} */
export const clientId = () => api.clientId ?? api.initialClientId;

/**
 * Listen to the server's messages of one type. Returns a function that stops listening.
 * @template T
 * @param {string} type such as "grok_imagine.job"
 * @param {(detail: T) => void} handle
 * @returns {() => void}
 */
export function listen(type, handle) {
  const handler = (/** @type {CustomEvent<T>} */ event) => handle(event.detail);
  api.addEventListener(type, handler);
  return () => api.removeEventListener(type, handler);
}

// -- the canvas and its graph

/** The element around the canvas, where ours lie beside those of nodes. @returns {HTMLElement} */
export const canvasHome = () => app.canvas.canvas.parentElement;

/** @param {DragEvent} event @returns {[number, number]} in the canvas */
export const canvasPosition = (event) => app.clientPosToCanvasPos([event.clientX, event.clientY]);

/** What of the canvas is in sight: left, top, width, height. @returns {number[]} */
export const visibleArea = () => app.canvas.ds.visible_area ?? [0, 0, 800, 600];

/** The graph that is shown: the workflow's, or that of an open subgraph. */
export const shownGraph = () => app.canvas.graph ?? app.graph;

/** The node of an execution id: "12", or "3:12" within a subgraph. @param {string} id */
export function findNode(id) {
  let graph = app.rootGraph ?? app.graph;
  let node = null;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById?.(part) ?? graph?.getNodeById?.(Number(part));
    graph = node?.subgraph;
  }
  return node;
}

/** Add a node to the graph that is shown, and select it; null where there is no such kind.
 * @param {string} kind @param {(node: any) => [number, number]} place */
export function addNode(kind, place) {
  const node = window.LiteGraph.createNode(kind);
  if (!node) return null;
  node.pos = place(node);
  shownGraph().add(node);
  app.canvas.selectNode?.(node);
  shownGraph().setDirtyCanvas(true, true);
  return node;
}

/** Set a widget's value as the user would. @param {any} node @param {string} name @param {unknown} value */
export function setWidget(node, name, value) {
  const widget = node.widgets?.find((/** @type {any} */ one) => one.name === name);
  if (!widget) return;
  widget.value = value;
  widget.callback?.(value, app.canvas, node, [0, 0], {});
}

/** Open a workflow in a new tab. @param {{workflow?: any, prompt?: any}} stored @param {string} name */
export async function openWorkflow({ workflow, prompt }, name) {
  if (workflow) await app.loadGraphData(workflow, true, true, name);
  else await app.loadApiJson(prompt, name);
}

/** ComfyUI keeps the graph for a reload when it learns of a change, and it has no event for ours. */
export function noteChange() {
  const tracker = app.extensionManager.workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.(); // its older name
}

// -- how nodes are drawn

/** Whether Nodes 2.0 draws the nodes. @returns {boolean} */
export const isVueMode = () => Boolean(window.LiteGraph.vueNodesMode);

export const isLightTheme = () => !document.body.classList.contains("dark-theme");

/** The height of a plain widget in the canvas, in pixels. @returns {number} */
export const widgetHeight = () => window.LiteGraph.NODE_WIDGET_HEIGHT;

/** @param {string} text */
export const newBadge = (text) => new window.LGraphBadge({ text, fgColor: "#fff", bgColor: "#3b3f58" });

/** Whether a badge's text is read again. The Nodes 2.0 of front ends before 1.42 read it once. */
export function hasLiveBadges() {
  const [major, minor] = String(window.__COMFYUI_FRONTEND_VERSION__ ?? "2.0").split(".").map(Number);
  return !isVueMode() || major > 1 || minor >= 42;
}
