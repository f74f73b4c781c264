// What a user can do with a job: at the server, in the graph, on the clipboard.
import { app } from "../../../../scripts/app.js";
import { get, post } from "../shared/api.mjs";
import { confirm, prompt } from "../shared/dialogs.mjs";
import { copyText } from "../shared/dom.mjs";
import { attempt, toast } from "../shared/feedback.mjs";
import { t } from "../shared/i18n.mjs";

/** The type under which a dragged row carries its job's id. */
export const DRAG_TYPE = "application/x-grok-imagine-job";
const LOADER = "GIVLoadVideoFrames";

/** @param {any} job @param {string} act @param {Record<string, unknown>} [body] */
const send = (job, act, body) => post(`/jobs/${job.id}/${act}`, body);

/** @param {any} job */
async function resume(job) {
  const found = await send(job, "resume");
  if (!found.is_done) toast("info", t("action.begun"));
}

/** @type {Record<string, (job: any) => Promise<unknown>>} */
const ACTS = {
  resume,
  fetch: resume,
  ask: resume,
  async attach(job) {
    const task = await prompt({
      title: t("attach.title"),
      text: t("attach.text", { provider: job.provider }),
      label: t("attach.label"),
      yes: t("action.attach"),
    });
    if (task) await send(job, "attach", { task_id: task });
  },
  async attach_url(job) {
    const url = await prompt({
      title: t("attach_url.title"),
      text: t("attach_url.text", { provider: job.provider }),
      label: t("attach_url.label"),
      yes: t("action.fetch"),
    });
    if (url) await send(job, "attach", { url });
  },
  async again(job) {
    const yes = t("action.again");
    const text = t("again.text", { provider: job.provider });
    if (await confirm({ title: t("again.title"), text, yes, isDangerous: true })) {
      await send(job, "again", { knowingly: true });
    }
  },
  async drop(job) {
    const text = t("drop.text", { provider: job.provider });
    if (await confirm({ title: t("drop.title"), text, yes: t("action.drop"), isDangerous: true })) {
      toast("info", t("action.drop"), (await send(job, "drop")).message);
    }
  },
  async remove(job) {
    const text = t(job.has_file ? "remove.text" : "remove.textNoFile");
    if (await confirm({ title: t("remove.title"), text, yes: t("action.remove"), isDangerous: true })) {
      await send(job, "remove");
    }
  },
  async frames(job) {
    addFrames(job.id);
  },
  async workflow(job) {
    await loadWorkflow(job);
  },
};

/** The names of the actions that `act` knows. */
export const KNOWN = Object.keys(ACTS);

/** Do what a button says; faults become a toast. @param {string} name @param {any} job */
export const act = (name, job) => attempt(() => ACTS[name](job));

/** Open the workflow that a job came from, as a new tab. @param {any} job */
async function loadWorkflow(job) {
  const kept = await get(`/jobs/${job.id}/workflow`);
  const name = t("workflow.name", { id: job.id });
  if (kept.workflow) await app.loadGraphData(kept.workflow, true, true, name);
  else await app.loadApiJson(kept.prompt, name);
  toast("success", t("workflow.loaded"));
}

/**
 * Put a Load Video Frames node for a job into the graph.
 * @param {string} id @param {[number, number]} [place] in the canvas; its middle where none is given
 */
export function addFrames(id, place) {
  const node = window.LiteGraph.createNode(LOADER);
  if (!node) throw new Error(t("frames.missing"));
  const [x, y, width, height] = app.canvas.ds.visible_area ?? [0, 0, 800, 600];
  node.pos = place ?? [x + width / 2 - node.size[0] / 2, y + height / 2 - node.size[1] / 2];
  const graph = app.canvas.graph ?? app.graph;
  graph.add(node);
  const source = node.widgets?.find((/** @type {any} */ widget) => widget.name === "source");
  if (source) {
    source.value = id;
    source.callback?.(id);
  }
  app.canvas.selectNode?.(node);
  graph.setDirtyCanvas(true, true);
  toast("success", t("frames.added"));
  return node;
}

/** Let rows be dropped on the canvas. */
export function acceptDrops() {
  const canvas = app.canvas.canvas.parentElement;
  const isOurs = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes(DRAG_TYPE);
  canvas?.addEventListener("dragover", (/** @type {DragEvent} */ event) => {
    if (isOurs(event)) event.preventDefault();
  });
  canvas?.addEventListener("drop", (/** @type {DragEvent} */ event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    event.stopPropagation();
    const id = event.dataTransfer?.getData(DRAG_TYPE) ?? "";
    attempt(async () => addFrames(id, app.clientPosToCanvasPos([event.clientX, event.clientY])));
  });
}

/** Copy a text, and say so. @param {string} text @param {Element} home an element of ours */
export async function copy(text, home) {
  await copyText(text, home);
  toast("success", t("action.copied"));
}
