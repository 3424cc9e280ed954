// The table of the session's data, and the forms that change it.

import { explain, perform, whenRead, whenUsed } from "./actions.js";
import { hasPath, itemPath, setting } from "./session.js";
import { forgive, readValue } from "./value-field.js";

const table = document.querySelector("#data");
const body = table.tBodies[0];
const add = document.querySelector("#add");
const several = document.querySelector("#several");
const clear = document.querySelector("#clear");
const confirmation = document.querySelector("#confirm");

/** @type {Map<string, HTMLTableRowElement>} */
const rows = new Map();

whenRead(({ data }) => {
  const keys = new Set(data.map(([key]) => key));
  for (const [key, row] of rows) {
    if (!keys.has(key)) {
      row.remove();
      rows.delete(key);
    }
  }
  // A row that stands where it belongs is not touched: it may have the focus, or be edited.
  data.forEach(([key, text], index) => {
    const row = rows.get(key) ?? makeRow(key);
    row.querySelector("code").textContent = text;
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
  table.hidden = data.length === 0;
  clear.hidden = data.length === 0;
  document.querySelector("#nothing").hidden = data.length > 0;
});

whenUsed(add, async () => {
  const key = add.elements.namedItem("key").value;
  const text = readValue(add);
  if (text === undefined) return;
  if (await perform(setting(key, text), `${name(key)} is set.`)) {
    add.reset();
    add.elements.namedItem("key").focus();
  }
});

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
  add.elements.namedItem("key").focus();
});

/** @param {string} key */
function makeRow(key) {
  const row = document.querySelector("#row").content.cloneNode(true).querySelector("tr");
  const form = row.querySelector("form");
  const field = form.elements.namedItem("value");
  const [edit, remove] = ["edit", "delete"].map((control) => row.querySelector(`[name=${control}]`));
  row.querySelector("th").textContent = key;
  row.classList.toggle("nameless", key === "");
  edit.ariaLabel = `Edit ${name(key)}`;
  remove.ariaLabel = `Delete ${name(key)}`;
  field.ariaLabel = `Value of ${name(key)}, as JSON`;

  const show = (editing) => {
    form.hidden = !editing;
    edit.hidden = remove.hidden = row.querySelector("code").hidden = editing;
    forgive(form);
    (editing ? field : edit).focus();
  };
  edit.addEventListener("click", () => {
    field.value = row.querySelector("code").textContent;
    show(true);
  });
  form.elements.namedItem("cancel").addEventListener("click", () => show(false));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(false);
  });
  whenUsed(form, async () => {
    const text = readValue(form);
    if (text === undefined) return;
    if (await perform(setting(key, text), `${name(key)} is set.`)) show(false);
  });
  whenUsed(remove, async () => {
    if (!hasPath(key)) return explain(`No path can name the key ${name(key)}. “Delete all” deletes it with the others.`);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    await perform({ method: "DELETE", path: itemPath(key) }, `${name(key)} is deleted.`);
    if (!row.isConnected) (next?.querySelector("[name=delete]") ?? add.elements.namedItem("key")).focus();
  });
  rows.set(key, row);
  return row;
}

/** A key in a sentence. @param {string} key */
function name(key) {
  return `“${key}”`;
}
