// Elements from values. Text goes in as text, never as markup, so nothing that a job or a member is called can act here.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `props`: attributes; `class`, `on` (listeners by event), `data` (data-…) and `hidden` as they read. */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same in a drawing. */
export function s(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, ...children);
  return element;
}

/** Append: elements as they are, everything else as text. */
export function put(parent, ...children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
  return parent;
}

/** Put these in the place of all that is there. */
export function replace(parent, ...children) {
  parent.replaceChildren();
  return put(parent, ...children);
}

/** Change a text only where it differs, so that nothing is read out or selected anew. */
export function text(element, value) {
  const wanted = String(value);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** A table whose rows fold into cards on a narrow screen. `columns`: {name, number, cell(row)}. */
export function table({ caption, columns, rows, mark = () => "" }) {
  return h(
    "table",
    { class: "folds" },
    caption ? h("caption", {}, caption) : null,
    h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.number ? "number" : null }, column.name)))),
    h("tbody", {}, rows.map((row) => h("tr", { class: mark(row) || null }, columns.map((column) => {
      const content = column.cell(row);
      const none = content === "" || content === null || content === undefined;
      return h("td", { class: column.number ? "number" : null, data: { name: column.title ?? column.name, ...(none ? { none: "" } : {}) } }, Array.isArray(content) ? h("div", {}, content) : content);
    })))),
  );
}

/** The state of a job or member, with its colour and its word. */
export function pill(state, word = state.replaceAll("_", " ")) {
  return h("span", { class: "pill", data: { hue: state } }, word);
}

/** A member's username: what comes before the @ first, for that is where they differ. */
export function person(name) {
  const [local, ...rest] = name.split("@");
  return rest.length ? [local, h("wbr"), h("span", { class: "domain" }, `@${rest.join("@")}`)] : [name];
}

let fading = 0;

/** Say something in passing. */
export function toast(message) {
  const place = document.getElementById("toast");
  text(place, message);
  clearTimeout(fading);
  fading = setTimeout(() => text(place, ""), 6000);
}
