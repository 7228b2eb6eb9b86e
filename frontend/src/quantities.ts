// What the curves show: a quantity of each step, for each method.
import { averageOf, namesOf } from "./labels";
import type { NumberArray } from "./protocol";
import { arrayOf, diverges } from "./runs";
import type { View } from "./view";

export type Quantity = "loss" | "learning_rate" | "update" | "ratio" | "modes";

interface Meaning {
  /** The name of the y axis, with its symbol. */
  axis: string;
  note?: string;
  /** What stands in the place of curves without a value. */
  empty: string;
  /** Logarithmic where its values span a factor of 10. */
  logarithmic: boolean;
  /** What is below this part of the largest first value is rounding. */
  floor: number;
}

const NOT_FINITE = "No value is finite.";

export const MEANINGS: Record<Quantity, Meaning> = {
  loss: { axis: "loss L(θₖ)", empty: NOT_FINITE, logarithmic: true, floor: 1e-12 },
  learning_rate: {
    axis: "learning rate τₖ",
    empty: "These methods name no learning rate.",
    logarithmic: false,
    floor: 0,
  },
  update: {
    axis: "size of the update |θₖ₊₁ − θₖ|",
    empty: NOT_FINITE,
    logarithmic: true,
    floor: 1e-8,
  },
  ratio: {
    axis: "update / parameters |θₖ₊₁ − θₖ| / |θₖ|",
    empty: NOT_FINITE,
    logarithmic: true,
    floor: 1e-8,
  },
  modes: {
    axis: "distance to the minimum along an eigenvector",
    note: "bold: flat, thin: steep, pale: predicted",
    empty: "Only landscapes of two parameters are drawn along their eigenvectors.",
    logarithmic: true,
    floor: 1e-8,
  },
};

/** A curve that rises above this multiple of its start is cut: it diverges. */
const CUT = 1e3;

/** What float32 may add to a loss, as a part of its start. */
const ROUNDING = 1e-6;

export interface Series {
  method: number;
  /** Of the directions, the steep one is thin; of a path and its average, the path is pale. */
  style: "bold" | "thin" | "pale" | "average";
  /** For the ruler and the description, and beside the end of the curve. */
  name: string;
  label: string;
  values: Float32Array;
  lost: boolean;
}

/** The curves of a quantity, in the order in which they are drawn. */
export function seriesOf(view: View, quantity: Quantity): Series[] {
  const names = view.run ? namesOf(view.run.methods) : [];
  if (quantity === "modes") return names.flatMap((_, method) => directionsOf(view, names, method));
  const averages = names.flatMap((_, method) =>
    quantity === "loss" && view.run?.methods[method]?.has_average ? [method] : [],
  );
  const lost = names.map((_, method) => diverges(view.run, method));
  const curves = names.map((name, method): Series => {
    const { data: values } = arrayOf(view.run, quantity, method);
    const style = averages.includes(method) ? "pale" : "bold";
    return { method, style, name, label: name, values, lost: lost[method]! };
  });
  const averaged = averages.map((method): Series => {
    const { data: values } = arrayOf(view.run, "average_loss", method);
    const name = averageOf(names, method);
    return { method, style: "average", name, label: name, values, lost: lost[method]! };
  });
  return [...curves, ...averaged];
}

/** A bold curve for the flat direction of a method, and a thin one for the steep direction. */
function directionsOf(view: View, names: string[], method: number): Series[] {
  const array = arrayOf(view.run, "modes", method);
  const isAlone = names.length === 1;
  return ["flat", "steep"].map((direction, column) => ({
    method,
    style: column ? "thin" : "bold",
    name: isAlone ? direction : `${names[method]}, ${direction}`,
    label: isAlone ? direction : column ? "" : names[method]!,
    values: distances(array, column),
    lost: diverges(view.run, method),
  }));
}

export function valueOf(series: Series, k: number): number {
  return series.values[k] ?? NaN;
}

/** The coordinates along an eigenvector have a sign; a distance has none. */
function distances({ data, shape }: NumberArray, column: number): Float32Array {
  return Float32Array.from({ length: shape[0] ?? 0 }, (_, k) => Math.abs(data[2 * k + column]!));
}

export interface Limits {
  low: number;
  high: number;
}

/** The smallest and the largest value to show, without rounding noise and without divergence. */
export function limitsOf(series: Series[], floor: number): Limits {
  const start = Math.max(...series.map((each) => Math.abs(firstOf(each))));
  let [low, high] = [Infinity, -Infinity];
  for (const each of series) {
    const most = each.lost ? CUT * start : Infinity;
    for (let k = 0; k < each.values.length; k++) {
      const value = valueOf(each, k);
      if (!Number.isFinite(value)) break;
      high = Math.max(high, Math.min(value, most));
      low = Math.min(low, value);
      if (value > most) break;
    }
  }
  if (low < -ROUNDING * start) return { low, high };
  // A loss that should be 0 is as often below it as above: what is that small says nothing.
  return { low: Math.max(low, -low, floor * start), high };
}

function firstOf(series: Series): number {
  const first = valueOf(series, 0);
  return Number.isFinite(first) ? first : 0;
}
