// Offers @image1 … while a prompt is typed. It listens to the whole page, as each renderer makes its own text box.
import { t } from "./i18n.mjs";
import { begun } from "./node_tokens.mjs";

/** @type {HTMLUListElement | null} */
let list = null;
/** @type {{area: HTMLTextAreaElement, start: number, offers: number[], chosen: number} | null} */
let open = null;

/** @param {(area: HTMLTextAreaElement) => number} countFor how many images a text box's prompt may name; 0: not ours */
export function offerTokens(countFor) {
  document.addEventListener("input", (event) => {
    if (event.target instanceof HTMLTextAreaElement) look(event.target, countFor(event.target));
  });
  // Before the text box and the canvas see the key, as Enter and the arrows mean something else to them.
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("focusout", close);
  document.addEventListener("wheel", close, { capture: true, passive: true });
}

/** @param {HTMLTextAreaElement} area @param {number} count */
function look(area, count) {
  const found = count ? begun(area.value, area.selectionStart, count) : null;
  if (!found) return close();
  open = { area, ...found, chosen: 0 };
  list ??= document.body.appendChild(document.createElement("ul"));
  list.className = "grok-tokens";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", t("node.tokens"));
  draw();
  const box = area.getBoundingClientRect();
  const scale = box.height / (area.offsetHeight || 1);
  const lines = area.value.slice(0, area.selectionStart).split("\n").length;
  const line = (parseFloat(getComputedStyle(area).lineHeight) || 16) * scale;
  list.style.left = `${box.left + 8}px`;
  list.style.top = `${Math.min(box.top + lines * line + 10 - area.scrollTop * scale, box.bottom + 4)}px`;
}

function draw() {
  if (!list || !open) return;
  const { offers, chosen } = open;
  list.replaceChildren(
    ...offers.map((number, index) => {
      const row = document.createElement("li");
      row.textContent = `@image${number}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(index === chosen));
      // Not click: the text box would lose the focus first.
      row.onpointerdown = (event) => {
        event.preventDefault();
        take(index);
      };
      return row;
    }),
  );
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (!open || event.target !== open.area || event.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    open.chosen = (open.chosen + step + open.offers.length) % open.offers.length;
    draw();
  } else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === "Tab") {
    take(open.chosen);
  } else if (event.key === "Escape") {
    close();
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

/** @param {number} index */
function take(index) {
  if (!open) return;
  const { area, start, offers } = open;
  const end = area.selectionStart;
  close();
  area.setRangeText(`@image${offers[index]} `, start, end, "end");
  // Whoever owns the text box learns of the change as if it had been typed.
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

function close() {
  open = null;
  list?.remove();
  list = null;
}
