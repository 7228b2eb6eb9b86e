// A few words for building elements.

type Attributes = Record<string, string | boolean | EventListener>;

/** Return an element; true sets an empty attribute, false none, and a function listens. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Return a select of these texts; the values are their indices. */
export function selectOf(texts: string[], attributes: Attributes): HTMLSelectElement {
  return element(
    "select",
    attributes,
    ...texts.map((text, i) => element("option", { value: String(i) }, text)),
  );
}

/** Return a button. */
export function button(
  text: string,
  press: () => void,
  attributes: Attributes = {},
): HTMLButtonElement {
  return element("button", { type: "button", click: press, ...attributes }, text);
}

// Several bundles may be on one page: a notebook loads one for each widget.
const prefix = `lo-${Math.random().toString(36).slice(2, 8)}`;
let count = 0;

/** Return an id that no other element has. */
export function freshId(): string {
  return `${prefix}-${count++}`;
}
