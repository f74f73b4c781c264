// One job in detail: its clip, request, outcome and actions.
import { get, mediaUrl } from "../shared/api.mjs";
import { notice } from "../shared/dialogs.mjs";
import { button, h, icon } from "../shared/dom.mjs";
import { costInFull, date, standing } from "./format.mjs";
import { t, tOr } from "../shared/i18n.mjs";
import { errorText } from "../shared/feedback.mjs";
import { act, copy, KNOWN } from "./job_actions.mjs";
import { prices } from "./prices.mjs";

const SYMBOLS = {
  resume: "play",
  fetch: "download",
  ask: "refresh",
  attach: "link",
  attach_url: "link",
  again: "replay",
  drop: "ban",
  frames: "images",
  workflow: "sitemap",
  use: "sliders-h",
  remove: "trash",
};

export class JobDetail {
  /** @param {() => void} back */
  constructor(back) {
    this.job = /** @type {any} */ (null);
    /** @type {any[]} */
    this.history = [];
    this.prices = /** @type {any} */ ("");
    this.back = button(t("panel.back"), back, { symbol: "arrow-left" });
    this.body = h("div", { class: "giv-detail-body" });
    this.player = h("div", { class: "giv-film" });
    this.element = h(
      "section",
      { class: "giv-detail", "aria-label": t("panel.detail"), hidden: true },
      h("div", { class: "giv-bar" }, this.back),
      h("div", { class: "giv-scroll", tabindex: "-1" }, this.player, this.body),
    );
    this.element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      back();
    });
  }

  /** @param {any} job */
  open(job) {
    this.element.hidden = false;
    this.job = job;
    this.history = [];
    this.player.replaceChildren();
    this.prices = prices(job);
    this.draw();
    this.read();
    this.back.focus();
  }

  close() {
    this.element.hidden = true;
    this.job = null;
    this.player.replaceChildren(); // ends the sound, too
  }

  /** Show the job as it stands now. @param {any} job */
  update(job) {
    if (!this.job || job.id !== this.job.id || job.updated_at === this.job.updated_at) return;
    this.job = { ...this.job, ...job, prompt: this.job.prompt };
    this.draw();
    this.read();
  }

  async read() {
    const { id } = this.job;
    try {
      const whole = await get(`/jobs/${id}`);
      if (this.job?.id !== id) return;
      this.job = whole;
      this.history = whole.history;
      this.draw();
    } catch (error) {
      if (this.job?.id === id) this.body.append(notice("error", errorText(error)));
    }
  }

  draw() {
    const { job } = this;
    if (job.has_file && !this.player.firstChild) {
      const src = mediaUrl(`/jobs/${job.id}/video`);
      const poster = mediaUrl(`/jobs/${job.id}/thumbnail`);
      const label = t("panel.clipOf", { prompt: job.prompt });
      this.player.append(h("video", { src, poster, controls: true, loop: true, preload: "metadata", "aria-label": label }));
    } else if (!job.has_file) this.player.replaceChildren();
    const state = standing(job);
    this.body.replaceChildren(
      h("p", { class: "giv-state", "data-state": state.key }, h("span", { class: "giv-dot" }), state.name),
      job.error ? notice(job.state === "failed" || job.is_unknown ? "error" : "info", job.error) : "",
      h("p", { class: "giv-prompt" }, job.prompt || t("panel.noPrompt")),
      this.actions(),
      this.facts(),
      this.prices,
      this.past(),
    );
  }

  actions() {
    const { job } = this;
    const more = [job.has_workflow ? "workflow" : "", "use"];
    const names = job.actions.filter((/** @type {string} */ name) => name !== "remove");
    const last = job.actions.includes("remove") ? ["remove"] : [];
    const shown = [...names, ...more, ...last].filter((/** @type {string} */ name) => KNOWN.includes(name));
    return h(
      "div",
      { class: "giv-actions", role: "group", "aria-label": t("panel.actions") },
      job.has_file && download(job),
      job.is_busy ? h("span", { role: "status" }, t("panel.busy")) : null,
      ...shown.map((/** @type {keyof typeof SYMBOLS} */ name) =>
        button(t(`action.${name}`), () => act(name, job), {
          symbol: SYMBOLS[name],
          title: t(`action.${name}.hint`),
          "data-action": name,
          disabled: job.is_busy && ["resume", "fetch", "ask"].includes(name),
        }),
      ),
    );
  }

  facts() {
    const { job } = this;
    const parameters = Object.entries(job.parameters ?? {}).map(
      ([name, value]) => `${tOr(`parameter.${name}`, name)} ${value}`,
    );
    /** @type {[string, string, boolean?][]} */
    const rows = [
      ["connection", `${job.connection} (${job.provider})`],
      ["model", job.model],
      ["parameters", parameters.join(", ")],
      ["references", job.references ? String(job.references) : ""],
      ["cost", costInFull(job)],
      ["created", date(job.created_at)],
      ["finished", date(job.finished_at)],
      ["job", job.id, true],
      ["task", job.task_id ?? "", true],
    ];
    return h(
      "dl",
      { class: "giv-facts" },
      ...rows
        .filter(([, value]) => value)
        .flatMap(([name, value, canCopy]) => [
          h("dt", {}, t(`fact.${name}`)),
          h(
            "dd",
            {},
            canCopy ? h("code", {}, value) : value,
            canCopy &&
              button(t("action.copy", { what: t(`fact.${name}`) }), () => copy(value, this.element), { symbol: "copy", quiet: true }),
          ),
        ]),
    );
  }

  past() {
    if (!this.history.length) return "";
    return h(
      "details",
      { class: "giv-history" },
      h("summary", {}, t("panel.history")),
      h(
        "ol",
        {},
        ...this.history.map((step) =>
          h(
            "li",
            {},
            h("span", {}, `${date(step.at)} · ${tOr(`step.${step.after}`, step.after)}`),
            step.note ? h("small", {}, step.note) : null,
          ),
        ),
      ),
    );
  }
}

/** @param {any} job */
const download = (job) =>
  h(
    "a",
    { class: "giv-button", href: mediaUrl(`/jobs/${job.id}/video`), download: `grok-${job.id}.mp4`, "data-action": "download" },
    icon("download"),
    t("action.download"),
  );
