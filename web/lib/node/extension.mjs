// Our nodes in the page: price, limits, tokens, progress, the clip. Everything hangs on single nodes; no prototype
// of ComfyUI's is touched, so that both its renderers and other packs see what they know.
import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";
import { get, listen } from "../shared/api.mjs";
import { loadStrings, tOr } from "../shared/i18n.mjs";
import { NodeStatus } from "./status.mjs";
import { paidWords, priceWords } from "./badge.mjs";
import { errorWords } from "./text.mjs";
import { images, label, mark, narrow, valuesOf, widget } from "./widgets.mjs";
import { arrange, hasAdvanced, hideAdvanced, showsAdvanced } from "./layout.mjs";
import { offerTokens } from "./prompt.mjs";
import { onChange, refresh, registerPage, requestQuote } from "./quotes.mjs";

const KEPT = "grok_imagine";
/** The node's property that names its last job, so that the clip is there again when the workflow is opened. */
const WIDGET = "grok_status";
/** Around the status, in the canvas, where it is part of the widget's height. */
const MARGIN = 3;
/** The least height of a prompt, in pixels: four lines. */
const LEAST_PROMPT = 62;

/** @type {Map<any, {status: NodeStatus, badge: string, paid: {request: string, costs: any[]} | null,
 *                    asked: string, quote: import("./quotes.mjs").Quote | null, failed?: string | null, refresh: () => void}>} */
const shown = new Map();

export const extension = {
  name: "grokimaginevideo.nodes",

  init: loadStrings,

  setup() {
    onChange(() => refreshAll(true));
    void registerPage();
    // The page learns its own id from the first status message, which may come after this.
    api.addEventListener("status", () => void registerPage(), { once: true });
    api.addEventListener("reconnected", () => void registerPage().then(refresh));
    listen("grok_imagine.node", onNodeEvent);
    app.ui.settings.addEventListener("Comfy.VueNodes.Enabled.change", () => setTimeout(() => refreshAll(false)));
    // Also for runs whose progress went to another page, and for pages that the server has forgotten.
    listen("execution_error", failed);
    for (const end of ["execution_success", "execution_error", "execution_interrupted"]) listen(end, ended);
    listen("execution_start", () => {
      for (const one of shown.values()) one.failed = null;
      void registerPage();
    });
  },

  /** @param {any} node */
  nodeCreated(node) {
    if (isOurs(node)) attachStatus(node);
  },

  afterConfigureGraph: () => refreshAll(false),

  /** ComfyUI has put the lists of all nodes back to what their definitions say. */
  refreshComboInNodes: () => refresh(),
};

/** @param {boolean} isStale whether the settings may have changed */
function refreshAll(isStale) {
  for (const [node, one] of shown) {
    if (isStale) one.asked = "";
    if (node.graph) one.refresh();
  }
}

/** @param {{comfyClass?: string, type?: string}} node */
const isOurs = (node) => /^GIV[A-Z]/.test(node.comfyClass ?? node.type ?? "");

/** Nodes that make clips, so that a price can be said. @param {any} node */
const isPriced = (node) => ["prompt", "prompts", "rows", "shots"].some((name) => widget(node, name));

/** Add the status to a node. @param {any} node */
function attachStatus(node) {
  const status = new NodeStatus({
    onResize: () => fit(node, status),
    onShown: () => watchPrompt(node, status),
    onAdvanced: () => node.toggleAdvanced(),
    onAddKey: () => void import("../settings/dialog.mjs").then((dialog) => dialog.openSettings()).then(refresh),
    onFix: (field, choice) => {
      const found = widget(node, field);
      if (!found) return;
      found.value = choice;
      found.callback?.(choice, app.canvas, node, [0, 0], {});
      one.refresh();
    },
  });
  /** @type {any} */
  const one = { status, badge: "", paid: null, asked: "", quote: null, refresh: () => look(node, one) };
  shown.set(node, one);
  const drawn = node.addDOMWidget(WIDGET, WIDGET, status.element, {
    serialize: false,
    hideOnZoom: false,
    margin: MARGIN,
    getMinHeight: () => status.height + 2 * MARGIN,
    getMaxHeight: () => status.height + 2 * MARGIN,
    getValue: () => undefined,
    setValue: () => {},
  });
  status.widget = drawn;
  drawn.serialize = false; // else it would take a place among the workflow's values
  if (isPriced(node) && hasLiveBadges()) node.badges?.push(badgeOf(node, one));
  arrange(node);
  hideAdvanced(node, false, true);
  growPrompt(node);
  for (const each of node.widgets) if (each !== drawn) chain(each, "callback", one.refresh);
  chain(node, "toggleAdvanced", one.refresh); // also from ComfyUI's own menu
  chain(node, "onConnectionsChange", () => queueMicrotask(one.refresh));
  chain(node, "onConfigure", () => {
    hideAdvanced(node, true, true);
    status.awaited = node.properties?.[KEPT]?.height ?? 0;
    one.refresh();
    void restore(node, one).then((isThere) => isThere || shrink(node, status));
  });
  chain(node, "onExecuted", (/** @type {any} */ output) => finished(node, one, output?.[KEPT]));
  chain(node, "onRemoved", () => {
    status.remove();
    shown.delete(node);
  });
  one.refresh();
}

/** Call `after` after what is there already. @param {any} target @param {string} name @param {Function} after */
function chain(target, name, after) {
  const before = target[name];
  target[name] = function (/** @type {any[]} */ ...given) {
    const result = before?.apply(this, given);
    after(...given);
    return result;
  };
}

/** The canvas asks for a badge at each drawing; Nodes 2.0 once, and again when something changes that was read for it.
 * @param {any} node @param {any} one */
function badgeOf(node, one) {
  return () => {
    for (const each of node.widgets ?? []) void each.value;
    void one.status.widget.label;
    return new window.LGraphBadge({ text: one.badge, fgColor: "#fff", bgColor: "#3b3f58" });
  };
}

/** The Nodes 2.0 of front ends before 1.42 ask for a badge's text once, so there the status shows the price. */
function hasLiveBadges() {
  const [major, minor] = String(window.__COMFYUI_FRONTEND_VERSION__ ?? "2.0").split(".").map(Number);
  return !window.LiteGraph.vueNodesMode || major > 1 || minor >= 42;
}

/** Make room for the prompt in a new node, and say there what to write. @param {any} node */
function growPrompt(node) {
  const name = ["prompt", "prompts", "rows", "shots"].find((one) => widget(node, one));
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

/** @param {any} node */
const hasImages = (node) => node.inputs?.some((/** @type {any} */ one) => one.name === "image_1");

/** Grow or shrink the node by what the status has grown or shrunk. A saved node has the size that it had with its clip
 * already, so nothing is done until that is there again. @param {any} node @param {any} status */
function fit(node, status) {
  if (status.height < status.awaited) return;
  const before = status.awaited || status.fitted || 0;
  status.awaited = 0;
  status.fitted = status.height;
  if (node.properties?.[KEPT]) node.properties[KEPT].height = status.height;
  const least = node.computeSize();
  const height = Math.max(least[1], node.size[1] + status.height - before);
  // Where it is not known how high the status was, the first measure only makes sure that it holds.
  node.setSize([node.size[0], before ? height : Math.max(least[1], node.size[1])]);
  node.graph?.setDirtyCanvas(true, true);
}

/** No clip will be restored: shrink the node. @param {any} node @param {any} status */
function shrink(node, status) {
  if (!status.awaited) return;
  [status.fitted, status.awaited] = [status.awaited, 0];
  fit(node, status);
}

/** Show the quote of the node, and ask for another one if its values have changed. @param {any} node @param {any} one */
function look(node, one) {
  label(node);
  const values = valuesOf(node);
  const key = JSON.stringify(values);
  if (key !== one.asked && widget(node, "connection")) {
    one.asked = key;
    requestQuote(node, values, (quote, connections) => {
      if (key !== one.asked || !shown.has(node)) return; // changed again, or removed
      one.quote = quote;
      narrow(node, quote, connections);
      showQuote(node, one);
    });
  }
  showQuote(node, one);
}

/** @param {any} node @param {any} one */
function showQuote(node, one) {
  /** @type {import("./quotes.mjs").Quote | null} */
  const quote = one.quote;
  // A socket that waits for its link needs no red: only once the node is part of something is it a fault.
  const isIdle = !node.isAnyOutputConnected();
  const calm = ["prompt_needed", "images_few"];
  const found = quote?.violations.filter(({ reason }) => !(isIdle && calm.includes(reason))) ?? [];
  mark(node, found);
  hideAdvanced(node, Boolean(quote?.choices?.motion_mode.length));
  // Nodes 2.0 has such a button of its own.
  one.status.setAdvanced(hasAdvanced(node) && !window.LiteGraph.vueNodesMode ? (showsAdvanced(node) ? "hide" : "show") : "");
  one.status.setFree(quote?.is_sandbox ?? false);
  one.status.usual = quote?.usual ?? null;
  one.status.setViolations(found, quote?.provider ?? null);
  const hasPaid = one.paid && one.paid.request === requestKey(node);
  const words = !isPriced(node) ? "" : hasPaid ? paidWords(one.paid.costs, one.status.free, one.status.provider) : priceWords(quote?.price ?? null);
  one.status.price = hasLiveBadges() ? "" : words;
  one.status.drawStatus();
  if (words === one.badge) return;
  one.badge = words;
  one.status.widget.label = words; // makes Nodes 2.0 read the badge again, see badgeOf
  node.graph?.setDirtyCanvas(true, true);
}

/** A key of the node's values, to see whether they have changed. @param {any} node */
const requestKey = (node) => JSON.stringify(node.widgets.filter((/** @type {any} */ one) => one.name !== WIDGET).map((/** @type {any} */ one) => one.value));

/** The node ended with clips. @param {any} node @param {any} one @param {any[] | undefined} cards */
function finished(node, one, cards) {
  if (!cards?.length) return one.status.rest(), one.status.draw();
  one.status.done(cards);
  remember(node, one, cards);
  const jobs = cards.map((card) => card.job).slice(0, 4);
  node.properties[KEPT] = { node: String(node.id), jobs, height: one.status.fitted };
  noteChange();
  void refresh();
}

/** ComfyUI keeps the graph for a reload when it learns of a change, and it has no event for ours. */
function noteChange() {
  const tracker = app.extensionManager.workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.(); // its older name
}

/** Until its values change, the node says what its clip cost rather than what the next would.
 * @param {any} node @param {any} one @param {any[]} cards */
function remember(node, one, cards) {
  const costs = cards.map((card) => card.cost);
  one.paid = costs.every(Boolean) ? { request: requestKey(node), costs } : null;
  one.refresh();
}

/** The clip that the node made before the page was loaded; whether there is one. @param {any} node @param {any} one */
async function restore(node, one) {
  const kept = node.properties?.[KEPT];
  // A copy of a node has made nothing yet: its id is another one.
  if (!Array.isArray(kept?.jobs) || kept.node !== String(node.id) || one.status.cards.length) return false;
  const found = await Promise.all(kept.jobs.map((/** @type {string} */ job) => get(`/jobs/${encodeURIComponent(job)}`).catch(() => null)));
  const cards = found.filter(Boolean).map((job) => ({ ...job, job: job.id, task: job.task_id }));
  if (!cards.length || one.status.running) return false;
  one.status.done(cards);
  remember(node, one, cards);
  return true;
}

/** The node of an execution id: "12", or "3:12" within a subgraph. @param {string} id */
function find(id) {
  let graph = app.rootGraph ?? app.graph;
  let node = null;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById?.(part) ?? graph?.getNodeById?.(Number(part));
    graph = node?.subgraph;
  }
  return node ? shown.get(node) : undefined;
}

/** A message of nodes/host/node_events.py. @param {any} event */
function onNodeEvent(event) {
  const one = find(event.node);
  if (!one) return;
  if (event.step === "failed") fail(one, event);
  else if (event.step === "stopped") one.status.fail({ kind: "Stopped" });
  else one.status.step(event);
}

/** The run is over. A node that showed only a note outputs no clip, so no other event ends it. */
function ended() {
  for (const { status } of shown.values()) {
    if (status.running?.step !== "note") continue;
    status.rest();
    status.draw();
  }
}

/** ComfyUI's own message of an error, for runs of which ours went to another page. @param {any} event */
function failed(event) {
  const one = find(event.node_id);
  const kind = String(event.exception_type).split(".").pop();
  if (one && one.failed !== kind) fail(one, { kind, message: event.exception_message });
}

/** @param {any} one @param {any} event */
function fail(one, event) {
  one.status.fail(event);
  // Either message may come first; the second one gets no second toast.
  if (one.failed === event.kind) return;
  one.failed = event.kind;
  const { what, charged, next } = errorWords(one.status.error);
  app.extensionManager.toast.add({ severity: "error", summary: what, detail: `${charged} ${next}`, life: 20000 });
}

/** Offer tokens in the node's prompt, in the text box of the canvas and in the one that Nodes 2.0 draws.
 * @param {any} node @param {NodeStatus} status */
function watchPrompt(node, status) {
  const box = widget(node, "prompt");
  if (!box || !hasImages(node)) return;
  const count = () => images(node).least + images(node).urls;
  const own = box.element ?? box.inputEl;
  if (own) offerTokens(own, status.element, count);
  const home = status.element.closest("[data-node-id]");
  if (home) offerTokens(home, status.element, (area) => (isPrompt(area, node, home) ? count() : 0));
}

/** Nodes 2.0 draws its text boxes in the order of the widgets. @param {Element} area @param {any} node @param {Element} home */
function isPrompt(area, node, home) {
  const texts = node.widgets.filter((/** @type {any} */ one) => one.type === "customtext" || one.options?.multiline);
  return texts[[...home.querySelectorAll("textarea")].indexOf(/** @type {any} */ (area))]?.name === "prompt";
}
