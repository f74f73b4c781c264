// What a user can do with a job: at the server, in the graph, on the clipboard.
import { get, post } from "../shared/api.mjs";
import { addNode, canvasHome, canvasPosition, openWorkflow, setWidget, shownGraph, visibleArea } from "../shared/comfyui.mjs";
import { confirm, prompt } from "../shared/dialogs.mjs";
import { copyText } from "../shared/dom.mjs";
import { attempt, toast } from "../shared/feedback.mjs";
import { t } from "../shared/i18n.mjs";

/** The type under which a dragged row carries its job's id. */
export const DRAG_TYPE = "application/x-grok-imagine-job";
const LOADER = "GIVLoadVideoFrames";
/** Between nodes, and the height of a title bar, which lies above its node; in pixels of the canvas. */
const GAP = 40;
const TITLE = 40;

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
    return task ? send(job, "attach", { task_id: task }) : null;
  },
  async attach_url(job) {
    const url = await prompt({
      title: t("attach_url.title"),
      text: t("attach_url.text", { provider: job.provider }),
      label: t("attach_url.label"),
      yes: t("action.fetch"),
    });
    return url ? send(job, "attach", { url }) : null;
  },
  async again(job) {
    const yes = t("action.again");
    const text = t("again.text", { provider: job.provider });
    const isSure = await confirm({ title: t("again.title"), text, yes, isDangerous: true });
    return isSure ? send(job, "again", { knowingly: true }) : null;
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
  async use(job) {
    useSettings(await get(`/jobs/${job.id}`));
  },
};

/** The names of the actions that `act` knows. */
export const KNOWN = Object.keys(ACTS);

/** Do what a button says; faults become a toast. @param {string} name @param {any} job */
export const act = (name, job) => attempt(() => ACTS[name](job));

/** Open the workflow that a job came from, as a new tab. @param {any} job */
async function loadWorkflow(job) {
  await openWorkflow(await get(`/jobs/${job.id}/workflow`), t("workflow.name", { id: job.id }));
  toast("success", t("workflow.loaded"));
}

/**
 * Put a Load Video Frames node for a job into the graph.
 * @param {string} id @param {[number, number]} [place] in the canvas; a free one in its middle where none is given
 */
export function addFrames(id, place) {
  const node = addNode(LOADER, (one) => place ?? freePlace(one, id));
  if (!node) throw new Error(t("frames.missing"));
  setWidget(node, "source", id);
  toast("success", t("frames.added"));
}

/** Which node makes a job's kind of clip. @type {Record<string, string>} */
const MAKERS = {
  text_to_video: "GIVTextToVideo",
  image_to_video: "GIVImageToVideo",
  reference_to_video: "GIVImageToVideo",
  edit_video: "GIVEditVideo",
  extend_video: "GIVExtendVideo",
};

/** Add a node with a job's settings, its images aside. @param {any} job */
function useSettings(job) {
  const kind = MAKERS[job.mode];
  const node = kind && addNode(kind, (one) => freePlace(one, job.id));
  if (!node) throw new Error(t("use.impossible"));
  const { duration_seconds: duration, ...parameters } = job.parameters;
  const values = { connection: job.connection, model: job.model, mode: job.mode, prompt: job.prompt, duration, ...parameters };
  for (const [name, value] of Object.entries(values)) {
    const offered = node.widgets.find((/** @type {any} */ one) => one.name === name)?.options?.values;
    if (value !== undefined && (!offered || offered.includes(value))) setWidget(node, name, value);
  }
  toast("success", t("use.added"));
}

/** A place that covers no other node: beside the one that made the clip, else in the middle of what is in sight.
 * @param {any} node @param {string} id the job's @returns {[number, number]} */
function freePlace(node, id) {
  const [x, y, width, height] = visibleArea();
  const [wide, high] = node.size;
  const others = shownGraph()._nodes;
  const maker = others.find((/** @type {any} */ one) => one.properties?.grok_imagine?.jobs?.includes(id));
  let place = maker ? [maker.pos[0] + 1, maker.pos[1]] : [x + width / 2 - wide / 2, y + height / 2 - high / 2];
  for (;;) {
    const [left, top] = place;
    const hit = others.find(
      (/** @type {any} */ { pos, size }) =>
        left < pos[0] + size[0] + GAP && pos[0] < left + wide + GAP && top < pos[1] + size[1] + TITLE && pos[1] < top + high + TITLE,
    );
    if (!hit) return /** @type {[number, number]} */ (place);
    place = [hit.pos[0] + hit.size[0] + GAP, top];
  }
}

/** Let rows be dropped on the canvas. */
export function acceptDrops() {
  const canvas = canvasHome();
  const isOurs = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes(DRAG_TYPE);
  canvas.addEventListener("dragover", (/** @type {DragEvent} */ event) => {
    if (isOurs(event)) event.preventDefault();
  });
  canvas.addEventListener("drop", (/** @type {DragEvent} */ event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    event.stopPropagation();
    const id = event.dataTransfer?.getData(DRAG_TYPE) ?? "";
    attempt(async () => addFrames(id, canvasPosition(event)));
  });
}

/** Copy a text, and say so. @param {string} text @param {Element} home an element of ours */
export async function copy(text, home) {
  await copyText(text, home);
  toast("success", t("action.copied"));
}
