// Names beside the ends of lines: what they say, and where they have room.
import { FONT } from "./chart";
import type { MethodResult } from "./protocol";

const canvas = document.createElement("canvas").getContext("2d");
const widths = new Map<string, number>();

/** The width of a text of 13 units; a canvas measures it without a layout of the page. */
export function textWidth(text: string): number {
  const known = widths.get(text);
  if (known !== undefined) return known;
  if (canvas) canvas.font = FONT;
  const width = canvas?.measureText(text).width ?? 7.5 * text.length;
  widths.set(text, width);
  return width;
}

/** Name each method; methods of one title are told apart by the numbers in which they differ. */
export function namesOf(methods: MethodResult[]): string[] {
  return methods.map(({ title, text }) => {
    const twins = methods.filter((other) => other.title === title && other.text !== text);
    const numbers = argumentsOf(text).filter(([name, value], i) =>
      twins.some((twin) => {
        const [otherName, otherValue] = argumentsOf(twin.text)[i] ?? [];
        return otherName !== name || otherValue !== value;
      }),
    );
    const shown = numbers.map(([name, value]) => (name ? `${name} ${value}` : value));
    const name = title.replace(/, averaged$/, ""); // the average has a line of its own
    return shown.length ? `${name}, ${shown.join(", ")}` : name;
  });
}

/** Name the average of a method's iterates. */
export function averageOf(names: string[], method: number): string {
  return names.length === 1 ? "its average" : `${names[method]}, average`;
}

/** What stands before a learning rate that is given by its position. */
const BEFORE_RATE = /^lo\.\w+\($|(scale_by_learning_rate|schedules\.\w+)\($/;

/** The numbers of a text with the names of their arguments; "" where it has none. */
function argumentsOf(text: string): [string, string][] {
  const pattern = /(?:(\w+)=)?(?<![\w.])(-?\d[\d.]*(?:e[+-]?\d+)?|True|False)/g;
  return [...text.matchAll(pattern)].map((match) => {
    const position = BEFORE_RATE.test(text.slice(0, match.index)) ? "τ" : "";
    return [match[1] ?? position, match[2] ?? ""];
  });
}

/** Break a text into lines of at most `most` letters, between words. */
export function wrapped(text: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= most) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** Move intervals of given heights apart, as little as needed, within [top, bottom]. */
export function spread(
  wishes: { at: number; height: number }[],
  top: number,
  bottom: number,
): number[] {
  const order = wishes.map((_, i) => i).sort((a, b) => wishes[a]!.at - wishes[b]!.at);
  const places = wishes.map((wish) => wish.at);
  let edge = top;
  for (const i of order) {
    const half = wishes[i]!.height / 2;
    places[i] = Math.max(places[i]!, edge + half);
    edge = places[i]! + half;
  }
  edge = bottom;
  for (const i of order.reverse()) {
    const half = wishes[i]!.height / 2;
    places[i] = Math.min(places[i]!, edge - half);
    edge = places[i]! - half;
  }
  return places;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The area that two boxes share. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

/**
 * Find room for a text of a given width beside a point, inside `within`.
 *
 * A place costs its distance, what it covers of `taken`, and the points that it covers. `taken`
 * grows by the place, for the next text.
 */
export function placed(
  point: [number, number],
  width: number,
  within: Box,
  taken: Box[],
  points: [number, number][],
): Box {
  const height = 18;
  let best: Box = { x: point[0], y: point[1], width, height };
  let lowest = Infinity;
  for (const row of [0, -1, 1, -2, 2, -3, 3, -4, 4]) {
    for (const side of [0, -1, -0.5]) {
      if (row === 0 && side === -0.5) continue;
      const gap = row === 0 ? (side === 0 ? 12 : -12) : side === 0 ? 8 : side === -1 ? -8 : 0;
      const box = {
        x: clamp(point[0] + gap + side * width, within.x, within.x + within.width - width),
        y: clamp(point[1] - height / 2 + 19 * row, within.y, within.y + within.height - height),
        width,
        height,
      };
      const covered = taken.reduce((sum, other) => sum + overlap(box, other), 0);
      const crossed = points.filter(([x, y]) => overlap(box, { x, y, width: 1, height: 1 }));
      const cost = 10 * Math.abs(row) - 12 * side + 2 * covered + 3 * crossed.length;
      if (cost < lowest) [best, lowest] = [box, cost];
    }
  }
  taken.push(best);
  return best;
}

export function clamp(x: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, x));
}
