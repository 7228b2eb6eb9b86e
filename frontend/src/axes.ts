// Two axes with a thin grid; their ticks change only when a domain, a range or the theme does.
import { axisBottom, axisLeft, type AxisScale } from "d3-axis";
import type { Group, Frame, Mark } from "./chart";
import type { Palette } from "./colours";

/** A scale of d3: linear or logarithmic. */
export interface Scale extends AxisScale<number> {
  (value: number): number;
  invert(value: number): number;
  domain(): number[];
  range(): number[];
  ticks(count?: number): number[];
}

export interface AxisTexts {
  x: string;
  y: string;
  xTicks: number;
  yTicks: number;
  /** Equal axes need no grid on top of their contours. */
  grid: boolean;
  logarithmic: boolean;
  /** Steps: no ticks between them. */
  integers?: boolean;
  /** A second line above the y axis. */
  note?: string;
}

/** The room left of the y axis. */
export const LABELS = 42;

export class Axes {
  private readonly grid: Mark;
  private readonly x: Group;
  private readonly y: Group;
  private readonly xName: Mark<SVGTextElement>;
  private readonly yName: Mark<SVGTextElement>;
  private readonly note: Mark<SVGTextElement>;
  private drawn = "";

  constructor(root: Group) {
    this.grid = root.append("path").attr("fill", "none");
    this.x = root.append("g").attr("data-axis", "x"); // for tests, which read numbers off the picture
    this.y = root.append("g").attr("data-axis", "y");
    this.xName = root.append("text").attr("text-anchor", "end");
    this.yName = root.append("text");
    this.note = root.append("text").attr("font-size", 12);
  }

  draw(x: Scale, y: Scale, frame: Frame, colours: Palette, texts: AxisTexts): void {
    const key = JSON.stringify([x.domain(), y.domain(), frame, colours, texts]);
    if (key === this.drawn) return;
    this.drawn = key;
    const xTicks = x.ticks(texts.xTicks).filter((tick) => !texts.integers || tick % 1 === 0);
    const yTicks = texts.logarithmic ? decades(y, texts.yTicks) : y.ticks(texts.yTicks);
    const lines = yTicks.map((tick) => `M${frame.left} ${y(tick)}H${frame.right}`);
    this.grid.attr("d", texts.grid ? lines.join("") : null).attr("stroke", colours.grid);

    const bottom = axisBottom(x).tickValues(xTicks).tickSize(4).tickSizeOuter(0);
    bottom.tickFormat(plain(xTicks));
    this.x.attr("transform", `translate(0 ${frame.bottom})`).call(bottom);
    const left = axisLeft(y).tickValues(yTicks).tickSize(4).tickSizeOuter(0);
    left.tickFormat(texts.logarithmic ? powers(yTicks) : plain(yTicks));
    this.y.attr("transform", `translate(${frame.left} 0)`).call(left);
    for (const axis of [this.x, this.y]) {
      axis.attr("font-size", 12).attr("font-family", null);
      axis.selectAll("text").attr("fill", colours.quiet);
      axis.selectAll("path, line").attr("stroke", colours.quiet);
    }
    this.xName.attr("x", frame.right).attr("y", frame.bottom + 34).text(texts.x);
    const above = frame.top - 11;
    this.yName.attr("y", texts.note ? above - 16 : above).text(texts.y);
    this.note.attr("y", above).text(texts.note ?? "").attr("fill", colours.quiet);
    for (const name of [this.yName, this.note]) name.attr("x", frame.left - LABELS);
    for (const name of [this.xName, this.yName]) name.attr("fill", colours.ink);
  }
}

/** Powers of ten, about `count` of them; 2 and 5 times them as well where these are few. */
function decades(scale: Scale, count: number): number[] {
  const [low = 1, high = 1] = scale.domain();
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const stride = Math.max(1, Math.ceil((last - first) / count));
  const factors = last - first <= 2 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let p = stride * Math.ceil(first / stride); p <= last; p += stride) {
    for (const factor of factors) ticks.push(Number(`${factor}e${p}`));
  }
  return ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

/** Write ticks with as many decimals as the longest of them needs. */
function plain(ticks: number[]): (tick: number) => string {
  const decimals = ticks.map((tick) => `${Number(tick.toPrecision(6))}`.split(".")[1]?.length ?? 0);
  const most = Math.max(0, ...decimals);
  if (most > 4 || ticks.some((tick) => Math.abs(tick) >= 1e5)) return short;
  return (tick) => tick.toFixed(most).replace("-", "−");
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Write the ticks of a logarithmic axis alike: 0.02, 1, 50; or 10⁻⁶, 1, 10³. */
function powers(ticks: number[]): (tick: number) => string {
  const isNear = ticks.every((tick) => tick >= 1e-3 && tick <= 1e3);
  return (tick) => (isNear ? `${tick}` : power(tick));
}

function power(tick: number): string {
  if (tick >= 0.1 && tick <= 10) return `${tick}`;
  const [digits, exponent = "0"] = tick.toExponential().split("e");
  const raised = [...`${Math.abs(Number(exponent))}`].map((digit) => RAISED[Number(digit)]);
  const factor = digits === "1" ? "" : `${digits}·`;
  return `${factor}10${Number(exponent) < 0 ? "⁻" : ""}${raised.join("")}`;
}

/** Write a value in text: three digits, as 1.2e-7 where it is small. */
export function short(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return "not a number";
  const isPlain = size >= 1e-3 && size < 1e4;
  const text = isPlain ? `${Number(value.toPrecision(3))}` : value.toExponential(1);
  return text.replace("e+", "e").replace("-", "−").replace("e−", "e-");
}
