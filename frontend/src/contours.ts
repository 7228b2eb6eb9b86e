// The levels of a loss as closed paths: {loss <= level}, from the highest level to the lowest.
import { contours } from "d3-contour";
import type { Frame } from "./chart";
import type { Field } from "./protocol";

const LEVELS = 14;

/** Grid points per side after refinement: a narrow valley falls between coarser ones. */
const FINE = 160;

/**
 * Level k of n is lowest + (k/n)⁴ (highest - lowest): between the logarithm, which shows only the
 * minimum, and equal steps, which show only the walls.
 */
const heights = Array.from({ length: LEVELS }, (_, i) => ((LEVELS - i) / (LEVELS + 1)) ** 4);

/** The "d" of each level. On a quadratic the levels are ellipses, exact for any condition number. */
export function levelPaths(field: Field, quadratic: boolean, frame: Frame): string[] {
  const exact = quadratic && field.minimum && field.eigenvalues.every((value) => value > 0);
  return exact ? ellipses(field, frame) : traced(field, frame);
}

function ellipses(field: Field, frame: Frame): string[] {
  const [left, right, bottom, top] = field.box;
  const [cx, cy] = field.minimum ?? [0, 0];
  const unit = (frame.right - frame.left) / (right - left);
  const [flat = 1, steep = 1] = field.eigenvalues;
  const [ux, uy] = field.eigenvectors[0] ?? [1, 0];
  const height = (x: number, y: number) => {
    const [u, v] = [ux * (x - cx) + uy * (y - cy), -uy * (x - cx) + ux * (y - cy)];
    return (flat * u * u + steep * v * v) / 2;
  };
  const corners = [left, right].flatMap((x) => [height(x, bottom), height(x, top)]);
  const highest = Math.max(...corners);
  const [x, y] = [frame.left + (cx - left) * unit, frame.bottom - (cy - bottom) * unit];
  return heights.map((part) => {
    const [a, b] = [flat, steep].map((value) => unit * Math.sqrt((2 * part * highest) / value));
    const [dx, dy] = [a! * ux, -a! * uy];
    const arc = `A${a} ${b} ${(-Math.atan2(uy, ux) * 180) / Math.PI} 1 0`;
    return `M${x - dx} ${y - dy}${arc} ${x + dx} ${y + dy}${arc} ${x - dx} ${y - dy}Z`;
  });
}

function traced(field: Field, frame: Frame): string[] {
  const side = Math.ceil(FINE / (field.grid - 1)) * (field.grid - 1) + 1;
  const loss = refined(field.loss.data, field.grid, side);
  const sorted = Float64Array.from(field.loss.data).filter(Number.isFinite).sort();
  const lowest = sorted[0] ?? 0;
  const range = (sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 1) - lowest || 1;
  // Along a wall the square root of the loss is nearly linear, as contours() assumes between points.
  const depth = loss.map((value) => {
    const part = Number.isFinite(value) ? Math.max(value - lowest, 0) / range : Infinity;
    return -Math.min(Math.sqrt(part), 2);
  });
  const generator = contours().size([side, side]);
  const x = (frame.right - frame.left) / (side - 1);
  const y = (frame.bottom - frame.top) / (side - 1);
  return heights.map((part) => {
    const shape = generator.contour(depth as unknown as number[], -Math.sqrt(part));
    const rings = shape.coordinates.flat();
    return rings.map((ring) => {
      const points = ring.map(([i = 0, j = 0]) => {
        const px = frame.left + (i - 0.5) * x;
        return `${px.toFixed(1)} ${(frame.bottom - (j - 0.5) * y).toFixed(1)}`;
      });
      return `M${points.join("L")}Z`;
    }).join("");
  });
}

/** Interpolate a square grid by cubics (Catmull and Rom), which keep a quadratic as it is. */
function refined(data: Float32Array, grid: number, side: number): Float64Array {
  const rows = new Float64Array(grid * side);
  const fine = new Float64Array(side * side);
  const between = cubic(grid, side);
  for (let row = 0; row < grid; row++) {
    for (let i = 0; i < side; i++) {
      rows[row * side + i] = between(i, (column) => data[row * grid + column]!);
    }
  }
  for (let j = 0; j < side; j++) {
    for (let i = 0; i < side; i++) {
      fine[j * side + i] = between(j, (row) => rows[row * side + i]!);
    }
  }
  return fine;
}

function cubic(grid: number, side: number) {
  const weights = Array.from({ length: side }, (_, i) => {
    const at = (i * (grid - 1)) / (side - 1);
    const first = Math.min(Math.floor(at), grid - 2);
    const t = at - first;
    return { first, t };
  });
  return (i: number, value: (index: number) => number): number => {
    const { first, t } = weights[i]!;
    const [b, c] = [value(first), value(first + 1)];
    // Beyond the edge, go on as a parabola.
    const a = first > 0 ? value(first - 1) : 3 * b - 3 * c + value(first + 2);
    const d = first + 2 < grid ? value(first + 2) : 3 * c - 3 * b + value(first - 1);
    return b + (t / 2) * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  };
}
