// The Jobs panel: every job, newest first; what is spent; a search; and one job, whole, when it is chosen.
import { mediaUrl } from "../shared/api.mjs";
import { notice } from "../shared/dialogs.mjs";
import { button, h, icon } from "../shared/dom.mjs";
import { age, cost, dollars, standing, traits } from "./format.mjs";
import { t } from "../shared/i18n.mjs";
import { errorText } from "../shared/feedback.mjs";
import { DRAG_TYPE } from "./job_actions.mjs";
import { GROUPS, JobsStore } from "./jobs_store.mjs";
import { JobDetail } from "./detail.mjs";
import { VirtualList } from "./virtual_list.mjs";

const ROW = 72;
const TYPING = 200;
const AGES = 30_000;

export class JobsPanel {
  /** @param {HTMLElement} root @param {() => void} openSettings */
  constructor(root, openSettings) {
    this.store = new JobsStore(() => this.ask());
    this.openSettings = openSettings;
    this.asked = 0;
    this.typed = 0;
    this.list = new VirtualList({
      rowHeight: ROW,
      label: t("panel.title"),
      draw: (element, index) => this.drawRow(element, index),
      open: (index) => this.openJob(index),
      seen: (last) => this.store.ensure(last),
    });
    this.detail = new JobDetail(() => this.closeJob());
    this.money = h("div", { class: "giv-money" });
    this.groups = h("div", { class: "giv-groups", role: "group", "aria-label": t("panel.filter") });
    this.search = h("input", {
      class: "giv-input",
      type: "search",
      placeholder: t("panel.search"),
      "aria-label": t("panel.search"),
      on: { input: () => this.searched(), keydown: (/** @type {Event} */ event) => event.stopPropagation() },
    });
    this.state = h("div", { class: "giv-blank", role: "status" });
    this.spoken = h("div", { class: "giv-unseen", "aria-live": "polite" });
    this.front = h("section", { class: "giv-front" }, this.head(), this.state, this.list.element);
    this.element = h("div", { class: "giv-panel" }, this.front, this.detail.element, this.spoken);
    root.style.height = "100%"; // ComfyUI leaves a tab's element as high as its content
    root.append(this.element);
    this.ticking = setInterval(() => this.list.update(this.store.total), AGES);
    this.store.load();
  }

  close() {
    clearInterval(this.ticking);
    clearTimeout(this.typed);
    cancelAnimationFrame(this.asked);
    this.store.close();
    this.list.close();
    this.detail.close();
    this.element.remove();
  }

  head() {
    const bar = h(
      "div",
      { class: "giv-bar" },
      h("h2", {}, t("panel.title")),
      button(t("panel.refresh"), () => this.store.load(), { symbol: "refresh", quiet: true }),
      button(t("settings.title"), () => this.openSettings(), { symbol: "cog", quiet: true }),
    );
    return h("header", { class: "giv-head" }, bar, this.money, this.search, this.groups);
  }

  searched() {
    clearTimeout(this.typed);
    this.typed = window.setTimeout(() => this.store.narrow({ search: this.search.value.trim() }), TYPING);
  }

  /** Draw soon, once for many changes. */
  ask() {
    cancelAnimationFrame(this.asked);
    this.asked = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const { store } = this;
    this.drawMoney();
    this.drawGroups();
    this.drawState();
    this.list.element.hidden = store.status !== "ready" || store.total === 0;
    this.list.update(store.total);
    const open = this.detail.job && store.rows.find((job) => job.id === this.detail.job.id);
    if (open) this.detail.update(open);
    else if (this.detail.job && store.removed.has(this.detail.job.id)) this.closeJob();
    const count = store.counts[store.group];
    if (store.status === "ready" && count !== undefined) {
      const text = t("panel.count", { count });
      if (this.spoken.textContent !== text) this.spoken.textContent = text;
    }
  }

  drawMoney() {
    const { spend } = this.store;
    const parts = spend?.today ? [["today", spend.today, "per_day"], ["month", spend.month, "per_month"]] : [];
    this.money.replaceChildren(...parts.map(([name, sum, limit]) => this.sum(name, sum, spend.limits[limit])));
  }

  /** @param {string} name @param {any} sum @param {string | null} limit */
  sum(name, sum, limit) {
    const total = Number(sum.spent) + Number(sum.pending);
    const values = { spent: dollars(total), limit: limit === null ? "" : dollars(Number(limit)) };
    const text = t(limit === null ? `spend.${name}` : `spend.${name}Of`, values);
    const share = Number(limit) > 0 ? Math.min(1, total / Number(limit)) : 1;
    const meter = limit === null ? null : h("span", { class: "giv-meter", style: `--share:${share}` });
    if (meter && share >= 0.9) meter.classList.add("giv-full");
    return h("span", { class: "giv-sum" }, text, meter);
  }

  drawGroups() {
    if (!this.groups.firstChild) {
      const choose = (/** @type {string} */ group) => () => this.store.narrow({ group });
      this.groups.append(
        ...GROUPS.map((group) => button(t(`group.${group}`), choose(group), { "data-group": group, class: "giv-chip" })),
      );
    }
    for (const chip of this.groups.children) {
      const group = /** @type {HTMLElement} */ (chip).dataset.group ?? "all";
      const count = this.store.counts[group];
      chip.setAttribute("aria-pressed", String(group === this.store.group));
      chip.textContent = count ? `${t(`group.${group}`)} ${count}` : t(`group.${group}`);
    }
  }

  drawState() {
    const { store } = this;
    const key = `${store.status} ${store.isEmpty} ${store.total} ${store.error}`;
    if (this.state.dataset.key === key) return;
    this.state.dataset.key = key;
    this.state.replaceChildren();
    if (store.status === "loading") {
      this.state.append(...Array.from({ length: 5 }, () => h("div", { class: "giv-row giv-waiting" })));
      this.state.append(h("span", { class: "giv-unseen" }, t("panel.loading")));
    } else if (store.status === "failed") {
      const again = button(t("panel.tryAgain"), () => store.load(), { symbol: "refresh" });
      this.state.append(notice("error", `${t("panel.failed")} ${errorText(store.error)}`), again);
    } else if (store.isEmpty) {
      this.state.append(icon("video"), h("h3", {}, t("panel.empty")), h("p", {}, t("panel.emptyHint")));
    } else if (store.total === 0) {
      this.state.append(icon("search"), h("p", {}, t("panel.nothing")));
    }
  }

  /** @param {any} row @param {number} index */
  drawRow(row, index) {
    const job = this.store.rows[index];
    row.classList.toggle("giv-waiting", !job);
    if (!job) {
      row.replaceChildren();
      row.draggable = false;
      row.dataset.shown = "";
      row.setAttribute("aria-label", t("panel.loading"));
      return;
    }
    const state = standing(job);
    const facts = `${traits(job)} · ${cost(job)} · ${age(job.created_at)}`;
    const shown = `${job.id} ${state.key} ${facts} ${job.has_file} ${job.prompt}`;
    if (row.dataset.shown === shown) return; // most rows have not changed
    row.dataset.shown = shown;
    row.dataset.job = job.id;
    row.draggable = Boolean(job.has_file);
    row.ondragstart = (/** @type {DragEvent} */ event) => {
      event.dataTransfer?.setData(DRAG_TYPE, job.id);
      event.dataTransfer?.setData("text/plain", job.id);
      if (event.dataTransfer) event.dataTransfer.effectAllowed = "copy";
    };
    row.removeAttribute("aria-label"); // it is named by what it shows
    row.title = job.has_file ? t("panel.dragHint") : "";
    const src = mediaUrl(`/jobs/${job.id}/thumbnail`);
    row.replaceChildren(
      h(
        "span",
        { class: "giv-thumb" },
        job.has_file
          ? h("img", { src, alt: "", loading: "lazy", decoding: "async", draggable: "false" })
          : icon(job.state === "failed" ? "times" : "video"),
      ),
      h(
        "span",
        { class: "giv-text" },
        h("span", { class: "giv-line" }, job.prompt || t("panel.noPrompt")),
        h(
          "span",
          { class: "giv-state", "data-state": state.key },
          h("span", { class: "giv-dot" }),
          h("span", { class: "giv-name" }, state.name),
        ),
        h("span", { class: "giv-more", title: facts }, facts),
      ),
    );
  }

  /** @param {number} index */
  openJob(index) {
    const job = this.store.rows[index];
    if (!job) return;
    this.front.hidden = true;
    this.detail.open(job);
  }

  closeJob() {
    this.detail.close();
    this.front.hidden = false;
    this.list.update(this.store.total);
    this.list.element.focus();
  }
}
