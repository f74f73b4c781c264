// The jobs that the panel shows: fetched page by page, kept up to date by the server's messages.
import { get } from "../shared/api.mjs";
import { listen } from "../shared/comfyui.mjs";

const FIRST = 100;
const MORE = 500;
const COUNT_DELAY = 400;

export const GROUPS = ["all", "open", "attention", "done", "failed"];

/** Whether a job belongs to a group, as the server sees it (journal/job_query.py). @param {any} job @param {string} group */
export function belongs(job, group) {
  const isFinal = job.state === "saved" || job.state === "failed";
  if (group === "open") return !isFinal;
  if (group === "attention") return job.is_unknown || (!isFinal && Boolean(job.error_kind));
  if (group === "done") return job.state === "saved";
  if (group === "failed") return job.state === "failed";
  return true;
}

export class JobsStore {
  /** @param {() => void} changed called after every change */
  constructor(changed) {
    this.changed = changed;
    this.group = "all";
    this.search = "";
    /** @type {any[]} */
    this.rows = [];
    /** @type {Record<string, number>} */
    this.counts = {};
    /** @type {any} */
    this.spend = null;
    /** @type {"loading" | "ready" | "failed"} */
    this.status = "loading";
    /** @type {Error | null} */
    this.error = null;
    this.next = "";
    /** @type {Promise<void> | null} */
    this.fetching = null;
    /** Ids of jobs that were removed while the panel was open. @type {Set<string>} */
    this.removed = new Set();
    this.turn = 0;
    this.timer = 0;
    this.stops = [
      listen("grok_imagine.job", (job) => this.put(/** @type {any} */ (job))),
      listen("grok_imagine.removed", (job) => this.drop(/** @type {any} */ (job).id)),
      listen("reconnected", () => this.load()),
    ];
  }

  close() {
    this.turn += 1;
    clearTimeout(this.timer);
    for (const stop of this.stops) stop();
  }

  /** How many rows the list has, those that are not fetched yet included. */
  get total() {
    return Math.max(this.rows.length, this.counts[this.group] ?? 0);
  }

  /** Whether there are no jobs at all, whatever is looked for. */
  get isEmpty() {
    return this.status === "ready" && !this.search && !this.counts.all && this.rows.length === 0;
  }

  /** Filter the list and reload it. @param {{group?: string, search?: string}} wanted */
  narrow({ group = this.group, search = this.search }) {
    this.group = group;
    this.search = search;
    return this.load();
  }

  /** Fetch from the beginning. */
  async load() {
    this.turn += 1;
    const turn = this.turn;
    this.fetching = null;
    if (this.rows.length === 0) this.status = "loading";
    this.changed();
    try {
      const page = await get(this.path(FIRST, ""));
      if (turn !== this.turn) return;
      Object.assign(this, { rows: page.jobs, next: page.next, counts: page.counts, status: "ready", error: null });
    } catch (error) {
      if (turn !== this.turn) return;
      Object.assign(this, { status: "failed", error, rows: [], next: "", counts: {} });
    }
    this.changed();
    this.loadSpend();
  }

  /** Fetch on until row `index` is there. @param {number} index */
  ensure(index) {
    if (index < this.rows.length || !this.next || this.fetching) return;
    const turn = this.turn;
    this.fetching = get(this.path(MORE, this.next))
      .then((page) => {
        if (turn !== this.turn) return;
        const known = new Set(this.rows.map((job) => job.id));
        this.rows.push(...page.jobs.filter((/** @type {any} */ job) => !known.has(job.id)));
        this.next = page.next;
        this.fetching = null;
        this.ensure(index);
        this.changed();
      })
      .catch(() => {
        if (turn === this.turn) this.fetching = null; // scrolling on tries again
      });
  }

  /** A job as it stands now. @param {any} job */
  put(job) {
    const index = this.rows.findIndex((one) => one.id === job.id);
    if (index >= 0) {
      const merged = { ...this.rows[index], ...job };
      if (belongs(merged, this.group)) this.rows[index] = merged;
      else this.rows.splice(index, 1);
    } else if (!this.search && belongs(job, this.group) && this.isNewest(job)) {
      this.rows.unshift(job);
    }
    this.changed();
    this.count();
  }

  /** @param {any} job */
  isNewest(job) {
    return this.status === "ready" && (this.rows.length === 0 || job.created_at >= this.rows[0].created_at);
  }

  /** A job that is no longer listed. @param {string} id */
  drop(id) {
    this.removed.add(id);
    this.rows = this.rows.filter((one) => one.id !== id);
    if (this.counts.all) this.counts.all -= 1;
    this.changed();
    this.count();
  }

  /** Reload the counts and the spending, after a pause in the changes. */
  count() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(async () => {
      const turn = this.turn;
      const page = await get(this.path(1, "")).catch(() => null);
      if (page && turn === this.turn) {
        this.counts = page.counts;
        this.changed();
      }
      await this.loadSpend();
    }, COUNT_DELAY);
  }

  async loadSpend() {
    const turn = this.turn;
    const spend = await get("/spend").catch(() => null);
    if (spend && turn === this.turn) {
      this.spend = spend;
      this.changed();
    }
  }

  /** @param {number} limit @param {string} before */
  path(limit, before) {
    return `/jobs?${new URLSearchParams({ group: this.group, search: this.search, limit: String(limit), before })}`;
  }
}
