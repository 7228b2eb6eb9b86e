// What is read off a run without the library: the formulas of lecture_optax/interactive.
import { edgeAt, radiusAt } from "./forms";
import type { Structure } from "./programs";
import type { Field, Prediction } from "./protocol";

const LEAST_STEPS = 10;
const PIECES = 8;
const FLOOR = 4 * 2 ** -23;
const [SMALLEST, LARGEST] = [1e-18, 1e18];

/** Return what the theory predicts for a linear method with a constant learning rate, or null. */
export function predictionOf(structure: Structure, numbers: number[], eigenvalues: number[]): Prediction | null {
  const { form, schedule } = structure;
  if (!form || schedule !== null) return null;
  const τ = numbers[0] ?? NaN;
  const μ = structure.method.includes("momentum") ? (numbers[1] ?? NaN) : 0;
  const radii = eigenvalues.map((λ) => radiusAt(form, τ * λ, μ));
  return {
    radii,
    rate: Math.max(...radii),
    limit: edgeAt(form, μ) / Math.max(...eigenvalues),
    form,
    points: eigenvalues.map((λ): [number, number] => [τ * λ, μ]),
  };
}

/** Return the factor by which the distance to the minimum changes per step, late in the run. */
export function measuredRate(
  path: Float32Array,
  loss: Float32Array,
  field: Pick<Field, "minimum" | "eigenvalues">,
  hasExamples: boolean,
  lowest: number | null,
): number | null {
  if (lowest !== null) return rateOf(Array.from(loss, (value) => Math.sqrt(Math.max(value - lowest, 0))), Math.sqrt(FLOOR));
  const minimum = field.minimum ?? [0, 0];
  const [flat = 1, steep = 1] = field.eigenvalues;
  const size = Math.max(...minimum.map(Math.abs), hasExamples ? 1 : 0);
  const distances = Array.from(loss, (_, k) => Math.hypot((path[2 * k] ?? 0) - minimum[0], (path[2 * k + 1] ?? 0) - minimum[1]));
  return rateOf(distances, Math.max((FLOOR * size * steep) / flat, SMALLEST));
}

/** See `rate_of` in lecture_optax/interactive/readings.py. */
function rateOf(distances: number[], floor: number): number | null {
  const lost = distances.findIndex((distance) => !(distance > floor && distance < LARGEST));
  const end = lost < 0 ? distances.length : lost;
  const begin = Math.floor(end / 2);
  if (end - begin < LEAST_STEPS) return null;
  const logs = distances.slice(begin, end).map(Math.log);
  const tops = split(logs.length, Math.min(PIECES, Math.floor(logs.length / 2))).map(([from, to]) => {
    let top = from;
    for (let k = from; k < to; k++) if ((logs[k] ?? 0) > (logs[top] ?? 0)) top = k;
    return top;
  });
  return Math.exp(slope(tops, tops.map((k) => logs[k] ?? 0)));
}

/** Return the ends of pieces of nearly the same length, the longer ones first. */
function split(length: number, pieces: number): [number, number][] {
  const short = Math.floor(length / pieces);
  const begins = Array.from({ length: pieces + 1 }, (_, i) => i * short + Math.min(i, length % pieces));
  return begins.slice(1).map((end, i): [number, number] => [begins[i] ?? 0, end]);
}

/** The slope of the least-squares line. */
function slope(x: number[], y: number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  const over = x.map((each, i) => (each - mx) * ((y[i] ?? 0) - my));
  return mean(over) / mean(x.map((each) => (each - mx) ** 2));
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
