// Reading a run: its arrays, and whether a method diverges.
import type { NumberArray, Run } from "./protocol";

const EMPTY: NumberArray = { shape: [0], data: new Float32Array() };

/** The array of one method, such as "loss" or "path"; empty where there is none. */
export function arrayOf(run: Run | null, name: string, method: number): NumberArray {
  return run?.arrays[`${name}.${method}`] ?? EMPTY;
}

/** The number of entries before the first that is not finite. */
export function finiteLength(array: NumberArray): number {
  const columns = array.shape[1] ?? 1;
  const bad = array.data.findIndex((value) => !Number.isFinite(value));
  return bad < 0 ? array.data.length / columns : Math.floor(bad / columns);
}

/** A loss that stopped to be a number, or ended far above its start. */
export function diverges(run: Run | null, method: number): boolean {
  const loss = arrayOf(run, "loss", method);
  const n = finiteLength(loss);
  if (n < loss.data.length) return true;
  return n > 0 && loss.data[n - 1]! > 10 * Math.abs(loss.data[0]!) + 1e-6;
}
