// Offers @image1 … while a prompt is typed. It listens within our own nodes alone, and lies in the node's own element.
import { t } from "../shared/i18n.mjs";
import { begun } from "./tokens.mjs";

/** @type {HTMLUListElement | null} */
let list = null;
/** @type {{area: HTMLTextAreaElement, start: number, offers: number[], chosen: number, at: string} | null} */
let open = null;
/** @type {WeakSet<Element>} */
const watched = new WeakSet();

/** Offer tokens in the text boxes of `home`, once: a prompt's own box, or the node that Nodes 2.0 draws one in.
 * @param {HTMLElement} home @param {HTMLElement} place an element of ours, where the offers lie
 * @param {(area: HTMLTextAreaElement) => number} countFor how many images a box's prompt may name; 0: not ours */
export function offerTokens(home, place, countFor) {
  if (watched.has(home)) return;
  watched.add(home);
  home.addEventListener("input", (event) => {
    if (event.target instanceof HTMLTextAreaElement) look(event.target, place, countFor(event.target));
  });
  // Before the text box and the canvas see the key, as Enter and the arrows mean something else to them.
  home.addEventListener("keydown", onKey, true);
  home.addEventListener("focusout", close);
}

/** @param {HTMLTextAreaElement} area @param {HTMLElement} place @param {number} count */
function look(area, place, count) {
  const found = count ? begun(area.value, area.selectionStart, count) : null;
  if (!found) return close();
  const isNew = !list;
  list ??= document.createElement("ul");
  list.className = "giv-node-tokens";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", t("node.tokens"));
  if (isNew) {
    // A popover is drawn above everything, and at its place in the window however the canvas is zoomed.
    list.popover = "manual";
    place.append(list);
    list.showPopover?.();
  }
  const box = area.getBoundingClientRect();
  open = { area, ...found, chosen: 0, at: placeOf(area) };
  draw();
  const scale = box.height / (area.offsetHeight || 1);
  const lines = area.value.slice(0, area.selectionStart).split("\n").length;
  const style = getComputedStyle(area);
  const line = parseFloat(style.lineHeight) || 1.4 * parseFloat(style.fontSize);
  const below = (parseFloat(style.paddingTop) + lines * line - area.scrollTop) * scale + 4;
  list.style.left = `${box.left + 8}px`;
  list.style.top = `${Math.min(box.top + below, box.bottom + 4)}px`;
  if (isNew) requestAnimationFrame(follow);
}

/** Where the text box lies in the window. @param {HTMLTextAreaElement} area */
function placeOf(area) {
  const { x, y, width } = area.getBoundingClientRect();
  return [x, y, width].map(Math.round).join();
}

/** Once the view moves, the offers would lie somewhere else than what is typed. */
function follow() {
  if (!open) return;
  if (!open.area.isConnected || placeOf(open.area) !== open.at) close();
  else requestAnimationFrame(follow);
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
        event.stopPropagation(); // else the node would be taken hold of
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
