// Our nodes as an extension of ComfyUI: gives each one its part of the page, and passes the server's messages on.
// Everything hangs on single nodes; no prototype of ComfyUI's is touched, so that both its renderers and other packs
// see what they know.
import { findNode, listen, onSettingChange } from "../shared/comfyui.mjs";
import { loadStrings } from "../shared/i18n.mjs";
import { OurNode } from "./our_node.mjs";
import { onChange, refresh, registerPage } from "./quotes.mjs";

/** @type {Map<any, OurNode>} */
const shown = new Map();

export const extension = {
  name: "grokimaginevideo.nodes",

  init: loadStrings,

  setup() {
    onChange(() => refreshAll(true));
    void registerPage();
    // The page learns its own id from the first status message, which may come after this.
    const stop = listen("status", () => (stop(), void registerPage()));
    listen("reconnected", () => void registerPage().then(refresh));
    onSettingChange("Comfy.VueNodes.Enabled", () => setTimeout(() => refreshAll(false)));
    listen("grok_imagine.node", (/** @type {any} */ event) => find(event.node)?.take(event));
    listen("grok_imagine.job", (/** @type {any} */ job) => shown.forEach((one) => one.follow(job)));
    listen("grok_imagine.settings", refresh);
    // Also for runs whose progress went to another page, and for pages that the server has forgotten.
    listen("execution_error", (/** @type {any} */ event) => find(event.node_id)?.failed(event));
    for (const end of ["execution_success", "execution_error", "execution_interrupted"]) {
      listen(end, () => shown.forEach((one) => one.ended()));
    }
    listen("execution_start", () => {
      shown.forEach((one) => one.began());
      void registerPage();
    });
  },

  /** @param {any} node */
  nodeCreated(node) {
    if (!/^GIV[A-Z]/.test(node.comfyClass ?? node.type ?? "")) return;
    shown.set(node, new OurNode(node, () => shown.delete(node)));
  },

  afterConfigureGraph: () => refreshAll(false),

  /** ComfyUI has put the lists of all nodes back to what their definitions say. */
  refreshComboInNodes: () => refresh(),
};

/** @param {boolean} isStale whether the settings may have changed */
function refreshAll(isStale) {
  for (const one of shown.values()) one.refresh(isStale);
}

/** @param {string} id an execution id */
const find = (id) => shown.get(findNode(id));
