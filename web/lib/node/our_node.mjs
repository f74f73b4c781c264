// One of our nodes in the page: its quote, price and tokens, the status of its job, and its clip.
import { get } from "../shared/api.mjs";
import { hasLiveBadges, isVueMode, newBadge, noteChange, setWidget } from "../shared/comfyui.mjs";
import { paidWords, priceWords } from "./badge.mjs";
import { jobActions, settingsActions } from "./error_actions.mjs";
import { arrange, fit, growPrompt, hasAdvanced, hideAdvanced, showsAdvanced, shrink } from "./layout.mjs";
import { offerTokens } from "./prompt.mjs";
import { refresh, requestQuote } from "./quotes.mjs";
import { NodeStatus } from "./status.mjs";
import { TEXTS, hasImages, images, isPrompt, label, mark, narrow, ownChoices, surplusSockets, valuesOf, widget } from "./widgets.mjs";

const KEPT = "grok_imagine";
/** The node's property that names its last job, so that the clip is there again when the workflow is opened. */
const WIDGET = "grok_status";
/** Around the status, in the canvas, where it is part of the widget's height. */
const MARGIN = 3;

export class OurNode {
  /** @param {any} node @param {() => void} removed called once the node is removed */
  constructor(node, removed) {
    this.node = node;
    this.badge = "";
    /** What the last run cost, for as long as the node's values are the same. @type {{request: string, costs: any[]} | null} */
    this.paid = null;
    this.asked = "";
    /** @type {import("./quotes.mjs").Quote | null} */
    this.quote = null;
    this.isRemoved = false;
    this.hasFinished = false;
    this.status = new NodeStatus({
      onResize: () => fit(node, this.status),
      onShown: () => this.watchPrompt(),
      onAdvanced: () => node.toggleAdvanced(),
      onAddKey: () => settingsActions("MissingKey", this.connection)[0].act(),
      onFix: (field, choice) => this.fix(field, choice),
    });
    this.attach();
    this.chain(removed);
    this.refresh();
  }

  get connection() {
    return String(widget(this.node, "connection")?.value ?? "");
  }

  /** Add the status to the node, and arrange its widgets. */
  attach() {
    const { node, status } = this;
    const height = () => status.height + 2 * MARGIN;
    const options = { serialize: false, hideOnZoom: false, margin: MARGIN, getMinHeight: height, getMaxHeight: height };
    const drawn = node.addDOMWidget(WIDGET, WIDGET, status.element, { ...options, getValue: () => undefined, setValue: () => {} });
    status.widget = drawn;
    drawn.serialize = false; // else it would take a place among the workflow's values
    if (this.isPriced && hasLiveBadges()) node.badges?.push(() => this.drawBadge());
    ownChoices(node);
    arrange(node);
    hideAdvanced(node, false, true);
    growPrompt(node);
  }

  /** Follow what happens to the node. @param {() => void} removed */
  chain(removed) {
    const { node, status } = this;
    const look = () => this.refresh();
    for (const each of node.widgets) if (each !== status.widget) chain(each, "callback", look);
    chain(node, "toggleAdvanced", look); // also from ComfyUI's own menu
    chain(node, "onConnectionsChange", () => queueMicrotask(look));
    chain(node, "onConfigure", () => {
      hideAdvanced(node, true, true);
      status.awaited = node.properties?.[KEPT]?.height ?? 0;
      look();
      void this.restore().then((isThere) => isThere || shrink(node, status));
    });
    chain(node, "onExecuted", (/** @type {any} */ output) => this.finished(output?.[KEPT]));
    chain(node, "onRemoved", () => {
      this.isRemoved = true;
      status.remove();
      removed();
    });
  }

  /** Nodes that make clips, so that a price can be said. */
  get isPriced() {
    return TEXTS.some((name) => widget(this.node, name));
  }

  /** The canvas asks for a badge at each drawing; Nodes 2.0 once, and again when something changes that was read for it. */
  drawBadge() {
    for (const each of this.node.widgets ?? []) void each.value;
    void this.status.widget.label;
    return newBadge(this.badge);
  }

  /** Show the quote of the node, and ask for another one if its values have changed.
   * @param {boolean} [isStale] whether the settings may have changed */
  refresh(isStale = false) {
    const { node } = this;
    if (isStale) this.asked = "";
    label(node);
    const values = valuesOf(node);
    const key = JSON.stringify(values);
    if (key !== this.asked && widget(node, "connection")) {
      this.asked = key;
      requestQuote(node, values, (quote, connections) => {
        if (key !== this.asked || this.isRemoved) return; // changed again, or removed
        this.quote = quote;
        narrow(node, quote, connections);
        this.showQuote();
      });
    }
    this.showQuote();
  }

  showQuote() {
    const { node, quote, status } = this;
    const found = this.violations();
    mark(node, found);
    hideAdvanced(node, Boolean(quote?.choices?.motion_mode.length));
    // Nodes 2.0 has such a button of its own.
    status.setAdvanced(hasAdvanced(node) && !isVueMode() ? (showsAdvanced(node) ? "hide" : "show") : "");
    status.setFree(quote?.is_sandbox ?? false);
    status.usual = quote?.usual ?? null;
    status.setViolations(found, quote?.provider ?? null);
    const paid = this.paid?.request === this.requestKey() ? this.paid : null;
    const words = paid ? paidWords(paid.costs, status.free, status.provider) : priceWords(quote?.price ?? null);
    const shown = this.isPriced ? words : "";
    status.price = hasLiveBadges() ? "" : shown;
    status.drawStatus();
    if (shown === this.badge) return;
    this.badge = shown;
    status.widget.label = shown; // makes Nodes 2.0 read the badge again, see drawBadge
    node.graph?.setDirtyCanvas(true, true);
  }

  /** What is wrong with the values. Too many images are mended at the sockets that bring them. */
  violations() {
    // A socket that waits for its link needs no red: only once the node is part of something is it a fault.
    const isIdle = !this.node.isAnyOutputConnected();
    const calm = ["prompt_needed", "images_few"];
    const found = this.quote?.violations.filter(({ reason }) => !(isIdle && calm.includes(reason))) ?? [];
    return found.map((one) => {
      if (one.reason !== "images_many" && one.reason !== "images_none") return one;
      const sockets = surplusSockets(this.node, Number(one.values.most ?? 0));
      return { ...one, fixes: [...sockets.map((field) => ({ field, value: "" })), ...one.fixes] };
    });
  }

  /** @param {string} field a widget, or a socket to disconnect @param {string | number} choice */
  fix(field, choice) {
    const socket = this.node.inputs?.findIndex((/** @type {any} */ one) => one.name === field && !one.widget) ?? -1;
    if (socket >= 0) this.node.disconnectInput(socket);
    else setWidget(this.node, field, choice);
    this.refresh();
  }

  /** A key of the node's values, to see whether they have changed. */
  requestKey() {
    const values = this.node.widgets.filter((/** @type {any} */ one) => one.name !== WIDGET);
    return JSON.stringify(values.map((/** @type {any} */ one) => one.value));
  }

  // -- a run

  /** A message of nodes/host/node_events.py. @param {any} event */
  take(event) {
    if (this.hasFinished) return; // a late note must not hide the clips
    if (event.step === "failed") this.fail(event);
    else if (event.step === "stopped") this.status.fail({ kind: "Stopped" });
    else this.status.step(event);
  }

  /** The node ended with clips. @param {any[] | undefined} cards */
  finished(cards) {
    const { node, status } = this;
    if (!cards?.length) return status.rest(), status.draw();
    status.done(cards);
    this.hasFinished = true;
    this.remember(cards);
    const jobs = cards.map((card) => card.job).slice(0, 4);
    node.properties[KEPT] = { node: String(node.id), jobs, height: status.fitted };
    noteChange();
    void refresh();
  }

  /** Until its values change, the node says what its clip cost rather than what the next would. @param {any[]} cards */
  remember(cards) {
    const costs = cards.map((card) => card.cost);
    this.paid = costs.every(Boolean) ? { request: this.requestKey(), costs } : null;
    this.refresh();
  }

  /** The clip that the node made before the page was loaded; whether there is one. */
  async restore() {
    const { node, status } = this;
    const kept = node.properties?.[KEPT];
    // A copy of a node has made nothing yet: its id is another one.
    if (!Array.isArray(kept?.jobs) || kept.node !== String(node.id) || status.cards.length) return false;
    const cards = (await Promise.all(kept.jobs.map(cardOf))).filter(Boolean);
    if (!cards.length || status.running) return false;
    status.done(cards);
    this.remember(cards);
    return true;
  }

  /** A run begins. */
  began() {
    this.hasFinished = false;
  }

  /** The run is over. A node that showed only a note outputs no clip, so no other event ends it. */
  ended() {
    if (this.status.running?.step !== "note") return;
    this.status.rest();
    this.status.draw();
  }

  // -- errors

  /** ComfyUI's own message of an error, for runs of which ours went to another page. @param {any} event */
  failed(event) {
    const kind = String(event.exception_type).split(".").pop();
    if (this.status.error?.kind !== kind) this.fail({ kind, message: event.exception_message });
  }

  /** The run ended with an error. ComfyUI tells it, too; the node says what to do about it.
   * @param {any} event kind, message, job, task */
  fail(event) {
    this.status.fail({ ...event, actions: settingsActions(event.kind, this.connection) });
    const { error } = this.status;
    if (!error.job) return;
    void get(`/jobs/${encodeURIComponent(error.job)}`).then((job) => {
      if (this.status.error !== error) return; // something else has happened since
      const actions = jobActions(job, (reply) => reply && this.stopped(reply));
      this.status.fail({ ...error, actions: [...error.actions, ...actions] });
    }, () => {}); // without a journal there is nothing to do with a job
  }

  /** Show that the job of the last error goes on at the provider. @param {any} job */
  stopped(job) {
    this.status.fail({ kind: "Stopped", job: job.id, task: job.task_id });
  }

  /** A job has changed: the one of the last error may have got its clip, or be on its way again.
   * @param {any} job */
  follow(job) {
    const { error } = this.status;
    if (error?.job !== job.id) return;
    if (job.state === "saved") void cardOf(job.id).then((card) => card && this.finished([card]));
    else if (job.state === "submitted" && !job.error_kind && error.kind !== "Stopped") this.stopped(job);
  }

  // -- the prompt

  /** Offer tokens in the node's prompt, in the text box of the canvas and in the one that Nodes 2.0 draws. */
  watchPrompt() {
    const { node, status } = this;
    const box = widget(node, "prompt");
    if (!box || !hasImages(node)) return;
    const count = () => images(node).least + images(node).urls;
    const own = box.element ?? box.inputEl;
    if (own) offerTokens(own, status.element, count);
    const home = status.element.closest("[data-node-id]");
    if (home) offerTokens(home, status.element, (area) => (isPrompt(area, node, home) ? count() : 0));
  }
}

/** A job as a node shows a finished one; null where it is not known here. @param {string} id */
async function cardOf(id) {
  const job = await get(`/jobs/${encodeURIComponent(id)}`).catch(() => null);
  return job && { ...job, job: job.id, task: job.task_id };
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
