// Our nodes in the page: price, limits, tokens, progress, the clip. Everything hangs on single nodes; no prototype
// of ComfyUI's is touched, so that both its renderers and other packs see what they know.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { ask, listen } from "./api.mjs";
import { loadStrings, t } from "./i18n.mjs";
import { Face } from "./node_face.mjs";
import { costWords, errorWords } from "./node_words.mjs";
import { images, judge, label, mark, narrow, widget } from "./node_fields.mjs";
import { isOurs, modesOf } from "./node_kinds.mjs";
import { decimal, dollars, estimate } from "./node_price.mjs";
import { offerTokens } from "./node_prompt.mjs";
import { capabilities, introduce, onChange, refresh, usual } from "./node_store.mjs";
import { addStyles } from "./node_style.mjs";

const KEPT = "grok_imagine";
/** The node's property that names its last job, so that the clip is there again when the workflow is opened. */
const FACE = "grok_face";
/** Around the face, in the canvas: it is part of a widget's height there. */
const MARGIN = 6;

/** @type {Map<any, {face: Face, badge: string, paid: {wish: string, words: string} | null,
 *                    refresh: () => void}>} */
const shown = new Map();

export const extension = {
  name: "grokimaginevideo.nodes",

  async init() {
    await loadStrings();
    addStyles();
    offerTokens(countFor);
  },

  setup() {
    onChange(refreshAll);
    void refresh();
    void introduce();
    api.addEventListener("reconnected", () => void Promise.all([refresh(), introduce()]));
    listen("grok_imagine.node", heard);
    // Also for runs whose progress went to another page, and for pages that the server has forgotten.
    listen("execution_error", failed);
    listen("execution_start", () => {
      for (const one of shown.values()) one.failed = null;
      void introduce();
    });
  },

  /** @param {any} node */
  nodeCreated(node) {
    if (isOurs(node)) dress(node);
  },

  afterConfigureGraph: refreshAll,

  /** ComfyUI has put the lists of all nodes back to what their definitions say. */
  refreshComboInNodes: () => refresh(),
};

function refreshAll() {
  for (const [node, one] of shown) if (node.graph) one.refresh();
}

/** Give a node its face. @param {any} node */
function dress(node) {
  const modes = modesOf(node);
  const face = new Face({
    onResize: () => fit(node, face),
    onFix: (field, choice) => {
      const found = widget(node, field);
      if (!found) return;
      found.value = choice;
      found.callback?.(choice, app.canvas, node, [0, 0], {});
      one.refresh();
    },
  });
  /** @type {any} */
  const one = { face, badge: "", paid: null, refresh: () => look(node, modes, one) };
  shown.set(node, one);
  const drawn = node.addDOMWidget(FACE, FACE, face.element, {
    serialize: false,
    hideOnZoom: false,
    margin: MARGIN,
    getMinHeight: () => face.height + 2 * MARGIN,
    getMaxHeight: () => face.height + 2 * MARGIN,
    getValue: () => undefined,
    setValue: () => {},
  });
  face.widget = drawn;
  drawn.serialize = false; // else it would take a place among the workflow's values
  if (modes.length) {
    if (hasLiveBadges()) node.badges?.push(badgeOf(node, one));
    growPrompt(node);
  }
  for (const each of node.widgets) if (each !== drawn) chain(each, "callback", one.refresh);
  chain(node, "onConnectionsChange", () => queueMicrotask(one.refresh));
  chain(node, "onConfigure", () => {
    one.refresh();
    void restore(node, one);
  });
  chain(node, "onExecuted", (/** @type {any} */ output) => finished(node, one, output?.[KEPT]));
  chain(node, "onRemoved", () => {
    face.remove();
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
    void one.face.widget.label;
    return new window.LGraphBadge({ text: one.badge, fgColor: "#fff", bgColor: "#3b3f58" });
  };
}

/** The Nodes 2.0 of front ends before 1.42 ask for a badge's text once, so there the price is told in the face. */
function hasLiveBadges() {
  const [major, minor] = String(window.__COMFYUI_FRONTEND_VERSION__ ?? "2.0").split(".").map(Number);
  return !window.LiteGraph.vueNodesMode || major > 1 || minor >= 42;
}

/** A prompt is written and read here: a new node begins with room for it. @param {any} node */
function growPrompt(node) {
  const box = widget(node, "prompt");
  if (!box?.options) return;
  const before = box.options.getMinHeight;
  box.options.getMinHeight = () => Math.max(110, before?.() ?? 0);
  const [width, height] = node.computeSize();
  node.setSize([Math.max(400, width, node.size[0]), Math.max(height, node.size[1]) + 40]);
}

/** Grow or shrink the node by what the face has grown or shrunk. @param {any} node @param {any} face */
function fit(node, face) {
  const before = face.fitted ?? 0;
  face.fitted = face.height;
  const least = node.computeSize();
  const height = Math.max(least[1], node.size[1] + face.height - before);
  // A saved node has the size that it had with its face: the first measure only makes sure that it holds.
  node.setSize([node.size[0], before ? height : Math.max(least[1], node.size[1])]);
  node.graph?.setDirtyCanvas(true, true);
}

/** Judge the node's values anew, and show it. @param {any} node @param {string[]} modes @param {any} one */
function look(node, modes, one) {
  const known = capabilities();
  const judged = judge(node, modes, known);
  narrow(node, modes, judged, known);
  label(node);
  // A socket that waits for its link needs no red: only once the node is part of something is it a fault.
  const isIdle = !node.outputs?.some((/** @type {any} */ output) => output.links?.length);
  const calm = ["prompt_needed", "images_few"];
  const found = judged.faults.filter((fault) => !(isIdle && calm.includes(fault.word)));
  mark(node, found);
  one.face.free = judged.connection?.is_sandbox ?? false;
  one.face.usual = judged.name && judged.capability ? usual(judged.name, judged.capability.mode) : null;
  one.face.setFaults(found);
  const words = badge(judged, one);
  one.face.price = modes.length && !hasLiveBadges() ? words : "";
  one.face.drawStatus();
  if (words === one.badge) return;
  one.badge = words;
  one.face.widget.label = words; // heard by Nodes 2.0, see badgeOf
  node.graph?.setDirtyCanvas(true, true);
}

/** The price, in a few words. @param {ReturnType<typeof judge>} judged @param {any} one */
function badge(judged, one) {
  const { capability, connection, wish } = judged;
  if (one.paid && one.paid.wish === wishKey(judged)) return one.paid.words;
  if (!capability || !connection) return t("node.badge.unknown");
  const resolution = !wish.resolution || wish.resolution === "auto" ? null : wish.resolution;
  const cost = estimate(capability, resolution, wish.duration || null);
  if (!cost) return connection.is_sandbox ? t("node.badge.free") : t("node.badge.see");
  const values = { credits: decimal(cost.credits ?? 0n), usd: dollars(cost.usd) };
  return t(connection.is_sandbox ? "node.badge.sandbox" : "node.badge.estimate", values);
}

/** @param {ReturnType<typeof judge>} judged */
const wishKey = (judged) => JSON.stringify([judged.name, judged.wish]);

/** The node ended with clips. @param {any} node @param {any} one @param {any[] | undefined} cards */
function finished(node, one, cards) {
  if (!cards?.length) return one.face.rest(), one.face.draw();
  one.face.done(cards);
  remember(node, one, cards);
  const jobs = cards.map((card) => card.job).slice(0, 4);
  node.properties[KEPT] = { node: String(node.id), jobs };
  void refresh();
}

/** Until its values change, the node says what its clip cost rather than what the next would.
 * @param {any} node @param {any} one @param {any[]} cards */
function remember(node, one, cards) {
  if (cards.length !== 1) return;
  const words = costWords(cards[0].cost ?? null, one.face.free);
  const judged = judge(node, modesOf(node), capabilities());
  one.paid = words ? { wish: wishKey(judged), words } : null;
  one.refresh();
}

/** The clip that the node made before the page was loaded. @param {any} node @param {any} one */
async function restore(node, one) {
  const kept = node.properties?.[KEPT];
  // A copy of a node has made nothing yet: its id is another one.
  if (!Array.isArray(kept?.jobs) || kept.node !== String(node.id) || one.face.cards.length) return;
  const found = await Promise.all(kept.jobs.map((/** @type {string} */ job) => ask(`/jobs/${encodeURIComponent(job)}`).catch(() => null)));
  const cards = found.filter(Boolean).map((job) => ({ ...job, job: job.id, task: job.task_id }));
  if (!cards.length || one.face.running) return;
  one.face.done(cards);
  remember(node, one, cards);
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

/** A message of nodes/face.py. @param {any} told */
function heard(told) {
  const one = find(told.node);
  if (!one) return;
  if (told.step === "failed") fail(one, told);
  else if (told.step === "stopped") one.face.fail({ kind: "Stopped" });
  else one.face.step(told);
}

/** ComfyUI's own message of an error, for runs of which ours went to another page. @param {any} told */
function failed(told) {
  const one = find(told.node_id);
  const kind = String(told.exception_type).split(".").pop();
  if (one && one.failed !== kind) fail(one, { kind, message: told.exception_message });
}

/** @param {any} one @param {any} told */
function fail(one, told) {
  one.face.fail(told);
  // Either message may come first; the second one tells more or the same, and is not shouted again.
  if (one.failed === told.kind) return;
  one.failed = told.kind;
  const { what, charged, next } = errorWords(one.face.error);
  app.extensionManager.toast.add({ severity: "error", summary: what, detail: `${charged} ${next}`, life: 20000 });
}

/** How many images the prompt in that text box may name. @param {HTMLTextAreaElement} area */
function countFor(area) {
  for (const node of shown.keys()) {
    const box = widget(node, "prompt");
    if (!box || !node.graph) continue;
    const isIts = box.element === area || box.inputEl === area || isInVue(area, node);
    if (isIts) return node.inputs?.some((/** @type {any} */ one) => one.name === "image_1") ? images(node).least : 0;
  }
  return 0;
}

/** Nodes 2.0 draws a text box of its own: it is the prompt's if it holds the prompt. @param {HTMLElement} area @param {any} node */
function isInVue(area, node) {
  const home = area.closest("[data-node-id]");
  if (home?.getAttribute("data-node-id") !== String(node.id)) return false;
  const boxes = [...home.querySelectorAll("textarea")];
  const texts = (node.widgets ?? []).filter((/** @type {any} */ one) => one.type === "customtext" || one.options?.multiline);
  return texts[boxes.indexOf(/** @type {any} */ (area))]?.name === "prompt";
}
