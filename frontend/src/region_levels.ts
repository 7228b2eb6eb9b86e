// The geometry of a region of stability: its edge, its levels, and what stands on them.
import { contours } from "d3-contour";
import { scaleLinear } from "d3-scale";
import { curveBasis, line } from "d3-shape";
import type { Frame } from "./chart";
import { edgeAt } from "./forms";
import { clamp } from "./labels";
import type { Form, Prediction, Region } from "./protocol";

type Point = [number, number];
type Scale = (value: number) => number;

const LEVELS = [0.95, 0.9, 0.8, 0.6, 0.4, 0.2];

/** The line along which the levels are numbered: where they are apart. */
const NUMBERED: Record<Form, { product?: number; momentum?: number }> = {
  "heavy ball": { product: 1.2 },
  Nesterov: { momentum: 0.3 },
};

/** Where the eigenvalues lie, flattest first; those outside stand at the border. */
export function pointsOf(predicted: Prediction, region: Region, frame: Frame): Point[] {
  const [x, y] = scalesOf(region, frame);
  return predicted.points.slice(0, 2).map(([product, momentum]) => [
    clamp(x(product), frame.left, frame.right),
    clamp(y(momentum), frame.top, frame.bottom),
  ]);
}

/** For each of these points, the angle in which it lies outside of the picture; null inside. */
export function anglesOut(predicted: Prediction, region: Region): (number | null)[] {
  const { products, momenta } = region;
  return predicted.points.slice(0, 2).map(([product, momentum]) => {
    const right = side(product, products[0]!, products.at(-1)!);
    const up = side(momentum, momenta[0]!, momenta.at(-1)!);
    return right || up ? (Math.atan2(-up, right) * 180) / Math.PI : null;
  });
}

/** 1 above a range, -1 below it, 0 inside. */
function side(value: number, low: number, high: number): number {
  return Number(value > high) - Number(value < low);
}

export function scalesOf(region: Region, frame: Frame) {
  const { products, momenta } = region;
  return [
    scaleLinear([products[0]!, products.at(-1)!], [frame.left, frame.right]),
    scaleLinear([momenta[0]!, momenta.at(-1)!], [frame.bottom, frame.top]),
  ] as const;
}

/** {radius <= level} for each level, downwards. */
export function radiusPaths(region: Region, frame: Frame): string[] {
  const [columns, rows] = [region.products.length, region.momenta.length];
  const depth = Array.from(region.radius.data, (value) => -value);
  const generator = contours().size([columns, rows]);
  const x = (frame.right - frame.left) / (columns - 1);
  const y = (frame.bottom - frame.top) / (rows - 1);
  return LEVELS.map((level) =>
    generator
      .contour(depth, -level)
      .coordinates.flat()
      .map((ring) => {
        const points = ring.map(([i = 0, j = 0]) => {
          const px = clamp(frame.left + (i - 0.5) * x, frame.left, frame.right);
          const py = clamp(frame.bottom - (j - 0.5) * y, frame.top, frame.bottom);
          return `${px.toFixed(1)} ${py.toFixed(1)}`;
        });
        return `M${points.join("L")}Z`;
      })
      .join(""),
  );
}

/** The momentum with the smallest radius for each τλ; a spline takes away the grid's corners. */
export function bestPath(region: Region, x: Scale, y: Scale) {
  const columns = region.products.length;
  const points: Point[] = [];
  for (let i = 0; i < columns; i += 2) {
    const radii = region.momenta.map((_, j) => region.radius.data[j * columns + i]!);
    const best = radii.reduce((lowest, radius, j) => (radius < radii[lowest]! ? j : lowest), 0);
    if (radii[best]! < 1) points.push([x(region.products[i]!), y(region.momenta[best]!)]);
  }
  return line().curve(curveBasis).digits(1)(points);
}

/** The edge of stability, upwards. The grid is too coarse for it: two roots become real beside it. */
export function edgeOf(form: Form, { momenta }: Region, x: Scale, y: Scale): Point[] {
  return momenta.map((momentum) => [x(edgeAt(form, momentum)), y(momentum)]);
}

/** Those that are not too close to the one before, from the lowest level up. */
export function apart<T extends { x: number; y: number }>(items: T[]): T[] {
  const kept: T[] = [];
  for (const item of items.reverse()) {
    const last = kept.at(-1);
    if (!last || Math.hypot(item.x - last.x, item.y - last.y) > 24) kept.push(item);
  }
  return kept;
}

interface LevelNumber {
  level: number;
  product: number;
  momentum: number;
}

/** Where a line of constant τλ or constant momentum crosses each level. */
export function numbersOf(region: Region, form: Form): LevelNumber[] {
  const along = NUMBERED[form];
  const { products, momenta, radius } = region;
  const columns = products.length;
  const upward = along.product !== undefined;
  const fixed = upward
    ? nearestIndex(products, along.product!)
    : nearestIndex(momenta, along.momentum!);
  const values = upward ? momenta : products;
  const at = (k: number) => radius.data[upward ? k * columns + fixed : fixed * columns + k]!;
  return LEVELS.slice(1, -1).flatMap((level) => {
    const isCrossed = (i: number) => i > 0 && (at(i) - level) * (at(i - 1) - level) <= 0;
    const k = values.reduce((last, _, i) => (isCrossed(i) ? i : last), 0);
    if (k === 0) return [];
    return upward
      ? [{ level, product: products[fixed]!, momentum: values[k]! }]
      : [{ level, product: values[k]!, momentum: momenta[fixed]! }];
  });
}

function nearestIndex(values: number[], at: number): number {
  const gaps = values.map((value) => Math.abs(value - at));
  return gaps.indexOf(Math.min(...gaps));
}

/** The middle of the unstable part, where its name stands. */
export function unstablePoint(region: Region): [number, number] {
  const columns = region.products.length;
  let [x, y, n] = [0, 0, 0];
  region.momenta.forEach((momentum, j) =>
    region.products.forEach((product, i) => {
      if (region.radius.data[j * columns + i]! <= 1.0001) return;
      [x, y, n] = [x + product, y + momentum, n + 1];
    }),
  );
  return [x / n, y / n];
}
