// A list of thousands of rows of one height: only those in sight are elements. A listbox to a screen reader.
import { h } from "../shared/dom.mjs";

const SPARE = 6;
let made = 0;

export class VirtualList {
  /**
   * @param {{
   *   rowHeight: number,
   *   label: string,
   *   draw: (element: any, index: number) => void,
   *   open: (index: number) => void,
   *   seen: (last: number) => void,
   * }} options `draw` fills a row's element, `seen` gets the last visible row
   */
  constructor({ rowHeight, label, draw, open, seen }) {
    this.rowHeight = rowHeight;
    this.draw = draw;
    this.open = open;
    this.seen = seen;
    this.count = 0;
    this.active = 0;
    made += 1;
    this.name = `giv-list-${made}`;
    /** @type {Map<number, any>} */
    this.drawn = new Map();
    this.field = h("div", { class: "giv-list-field", role: "presentation" });
    this.element = h(
      "div",
      {
        class: "giv-list",
        role: "listbox",
        tabindex: "0",
        "aria-label": label,
        on: {
          scroll: () => this.ask(),
          keydown: (/** @type {KeyboardEvent} */ event) => this.pressed(event),
          click: (/** @type {MouseEvent} */ event) => this.clicked(event),
        },
      },
      this.field,
    );
    this.watcher = new ResizeObserver(() => this.ask());
    this.watcher.observe(this.element);
    this.asked = 0;
  }

  close() {
    this.watcher.disconnect();
    cancelAnimationFrame(this.asked);
  }

  /** Redraw the visible rows. @param {number} count how many rows there are */
  update(count) {
    this.count = count;
    this.active = Math.min(this.active, Math.max(0, count - 1));
    this.field.style.height = `${count * this.rowHeight}px`;
    for (const [index, row] of this.drawn) {
      if (index < count) this.fill(row, index);
    }
    this.show();
  }

  ask() {
    cancelAnimationFrame(this.asked);
    this.asked = requestAnimationFrame(() => this.show());
  }

  show() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / this.rowHeight) - SPARE);
    const last = Math.min(this.count - 1, Math.ceil((scrollTop + clientHeight) / this.rowHeight) + SPARE);
    /** @type {any[]} */
    const free = [];
    for (const [index, row] of this.drawn) {
      if (index < first || index > last) {
        free.push(row);
        this.drawn.delete(index);
      }
    }
    for (let index = first; index <= last; index += 1) {
      if (this.drawn.has(index)) continue;
      const row = free.pop() ?? this.field.appendChild(h("div", { class: "giv-row", role: "option" }));
      this.drawn.set(index, row);
      this.fill(row, index);
    }
    for (const row of free) row.remove();
    this.mark();
    if (last >= 0) this.seen(last);
  }

  /** @param {any} row @param {number} index */
  fill(row, index) {
    row.id = `${this.name}-${index}`;
    row.dataset.index = String(index);
    row.style.transform = `translateY(${index * this.rowHeight}px)`;
    row.setAttribute("aria-posinset", String(index + 1));
    row.setAttribute("aria-setsize", String(this.count));
    this.draw(row, index);
  }

  mark() {
    for (const [index, row] of this.drawn) {
      row.setAttribute("aria-selected", String(index === this.active));
    }
    if (this.drawn.has(this.active)) this.element.setAttribute("aria-activedescendant", `${this.name}-${this.active}`);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index */
  choose(index) {
    this.active = Math.max(0, Math.min(this.count - 1, index));
    const top = this.active * this.rowHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + clientHeight) {
      this.element.scrollTop = top + this.rowHeight - clientHeight;
    }
    this.show();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.rowHeight) - 1);
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.count, End: this.count };
    if (event.ctrlKey || event.metaKey || event.altKey || this.count === 0) return;
    if (event.key in moves) this.choose(this.active + moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.open(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation(); // these keys mean other things to the canvas
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const row = /** @type {Element} */ (event.target).closest?.(".giv-row");
    if (!(row instanceof HTMLElement)) return;
    this.active = Number(row.dataset.index);
    this.mark();
    this.open(this.active);
  }
}
