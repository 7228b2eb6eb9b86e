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
}

export class Axes {
  private readonly grid: Mark;
  private readonly x: Group;
  private readonly y: Group;
  private readonly xName: Mark<SVGTextElement>;
  private readonly yName: Mark<SVGTextElement>;
  private drawn = "";

  constructor(root: Group) {
    this.grid = root.append("path").attr("fill", "none");
    this.x = root.append("g");
    this.y = root.append("g");
    this.xName = root.append("text").attr("text-anchor", "end");
    this.yName = root.append("text");
  }

  draw(x: Scale, y: Scale, frame: Frame, colours: Palette, texts: AxisTexts): void {
    const key = JSON.stringify([x.domain(), y.domain(), frame, colours, texts]);
    if (key === this.drawn) return;
    this.drawn = key;
    const xTicks = x.ticks(texts.xTicks);
    const yTicks = texts.logarithmic ? decades(y, texts.yTicks) : y.ticks(texts.yTicks);
    const lines = yTicks.map((tick) => `M${frame.left} ${y(tick)}H${frame.right}`);
    this.grid.attr("d", texts.grid ? lines.join("") : null).attr("stroke", colours.grid);

    const bottom = axisBottom(x).tickValues(xTicks).tickSize(4).tickSizeOuter(0);
    this.x.attr("transform", `translate(0 ${frame.bottom})`).call(bottom);
    const left = axisLeft(y).tickValues(yTicks).tickSize(4).tickSizeOuter(0);
    if (texts.logarithmic) left.tickFormat(power);
    this.y.attr("transform", `translate(${frame.left} 0)`).call(left);
    for (const axis of [this.x, this.y]) {
      axis.attr("font-size", 12).attr("font-family", null);
      axis.selectAll("text").attr("fill", colours.quiet);
      axis.selectAll("path, line").attr("stroke", colours.quiet);
    }
    this.xName.attr("x", frame.right).attr("y", frame.bottom + 34).text(texts.x);
    this.yName.attr("x", 8).attr("y", frame.top - 11).text(texts.y);
    for (const name of [this.xName, this.yName]) name.attr("fill", colours.ink);
  }
}

/** Powers of ten, about `count` of them; 1, 2 and 5 as well where few powers are in the domain. */
function decades(scale: Scale, count: number): number[] {
  const [low = 1, high = 1] = scale.domain();
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const stride = Math.max(1, Math.ceil((last - first + 1) / count));
  const factors = last - first < 2 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let p = first - 1; p <= last; p++) {
    if ((p - last) % stride) continue;
    for (const factor of factors) ticks.push(factor * 10 ** p);
  }
  return ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Write a tick of a logarithmic axis: 0.02, 1, 10⁻⁶. */
export function power(value: number): string {
  const exponent = Math.round(Math.log10(value));
  if (Math.abs(exponent) < 3) return `${Number(value.toPrecision(1))}`;
  const digits = [...`${Math.abs(exponent)}`].map((digit) => RAISED[Number(digit)]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/** Write a value in text: three digits, a power of ten where it is long. */
export function short(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return "not a number";
  if (size >= 1e-3 && size < 1e4) return `${Number(value.toPrecision(3))}`;
  return value.toExponential(1).replace("e+", "e");
}
