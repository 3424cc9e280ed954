// The table of the session's data, and the forms that change it.

import { explain, perform, whenRead, whenUsed } from "./actions.js";
import { describeLoad } from "./load-reason.js";
import { copy, field, part, showRoute } from "./page.js";
import { hasPath, itemPath, setting } from "./session.js";
import { forgive, readValue } from "./value-field.js";

const table = part("#data", HTMLTableElement);
const body = part("#data tbody", HTMLTableSectionElement);
const item = part("#item", HTMLFormElement);
const several = part("#several", HTMLFormElement);
const clear = part("#clear", HTMLButtonElement);
const confirmation = part("#confirm", HTMLDialogElement);
const nothing = part("#nothing", HTMLElement);
const noValues = nothing.textContent;

/** @type {Map<string, HTMLTableRowElement>} */
const rows = new Map();

whenRead(({ data, loadReason }) => {
  const keys = new Set(data.map(([key]) => key));
  for (const [key, row] of rows) {
    if (!keys.has(key)) {
      row.remove();
      rows.delete(key);
    }
  }
  // A row at its place is not touched: it may have the focus, or be edited.
  data.forEach(([key, text], index) => {
    const row = rows.get(key) ?? makeRow(key);
    part("td code", HTMLElement, row).textContent = text;
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
  table.hidden = data.length === 0;
  clear.hidden = data.length === 0;
  nothing.hidden = data.length > 0;
  nothing.textContent = describeLoad(loadReason).values ?? noValues;
});

// One value

const key = field(item, "key");
const [set, get, remove] = [button("set"), button("read"), button("delete")];

/** @param {string} name */
function button(name) {
  return part(`[name=${name}]`, HTMLButtonElement, item);
}

key.addEventListener("input", showItemRoutes);
item.addEventListener("reset", () => setTimeout(showItemRoutes)); // the fields are empty only after it

whenUsed(item, async () => {
  const text = readValue(item);
  if (text === undefined) return;
  if (!hasPath(key.value)) return explain(`No path can name the key ${quoted(key.value)}. Choose another one.`);
  if (await perform(setting(key.value, text), `${quoted(key.value)} is set.`)) {
    item.reset();
    key.focus();
  }
});

whenUsed(get, async () => {
  if (!key.reportValidity()) return;
  if (!hasPath(key.value)) return explain(`No path can name the key ${quoted(key.value)}. The table shows its value.`);
  await perform({ method: "GET", path: itemPath(key.value) }, ({ text }) => `${quoted(key.value)} is ${short(text)}`);
});

whenUsed(remove, async () => {
  if (key.reportValidity()) await deleteItem(key.value);
});

/** Shows on the buttons the requests for the key in the field. */
function showItemRoutes() {
  const path = hasPath(key.value) ? itemPath(key.value) : "/session/data/{key}";
  showRoute(set, `PUT ${path}`);
  showRoute(get, `GET ${path}`);
  showRoute(remove, `DELETE ${path}`);
}

/** @param {string} key */
async function deleteItem(key) {
  if (!hasPath(key)) return explain(`No path can name the key ${quoted(key)}. “Delete all” deletes it with the others.`);
  await perform({ method: "DELETE", path: itemPath(key) }, `${quoted(key)} is deleted.`);
}

// Several, or all

whenUsed(several, async () => {
  const text = readValue(several, { object: true });
  if (text === undefined) return;
  if (await perform({ method: "PATCH", path: "/session/data", body: text }, "All of them are set.")) several.reset();
});

whenUsed(clear, async () => {
  confirmation.returnValue = "";
  confirmation.showModal();
  await new Promise((resolve) => confirmation.addEventListener("close", resolve, { once: true }));
  if (confirmation.returnValue !== "delete") return;
  await perform({ method: "DELETE", path: "/session/data" }, "All values are deleted.");
  key.focus();
});

// A row of the table

/** @param {string} key */
function makeRow(key) {
  const row = part("tr", HTMLTableRowElement, copy("#row"));
  const shown = part("td code", HTMLElement, row);
  const form = part("form", HTMLFormElement, row);
  const value = field(form, "value");
  const [edit, remove] = [part("[name=edit]", HTMLElement, row), part("[name=delete]", HTMLElement, row)];
  part("th", HTMLElement, row).textContent = key;
  row.classList.toggle("nameless", key === "");
  edit.ariaLabel = `Edit ${quoted(key)}`;
  remove.ariaLabel = `Delete ${quoted(key)}`;
  remove.title = hasPath(key) ? `DELETE ${itemPath(key)}` : "";
  value.ariaLabel = `Value of ${quoted(key)}, as JSON`;
  showRoute(part("button.primary", HTMLElement, form), `PUT ${hasPath(key) ? itemPath(key) : "/session/data/{key}"}`);

  /** @param {boolean} editing */
  const show = (editing) => {
    form.hidden = !editing;
    edit.hidden = remove.hidden = shown.hidden = editing;
    forgive(form);
    (editing ? value : edit).focus();
  };
  edit.addEventListener("click", () => {
    value.value = shown.textContent ?? "";
    show(true);
  });
  part("[name=cancel]", HTMLElement, form).addEventListener("click", () => show(false));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(false);
  });
  whenUsed(form, async () => {
    const text = readValue(form);
    if (text === undefined) return;
    if (!hasPath(key)) return explain(`No path can name the key ${quoted(key)}. Only the application changes its value.`);
    if (await perform(setting(key, text), `${quoted(key)} is set.`)) show(false);
  });
  whenUsed(remove, async () => {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    await deleteItem(key);
    if (row.isConnected) return;
    if (next) part("[name=delete]", HTMLElement, next).focus();
    else field(item, "key").focus();
  });
  rows.set(key, row);
  return row;
}

/** As much of a value as a sentence takes. @param {string} text */
function short(text) {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

/** A key in a sentence. @param {string} key */
function quoted(key) {
  return `“${key}”`;
}
