// How faces look, in ComfyUI's own colours, so that every theme suits them.

const CSS = `
.grok-face { box-sizing: border-box; width: 100%; pointer-events: auto; overflow: hidden;
  font: 12px/1.45 Inter, system-ui, sans-serif; color: var(--input-text, var(--fg-color, #ddd)); }
.grok-face [hidden] { display: none !important; }
.grok-face-inner { display: flex; flex-direction: column; gap: 6px; min-height: 1px; }
.grok-face ul { list-style: none; margin: 0; padding: 0; }
.grok-face ul:empty, .grok-face dl:empty, .grok-player:empty { display: none; }
.grok-faults li { border-left: 3px solid; border-radius: 3px; padding: 3px 6px; margin: 2px 0;
  overflow-wrap: anywhere; }
.grok-faults .grok-fault, .grok-trouble { border-color: #e5484d; background: rgb(229 72 77 / 14%); color: #ff8f92; }
.grok-faults .grok-warning { border-color: #d6a02b; background: rgb(214 160 43 / 14%); color: #e8bf63; }
.grok-fix { font: inherit; }
.grok-fix, .grok-copy { cursor: pointer; color: var(--input-text, #ddd);
  background: var(--comfy-input-bg, #222); border: 1px solid var(--border-color, #4e4e4e); border-radius: 4px; }
.grok-fix { margin: 2px 0 0 4px; padding: 0 6px; }
.grok-copy { padding: 2px 4px; font-size: 10px; }
.grok-fix:hover, .grok-copy:hover { border-color: var(--p-primary-color, #60a5fa); }
.grok-face button:focus-visible { outline: 2px solid var(--p-primary-color, #60a5fa); outline-offset: 1px; }
.grok-status { color: var(--descrip-text, #aaa); overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.grok-bar { height: 5px; border-radius: 3px; background: var(--comfy-input-bg, #222); overflow: hidden; }
.grok-fill { height: 100%; width: 0; border-radius: 3px; background: var(--p-primary-color, #3b82f6);
  transition: width .4s linear; }
.grok-trouble { border-left: 3px solid; border-radius: 3px; padding: 4px 8px; overflow-wrap: anywhere;
  user-select: text; }
.grok-trouble div, .grok-trouble details { color: var(--input-text, #ddd); }
.grok-trouble pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0 0; font: inherit;
  max-height: 160px; overflow: auto; }
.grok-player { display: flex; flex-direction: column; gap: 4px; }
.grok-player video { display: block; width: 100%; max-height: 340px; border-radius: 4px; background: #000; }
.grok-facts { margin: 0; display: grid; gap: 2px; }
.grok-fact { display: grid; grid-template-columns: 4.5em 1fr auto; gap: 6px; align-items: center; }
.grok-fact dt { color: var(--descrip-text, #aaa); }
.grok-fact dd { margin: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; user-select: text; }
.grok-tokens { position: fixed; z-index: 99999; list-style: none; margin: 0; padding: 4px; min-width: 7em;
  font: 13px Inter, system-ui, sans-serif; color: var(--input-text, #ddd); background: var(--comfy-menu-bg, #353535);
  border: 1px solid var(--border-color, #4e4e4e); border-radius: 6px; box-shadow: 0 4px 14px rgb(0 0 0 / 40%); }
.grok-tokens li { padding: 3px 8px; border-radius: 4px; cursor: pointer; }
.grok-tokens [aria-selected=true] { background: var(--p-primary-color, #3b82f6); color: #fff; }
@media (prefers-reduced-motion: reduce) { .grok-fill { transition: none; } }
`;

/** Put the styles into the page. */
export function addStyles() {
  const style = document.createElement("style");
  style.textContent = CSS;
  document.head.append(style);
}
