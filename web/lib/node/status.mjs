// The status of a node: what is wrong with its values, how its job goes, the clip, and the ids and the cost to copy.
import { mediaUrl } from "../shared/api.mjs";
import { copyText, sheet } from "../shared/dom.mjs";
import { clock, costWords, errorWords, fixWords, usualWords, violationWords } from "./text.mjs";
import { t, tOr } from "../shared/i18n.mjs";

const STEPS = ["preparing", "uploading", "submitting", "queued", "generating", "downloading", "done"];

/** @param {string} kind @param {string} [name] @param {string} [text] */
function make(kind, name, text) {
  const element = document.createElement(kind);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** @param {string} label @param {() => void} act */
function fixButton(label, act) {
  const button = /** @type {HTMLButtonElement} */ (make("button", "giv-node-fix", label));
  button.type = "button";
  button.onclick = act;
  return button;
}

export class NodeStatus {
  /** @param {{onResize: () => void, onShown: () => void, onAddKey: () => void, onAdvanced: () => void,
   *           onFix: (field: string, value: string | number) => void}} host */
  constructor(host) {
    this.host = host;
    /** @type {any} the widget that holds the status */
    this.widget = {};
    /** @type {any} */
    this.running = null;
    /** @type {Map<string, any>} */
    this.jobs = new Map();
    /** @type {any[]} */
    this.cards = [];
    /** @type {any} */
    this.error = null;
    this.note = "";
    this.free = false;
    this.price = "";
    /** @type {import("./quotes.mjs").UsualTime | null} */
    this.usual = null;
    /** @type {import("./quotes.mjs").Violation[]} */
    this.violations = [];
    /** @type {string | null} */
    this.provider = null;
    this.element = make("div", "giv-node");
    this.element.append(sheet("../node/status.css", () => this.measured()));
    this.inner = this.element.appendChild(make("div", "giv-node-inner"));
    this.advanced = /** @type {HTMLButtonElement} */ (this.inner.appendChild(make("button", "giv-node-advanced")));
    this.advanced.type = "button";
    this.advanced.hidden = true;
    this.advanced.onclick = () => this.host.onAdvanced();
    this.faultList = this.inner.appendChild(make("ul", "giv-node-faults"));
    this.status = this.inner.appendChild(make("div", "giv-node-status"));
    this.status.setAttribute("role", "status");
    this.bar = this.inner.appendChild(make("div", "giv-node-bar"));
    this.bar.setAttribute("role", "progressbar");
    this.fill = this.bar.appendChild(make("div", "giv-node-fill"));
    this.errorBox = this.inner.appendChild(make("div", "giv-node-error"));
    this.errorBox.setAttribute("role", "alert");
    this.player = this.inner.appendChild(make("div", "giv-node-player"));
    this.facts = this.inner.appendChild(make("dl", "giv-node-facts"));
    this.height = 0;
    /** The height that the node has room for. */
    this.fitted = 0;
    /** How high it was when the node was saved, until it is so again. */
    this.awaited = 0;
    this.observer = new ResizeObserver(() => this.measured());
    this.observer.observe(this.inner);
    this.draw();
  }

  measured() {
    // Taken out of the page (a closed subgraph, another workflow), it measures nothing.
    if (this.inner.isConnected) this.host.onShown();
    if (!this.inner.isConnected || !this.inner.offsetHeight || this.inner.offsetHeight === this.height) return;
    this.height = this.inner.offsetHeight;
    this.host.onResize();
  }

  remove() {
    this.observer.disconnect();
    clearInterval(this.ticking);
  }

  /** @param {import("./quotes.mjs").Violation[]} violations @param {string | null} provider its label */
  setViolations(violations, provider) {
    const key = JSON.stringify([violations, provider]);
    if (key === this.violationKey) return;
    Object.assign(this, { violationKey: key, violations, provider });
    this.drawFaults();
  }

  /** The button for advanced inputs. @param {"show" | "hide" | ""} state what it does; "": there is none */
  setAdvanced(state) {
    this.advanced.hidden = !state;
    if (state) this.advanced.textContent = t(`node.advanced.${state}`);
    this.advanced.setAttribute("aria-expanded", String(state === "hide"));
  }

  /** Whether the connection is a sandbox, where nobody is paid. @param {boolean} isFree */
  setFree(isFree) {
    if (isFree === this.free) return;
    this.free = isFree;
    this.draw();
  }

  /** A run starts or makes progress. @param {any} event a message of nodes/host/node_events.py */
  step(event) {
    if (event.step === "note") {
      this.note = event.text;
      this.running ??= { step: "note", elapsed: 0 };
    } else {
      if (!this.running || this.running.prompt_id !== event.prompt_id) this.jobs.clear();
      this.note = "";
      this.jobs.set(event.job, event);
      this.running = { ...event };
    }
    this.running.receivedAt = performance.now();
    this.error = null;
    this.ticking ??= setInterval(() => this.drawStatus(), 1000);
    this.draw();
  }

  /** The run ended with clips. @param {any[]} cards */
  done(cards) {
    this.rest();
    this.error = null;
    this.cards = cards;
    this.draw();
  }

  /** The run ended without. @param {any} event kind, message, job, task, and actions to offer */
  fail(event) {
    const last = this.running ?? {};
    this.rest();
    this.error = { job: last.job, task: last.task, ...event };
    this.draw();
  }

  rest() {
    this.running = null;
    this.note = "";
    clearInterval(this.ticking);
    this.ticking = undefined;
  }

  draw() {
    this.drawFaults();
    this.drawStatus();
    this.drawTrouble();
    this.drawPlayer();
    this.drawFacts();
  }

  drawFaults() {
    this.faultList.replaceChildren(
      ...this.violations.map((one) => {
        const row = make("li", one.is_warning ? "giv-node-warning" : "giv-node-fault");
        row.append(make("span", "", violationWords(one, this.provider)));
        if (one.reason === "no_key") row.append(fixButton(t("node.addKey"), () => this.host.onAddKey()));
        for (const { field, value } of one.fixes.slice(0, 8)) {
          row.append(fixButton(fixWords(field, value), () => this.host.onFix(field, value)));
        }
        return row;
      }),
    );
  }

  drawStatus() {
    const now = this.running;
    this.bar.hidden = !now;
    if (!now) {
      const isFresh = this.usual && !this.cards.length && !this.error;
      this.status.textContent = [this.price, isFresh ? usualWords(this.usual) : ""].filter(Boolean).join(" · ");
      this.status.hidden = !this.status.textContent;
      return;
    }
    const elapsed = now.elapsed + (performance.now() - now.receivedAt) / 1000;
    const several = this.jobs.size > 1 ? [t("node.clips", { count: this.jobs.size })] : [];
    const step = this.note || tOr(`node.step.${now.step}`, now.step);
    const percent = typeof now.percent === "number" ? ` ${Math.round(now.percent)} %` : "";
    const parts = [step + percent, ...several, clock(elapsed)];
    if (this.usual && now.step !== "note") parts.push(t("node.usually", { time: clock(this.usual.median) }));
    const cost = costWords(now.cost ?? null, this.free);
    if (cost) parts.push(cost);
    if (now.note) parts.push(now.note);
    this.status.hidden = false;
    this.status.textContent = parts.join(" · ");
    const share = this.share(now, elapsed);
    this.fill.style.width = `${Math.round(share * 100)}%`;
    this.bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  }

  /** How far the job is: what the provider says, else what the usual time says, and never done before it is.
   * @param {any} now @param {number} elapsed */
  share(now, elapsed) {
    const position = Math.max(0, STEPS.indexOf(now.step)) / STEPS.length;
    if (typeof now.percent === "number") return now.step === "downloading" ? 0.9 + now.percent / 1000 : now.percent / 111;
    return Math.max(position * 0.3, this.usual ? Math.min(0.9, elapsed / this.usual.median) : 0);
  }

  drawTrouble() {
    this.errorBox.hidden = !this.error;
    if (!this.error) return;
    const words = errorWords(this.error);
    const more = make("details");
    more.append(make("summary", "", t("node.error.details")), make("pre", "", this.error.message ?? ""));
    const lines = [make("strong", "", words.what), make("div", "", words.charged), make("div", "", words.next)];
    const buttons = (this.error.actions ?? []).map((/** @type {any} */ one) => fixButton(one.label, one.act));
    this.errorBox.replaceChildren(...lines, ...buttons, ...(this.error.message ? [more] : []));
    more.addEventListener("toggle", () => this.measured());
  }

  drawPlayer() {
    const shown = this.cards.filter((one) => one.has_file !== false).map((one) => one.job);
    if (shown.join() === this.shown) return;
    this.shown = shown.join();
    this.player.replaceChildren(
      ...shown.slice(0, 4).map((job) => {
        const video = /** @type {HTMLVideoElement} */ (make("video"));
        Object.assign(video, { controls: true, loop: true, muted: true, playsInline: true, preload: "metadata" });
        video.autoplay = true;
        video.setAttribute("aria-label", t("node.clip", { job }));
        video.src = mediaUrl(`/jobs/${encodeURIComponent(job)}/video`);
        video.onloadedmetadata = () => this.measured();
        video.onerror = () => video.remove();
        return video;
      }),
    );
  }

  drawFacts() {
    const cards = this.error ? [this.error] : this.running ? [this.running] : this.cards;
    const rows = cards.slice(0, 4).flatMap((card) => {
      /** @type {[string, string | null | undefined, string?][]} */
      const facts = [["job", card.job], ["cost", costWords(card.cost ?? null, this.free)]];
      if (cards.length > 1) return facts.filter(([, text]) => text).map(([name, text]) => this.fact(name, String(text)));
      facts.splice(1, 0, ["task", card.task]);
      if (card.finished_at && card.submitted_at) facts.push(["took", clock(card.finished_at - card.submitted_at)]);
      const warnings = (card.warnings ?? []).map((/** @type {string} */ text) => ["note", text]);
      return [...facts, ...warnings].filter(([, text]) => text).map(([name, text]) => this.fact(name, String(text)));
    });
    this.facts.replaceChildren(...rows);
  }

  /** @param {string} name @param {string} text */
  fact(name, text) {
    const row = make("div", "giv-node-fact");
    const button = /** @type {HTMLButtonElement} */ (make("button", "giv-node-copy pi pi-copy"));
    button.type = "button";
    button.title = t("node.copy");
    button.setAttribute("aria-label", `${t("node.copy")}: ${t(`node.fact.${name}`)}`);
    button.onclick = async () => {
      await copyText(text, this.element);
      button.classList.replace("pi-copy", "pi-check");
      setTimeout(() => button.classList.replace("pi-check", "pi-copy"), 1200);
    };
    const shown = make("dd", "", text);
    shown.title = text;
    row.append(make("dt", "", t(`node.fact.${name}`)), shown, button);
    return row;
  }
}
