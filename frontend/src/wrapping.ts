// The text of an optimizer with another number, a schedule, or an average.
import { literal } from "./numbers";
import type { Page, Reading } from "./protocol";

type Schedule = Page["schedules"][number];

export const NUMBER = /(?<![\w.])-?\d+(?:\.\d*)?(?:e[+-]?\d+)?/g;

/** Return the text with `#` in place of its numbers. */
export function shapeOf(text: string): string {
  return text.replace(NUMBER, "#");
}

/** Return a reading with another number at one handle; the places behind it move. */
export function withNumber(reading: Reading, i: number, value: number): Reading {
  const changed = reading.handles[i];
  if (!changed) return reading;
  const word = literal(value, changed.scale);
  const shift = word.length - (changed.end - changed.begin);
  return {
    ...reading,
    text: reading.text.slice(0, changed.begin) + word + reading.text.slice(changed.end),
    handles: reading.handles.map((handle, j) => {
      if (j === i) return { ...handle, value, end: handle.end + shift };
      if (handle.begin < changed.end) return handle;
      return { ...handle, begin: handle.begin + shift, end: handle.end + shift };
    }),
  };
}

/** Return a reading with the numbers of another one, where a name is the same. */
export function withNumbersOf(from: Reading, reading: Reading): Reading {
  return reading.handles.reduce((changed, { name, label, scale }, i) => {
    const same = from.handles.find((each) => each.name === name && each.label === label);
    return same?.scale === scale ? withNumber(changed, i, same.value) : changed;
  }, reading);
}

/** Return the chain of a text and an average. */
export function withAverage(text: string, average: string): string {
  return `lo.chain(${text}, ${average})`;
}

/** Return a text without the average that stands last in its chain, or null if none does. */
export function withoutAverage(text: string, average: string): string | null {
  const items =
    text.startsWith("lo.chain(") && text.endsWith(")") ? parts(text.slice(9, -1)) : null;
  const last = items?.pop();
  if (!items?.length || last === undefined || shapeOf(last) !== shapeOf(average)) return null;
  return items.length === 1 ? (items[0] ?? null) : `lo.chain(${items.join(", ")})`;
}

/** Return the arguments of a call, or null if the text is that of more than one call. */
function parts(inside: string): string[] | null {
  const found: string[] = [];
  let depth = 0;
  let begin = 0;
  for (let i = 0; i <= inside.length; i++) {
    const letter = inside[i] ?? ",";
    if ("([".includes(letter)) depth++;
    if (")]".includes(letter)) depth--;
    if (depth < 0) return null;
    if (letter === "," && depth === 0) {
      found.push(inside.slice(begin, i).trim());
      begin = i + 1;
    }
  }
  return found;
}

export interface Scheduled {
  /** The place in the page's list. */
  index: number;
  /** The text with a constant learning rate, and the place and the text of that number. */
  text: string;
  begin: number;
  rate: string;
}

/** Return which schedule of the page the learning rate of a text has, or null for another one. */
export function scheduleOf(reading: Reading, schedules: Schedule[]): Scheduled | null {
  for (const [index, { text }] of schedules.entries()) {
    if (text === "{rate}") continue;
    const match = patternOf(text).exec(reading.text);
    const rate = match?.groups?.rate;
    if (!match || rate === undefined) continue;
    const rest = reading.text.slice(match.index + match[0].length);
    return {
      index,
      text: reading.text.slice(0, match.index) + rate + rest,
      begin: match.index,
      rate,
    };
  }
  const handle = [...reading.handles].reverse().find(({ name }) => name === "learning_rate");
  if (!handle) return null;
  const index = schedules.findIndex(({ text }) => text === "{rate}");
  const { begin, end } = handle;
  return { index, text: reading.text, begin, rate: reading.text.slice(begin, end) };
}

/** Return the text with another schedule, whose length is that of the run. */
export function withSchedule(
  { text, begin, rate }: Scheduled,
  schedule: Schedule,
  steps: number,
): string {
  const wrapped = schedule.text
    .replace("{rate}", rate)
    .replace(/(?<=total_steps=)\d+/, String(steps));
  return text.slice(0, begin) + wrapped + text.slice(begin + rate.length);
}

/** The text of a schedule with any numbers. */
function patternOf(schedule: string): RegExp {
  const escaped = shapeOf(schedule).replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  const number = NUMBER.source;
  return new RegExp(escaped.replaceAll("#", number).replace("{rate}", `(?<rate>${number})`));
}
