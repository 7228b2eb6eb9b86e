// Numbers as a slider moves them, as a field shows them, and as Python writes them.
import type { Handle } from "./protocol";

/** The part of a handle that decides how a slider moves. */
export type Range = Pick<Handle, "scale" | "low" | "high">;

/** One key press on a logarithmic scale: more than the spacing of two significant digits. */
const KEY_FACTOR = 10 ** (1 / 20);
const DECADES_BELOW = 10;

/** Return the place of a value on its slider, from 0 to 1. */
export function placeOf(value: number, range: Range): number {
  const [low, high] = ends(range);
  if (range.scale === "decay") {
    if (value <= 0) return 0;
    return clamp(Math.log(1 - value) / Math.log(1 - high), 0, 1);
  }
  if (!isLog(range)) return high > low ? clamp((value - low) / (high - low), 0, 1) : 0;
  if (value <= 0) return 0;
  return clamp(Math.log(value / low) / Math.log(high / low), 0, 1);
}

/** Return the value at a place: two significant digits (of 1 - x for a decay), or an integer. */
export function valueAt(place: number, range: Range): number {
  const [low, high] = ends(range);
  if (place <= 0) return range.low;
  if (place >= 1) return range.high;
  if (range.scale === "decay") return rounded((1 - high) ** place, range);
  if (isLog(range)) return rounded(low * (high / low) ** place, range);
  return rounded(low + place * (high - low), range);
}

/** Return the value that `keys` presses of an arrow reach from a value. */
export function stepped(value: number, keys: number, range: Range): number {
  const [low] = ends(range);
  let next: number;
  if (range.scale === "decay") next = rounded(Math.min(1, pressed(1 - value, -keys)), range);
  else if (range.scale === "integer") next = value + keys;
  else if (!isLog(range)) next = rounded(value + keys * notch(range), range);
  else if (value < low) next = keys > 0 ? low : range.low;
  else if (pressed(value, keys) < low * (1 - 1e-9)) next = range.low;
  else {
    next = rounded(pressed(value, keys), range);
    if (range.scale === "log integer") {
      next = keys > 0 ? Math.max(value + 1, next) : Math.min(value - 1, next);
    }
  }
  return clamp(next, range.low, range.high);
}

/** The keys go through one grid of powers: back and forth ends where it began. */
function pressed(value: number, keys: number): number {
  return KEY_FACTOR ** (Math.round(Math.log(value) / Math.log(KEY_FACTOR)) + keys);
}

/** Return a number as short text: 1e-4, 0.05 and 1e9, never 0.0001. */
export function shown(value: number): string {
  const isPlain = value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6);
  const [plain, exponential] = [String(value), value.toExponential().replace("e+", "e")];
  return isPlain || (plain.length <= exponential.length && Math.abs(value) >= 1)
    ? plain
    : exponential;
}

/** Return a measured number with some significant digits. */
export function measured(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "not finite";
  const isLarge = Math.abs(value) >= 1e6;
  return isLarge
    ? value.toExponential(2).replace("e+", "e")
    : shown(Number(value.toPrecision(digits)));
}

/** Return a number as Python's repr writes it: a float has a point or an exponent. */
export function literal(value: number, scale: Handle["scale"]): string {
  if (scale.includes("integer")) return String(Math.round(value));
  const text = python(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Return a number as Python writes it, an integer without a point. */
export function python(value: number): string {
  const [digits = "0", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (value === 0 || (exponent >= -4 && exponent < 16)) return String(value);
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function isLog(range: Range): boolean {
  return range.scale === "log" || range.scale === "log integer";
}

/** The lowest value with a place of its own; 0 comes before it. */
function ends({ scale, low, high }: Range): [number, number] {
  if (low > 0 || scale === "linear" || scale === "integer" || scale === "decay") return [low, high];
  return [scale === "log integer" ? 1 : high / 10 ** DECADES_BELOW, high];
}

/** For a decay, `value` is 1 - x. */
function rounded(value: number, range: Range): number {
  if (range.scale.includes("integer")) {
    return value < 100 ? Math.round(value) : Number(value.toPrecision(2));
  }
  if (range.scale === "decay") {
    const rest = Number(value.toPrecision(2));
    return Number((1 - rest).toFixed(rest > 0 ? 1 - Math.floor(Math.log10(rest)) : 0));
  }
  if (range.scale === "log") return Number(value.toPrecision(2));
  const spacing = notch(range);
  return Number((Math.round(value / spacing) * spacing).toPrecision(12));
}

/** The spacing of a linear scale: 1, 2 or 5 times a power of ten, about a hundredth of the range. */
function notch({ low, high }: Range): number {
  const width = (high - low) / 100 || 1;
  const power = 10 ** Math.floor(Math.log10(width));
  return ([1, 2, 5].find((digit) => digit * power >= width * 0.999) ?? 10) * power;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
