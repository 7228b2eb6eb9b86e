// A state as the readable part of a URL behind #, and back.
import { shown } from "./numbers";
import type { Handle, Landscape, Page, State } from "./protocol";

const READABLE: Record<string, string> = {
  "%2C": ",",
  "%3D": "=",
  "%3A": ":",
  "%5B": "[",
  "%5D": "]",
};

const MOST_SEED = 2 ** 31 - 1;

/** The numbers of a state beside those of its landscape, with their ranges. */
export function runHandles(page: Page): Record<"steps" | "batch" | "seed", Handle> {
  const handle = (
    name: string,
    label: string,
    scale: Handle["scale"],
    low: number,
    high: number,
    value: number,
  ) => ({
    ...{ name, label, scale, low, high, value },
    ...{ begin: 0, end: 0 },
  });
  const { first, most } = page;
  return {
    steps: handle("steps", "steps", "log integer", 1, most.steps, first.steps),
    batch: handle("batch", "batch size", "log integer", 1, most.batch, first.batch),
    seed: handle("seed", "seed", "integer", 0, most.seed ?? 99, first.seed),
  };
}

/** Return a landscape of the page by its name. */
export function landscapeOf(page: Page, name: string): Landscape {
  const found = page.landscapes.find((landscape) => landscape.name === name);
  if (found) return found;
  const names = page.landscapes.map((landscape) => landscape.name).join(", ");
  throw new Error(`landscape must be one of ${names}, got ${name}.`);
}

/** Return the state of a landscape as it is first shown. */
export function stateOf(page: Page, landscape: Landscape): State {
  return {
    ...page.first,
    landscape: landscape.name,
    controls: Object.fromEntries(landscape.controls.map(({ name, value }) => [name, value])),
    start: [...landscape.start],
    methods: [...page.first.methods],
  };
}

/** Write a state: #landscape=quadratic&condition=100&...&method=lo.sgd(0.1,momentum=0.9). */
export function hashOf(state: State): string {
  const parts: [string, string][] = [
    ["landscape", state.landscape],
    ...Object.entries(state.controls).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]),
    ["start", state.start.join(",")],
    ["steps", String(state.steps)],
    ["batch", String(state.batch)],
    ["seed", String(state.seed)],
    ...state.methods.map((text): [string, string] => ["method", text.replaceAll(", ", ",")]),
  ];
  return `#${parts.map(([name, value]) => `${name}=${encoded(value)}`).join("&")}`;
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(/%(2C|3D|3A|5B|5D)/g, (code) => READABLE[code] ?? code);
}

/** A state with what a hash says, and a sentence for each part that is ignored. */
export interface Parsed {
  state: State;
  complaints: string[];
}

/** Read a hash; what it leaves out is as in the first state of its landscape. */
export function stateIn(hash: string, page: Page): Parsed {
  const complaints: string[] = [];
  const parts = partsOf(hash);
  const name = parts.find(([key]) => key === "landscape")?.[1];
  const isKnown = page.landscapes.some((each) => each.name === name);
  const landscape = landscapeOf(page, isKnown && name ? name : page.first.landscape);
  const state: State = { ...stateOf(page, landscape), methods: [] };
  const handles = [...landscape.controls, ...Object.values(runHandles(page))];
  for (const [key, value] of parts) {
    const complaint = set(state, key, value, landscape, handles, page);
    if (complaint)
      complaints.push(`The address is ignored where it says ${key}=${value}: ${complaint}`);
  }
  if (!state.methods.length) state.methods = page.first.methods;
  return { state, complaints };
}

/** Set one part of a state, or return what is wrong with it. */
function set(
  state: State,
  key: string,
  value: string,
  at: Landscape,
  handles: Handle[],
  page: Page,
): string {
  if (key === "landscape") {
    if (value === at.name) return "";
    return `the landscapes are ${page.landscapes.map(({ name }) => name).join(", ")}.`;
  }
  if (key === "method") {
    if (state.methods.length === page.most.methods)
      return `at most ${page.most.methods} methods are shown.`;
    state.methods.push(value.replace(/,\s*/g, ", "));
    return "";
  }
  if (key === "start") {
    const [x, y, ...more] = value.split(",").map(numberOf);
    if (x === undefined || y === undefined || more.length || !Number.isFinite(x + y))
      return "start is two numbers, x,y.";
    state.start = [x, y];
    return "";
  }
  const handle = handles.find(({ name }) => name === key);
  if (!handle) return `${at.title} has no such part.`;
  const number = numberOf(value);
  const high = key === "seed" ? (page.most.seed ?? MOST_SEED) : handle.high; // a slider need not reach every seed
  const isWhole = Number.isInteger(number) || !handle.scale.includes("integer");
  if (!isWhole || !(number >= handle.low && number <= high)) {
    return `it is a${isWhole ? "" : " whole"} number from ${shown(handle.low)} to ${shown(high)}.`;
  }
  if (key === "steps" || key === "batch" || key === "seed") state[key] = number;
  else state.controls[key] = number;
  return "";
}

function partsOf(hash: string): [string, string][] {
  return hash
    .replace(/^#/, "")
    .split("&")
    .filter(Boolean)
    .map((part) => {
      const [key = "", ...value] = part.split("=");
      return [decoded(key), decoded(value.join("="))];
    });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone %
  }
}

function numberOf(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}
