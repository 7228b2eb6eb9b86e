// Curves over the steps: the loss, the learning rate, the size of the updates, the eigen-directions.
import { scaleLinear, scaleLog } from "d3-scale";
import { Axes, LABELS, type Scale, short } from "./axes";
import {
  Chart,
  dashOf,
  type Frame,
  type Group,
  haloed,
  type Line,
  type Mark,
  NARROW,
  PALE,
  polyline,
  setLines,
} from "./chart";
import { DASHES } from "./colours";
import { type Box, clamp, placed, spread, textWidth, wrapped } from "./labels";
import {
  type Limits,
  limitsOf,
  MEANINGS,
  type Quantity,
  type Series,
  seriesOf,
  valueOf,
} from "./quantities";
import { type RuledValue, Ruler } from "./ruler";
import type { View } from "./view";

export interface CurvesOptions {
  quantity: Quantity;
  /** Called when the ruler moves to a step, or disappears. */
  onStep(step: number | null): void;
}

/** An average is drawn as in the plane: solid, over the pale line of its iterates. */
const WEIGHTS: Record<Series["style"], number> = { bold: 2.2, thin: 1.2, pale: 1.4, average: 2.8 };

/** "top": it leaves the picture upwards; "stop": its next value is not a number. */
interface End {
  kind: "end" | "top" | "stop";
  count: number;
  x: number;
  y: number;
}

interface Curve {
  line: Mark;
  reference: Mark;
  arrow: Mark;
  stop: Mark;
  label: Mark<SVGTextElement>;
  leader: Mark;
}

export class Curves extends Chart {
  private readonly quantity: Quantity;
  private readonly clip: Mark<SVGRectElement>;
  private readonly axes: Axes;
  private readonly picture: Group;
  private readonly curves: Curve[];
  private readonly empty: Mark<SVGTextElement>;
  private readonly ruler: Ruler;
  private series: Series[] = [];
  private frame: Frame = { left: 0, right: 1, top: 0, bottom: 1 };
  private x: Scale = scaleLinear<number, number>();
  private y: Scale = scaleLinear<number, number>();
  private isLogarithmic = false;

  constructor(container: HTMLElement, { quantity, onStep }: CurvesOptions) {
    super(container);
    this.quantity = quantity;
    this.picture = this.root.append("g").attr("role", "img");
    this.clip = this.root.append("clipPath").attr("id", this.id).append("rect");
    this.axes = new Axes(this.picture.append("g"));
    const inside = this.picture.append("g").attr("clip-path", `url(#${this.id})`);
    const outside = this.picture.append("g");
    this.curves = Array.from({ length: 2 * DASHES.length }, () => appended(inside, outside));
    this.empty = this.picture.append("text");
    this.ruler = new Ruler(this.picture, this.root, MEANINGS[quantity].axis, onStep);
  }

  protected draw(view: View): void {
    this.series = seriesOf(view, this.quantity);
    this.frame = this.frameOf();
    this.drawAxes(view);
    this.drawCurves(view);
    const { x, frame, colours } = this;
    this.ruler.draw({ x, frame, colours, at: (step) => this.valuesAt(step) });
    this.describeCurves(view);
  }

  private frameOf(): Frame {
    const narrow = this.width < NARROW;
    const lines = this.series.flatMap(({ label }) => wrapped(label, narrow ? 12 : 18));
    const labels = Math.max(40, ...lines.map(textWidth)) + 16;
    const top = MEANINGS[this.quantity].note ? 46 : 30;
    const height = (narrow ? 210 : 250) + top;
    this.setHeight(height);
    const frame = { left: 8 + LABELS, right: this.width - labels, top, bottom: height - 42 };
    this.clip.attr("x", frame.left).attr("y", top - 1);
    this.clip.attr("width", frame.right - frame.left).attr("height", frame.bottom - top + 2);
    return frame;
  }

  private drawAxes(view: View): void {
    const { left, right, top, bottom } = this.frame;
    const { axis, note, floor, logarithmic } = MEANINGS[this.quantity];
    const limits = limitsOf(this.series, floor);
    this.isLogarithmic = logarithmic && limits.low > 0 && limits.high > 10 * limits.low;
    this.x = scaleLinear<number, number>([0, view.state.steps], [left, right]);
    this.y = this.isLogarithmic
      ? scaleLog<number, number>(decadesAround(limits), [bottom, top])
      : scaleLinear<number, number>(around(limits, floor === 0), [bottom, top]).nice(4);
    this.axes.draw(this.x, this.y, this.frame, this.colours, {
      x: "step k",
      y: axis,
      note: this.noteOf(view, note),
      xTicks: 5,
      integers: true,
      yTicks: 5,
      grid: true,
      logarithmic: this.isLogarithmic,
    });
    const words = this.series.length ? MEANINGS[this.quantity].empty : "";
    this.empty
      .text(Number.isFinite(limits.high) ? "" : words)
      .attr("x", left + 10)
      .attr("y", (top + bottom) / 2)
      .attr("fill", this.colours.quiet);
  }

  /** Pale lines are named only where something is predicted. */
  private noteOf(view: View, note?: string): string | undefined {
    const isPredicted = view.run?.methods.some(({ predicted }) => predicted);
    return isPredicted ? note : note?.replace(", pale: predicted", "");
  }

  private drawCurves(view: View): void {
    const { background, lines, texts } = this.colours;
    const ends = this.series.map((series) => this.endOf(series));
    const rows = this.series.map(({ label }, i) =>
      isBeside(ends[i]) && label ? wrapped(label, this.width < NARROW ? 12 : 18) : [],
    );
    const places = spread(
      rows.map((row, i) => ({ at: ends[i]?.y ?? 0, height: 15 * row.length + 2 })),
      this.frame.top - 8,
      this.frame.bottom + 8,
    );
    const points = this.series.flatMap((series, i) => this.sampleOf(series, ends[i]?.count ?? 0));
    const taken = ends.flatMap((end) =>
      end && !isBeside(end) ? [{ x: end.x - 7, y: end.y - 7, width: 14, height: 14 }] : [],
    );
    this.curves.forEach((curve, i) => {
      const [series, end] = [this.series[i], ends[i]];
      const visible = series && end;
      for (const mark of Object.values(curve)) mark.attr("display", visible ? null : "none");
      if (!visible) return;
      const colour = lines[series.method]!;
      const drawn = this.lineOf(series, end.count);
      curve.line
        .attr("d", drawn.d)
        .attr("data-method", series.method)
        .attr("stroke", colour)
        .attr("stroke-width", WEIGHTS[series.style])
        .attr("stroke-opacity", series.style === "pale" ? PALE : null)
        .attr("stroke-dasharray", series.style === "average" ? null : dashOf(series.method, drawn));
      curve.reference.attr("d", this.referenceOf(view, series)).attr("stroke", colour);
      curve.arrow
        .attr("display", end.kind === "top" ? null : "none")
        .attr("transform", `translate(${end.x} ${end.y})`)
        .attr("fill", colour);
      curve.stop
        .attr("display", end.kind === "stop" ? null : "none")
        .attr("transform", `translate(${end.x} ${end.y})`)
        .attr("stroke", colour);
      curve.label.attr("fill", texts[series.method]!).attr("stroke", background);
      curve.leader.attr("stroke", colour);
      if (isBeside(end)) this.labelBeside(curve, rows[i]!, end, places[i]!);
      else this.labelInside(curve, series.label, end, taken, points);
    });
  }

  /** In the margin; a thin line leads there from a curve that ends earlier or at another height. */
  private labelBeside(curve: Curve, row: string[], end: End, y: number): void {
    const x = this.frame.right + 12;
    setLines(curve.label, row, x, y - 7.5 * (row.length - 1) + 4.5);
    curve.label.attr("text-anchor", "start");
    const isFar = row.length > 0 && (Math.abs(y - end.y) > 4 || end.x < this.frame.right - 6);
    const d = `M${end.x + 1} ${end.y}H${this.frame.right}L${x - 3} ${y}`;
    curve.leader.attr("d", isFar ? d : null);
  }

  /** Beside the point where a curve leaves the picture or stops to be a number. */
  private labelInside(
    curve: Curve,
    name: string,
    { x, y }: End,
    taken: Box[],
    points: [number, number][],
  ): void {
    curve.leader.attr("d", null);
    const text = name && `${name} diverges`;
    const { left, top, bottom } = this.frame;
    const within = { x: left + 4, y: top, width: this.width - left - 8, height: bottom - top };
    const box = placed([x, y + 6], textWidth(text), within, text ? taken : [], points);
    setLines(curve.label, [text], box.x + box.width / 2, box.y + 13.5);
    curve.label.attr("text-anchor", "middle");
  }

  /** How many points are drawn, where and how the curve ends; null where it has no point. */
  private endOf(series: Series): End | null {
    const [lowest = 0, highest = 1] = this.y.domain();
    let last = 0;
    while (last < series.values.length && Number.isFinite(valueOf(series, last))) {
      if (series.lost && valueOf(series, last) > highest) break;
      last++;
    }
    if (last === 0) return null;
    if (last < series.values.length && Number.isFinite(valueOf(series, last))) {
      const [y0, y1] = [this.yOf(series, last - 1), this.yOf(series, last)];
      const part = clamp((y0 - this.frame.top) / (y0 - y1), 0, 1);
      return { kind: "top", count: last + 1, x: this.x(last - 1 + part), y: this.frame.top };
    }
    const kind = last < series.values.length && series.lost ? "stop" : "end";
    let k = last - 1;
    while (k > 0 && valueOf(series, k - 1) <= lowest && valueOf(series, k) <= lowest) k--;
    return { kind, count: k + 1, x: this.x(k), y: this.yOf(series, k) };
  }

  /** With many steps per unit of width, the lowest and the highest point of each are the line. */
  private lineOf(series: Series, count: number): Line {
    const stride = Math.max(1, Math.ceil(this.x.domain()[1]! / (this.frame.right - this.frame.left)));
    const steps: number[] = [];
    for (let begin = 0; begin < count; begin += stride) {
      const end = Math.min(begin + stride, count);
      let [low, high] = [begin, begin];
      for (let k = begin + 1; k < end; k++) {
        if (valueOf(series, k) < valueOf(series, low)) low = k;
        if (valueOf(series, k) > valueOf(series, high)) high = k;
      }
      steps.push(Math.min(low, high));
      if (low !== high) steps.push(Math.max(low, high));
    }
    return polyline(steps.length, (i) => this.x(steps[i]!), (i) => this.yOf(series, steps[i]!));
  }

  /** Some points of a curve, which labels leave free. */
  private sampleOf(series: Series, count: number): [number, number][] {
    const stride = Math.max(1, Math.floor(count / 60));
    const points: [number, number][] = [];
    for (let k = 0; k < count; k += stride) points.push([this.x(k), this.yOf(series, k)]);
    return points;
  }

  private yOf(series: Series, k: number): number {
    const value = valueOf(series, k);
    const low = this.y.domain()[0]!;
    return this.y(low > 0 ? Math.max(value, low) : value);
  }

  /** The distance that the theory predicts: a straight line on a logarithmic axis. */
  private referenceOf(view: View, series: Series): string | null {
    const predicted = this.quantity === "modes" && view.run?.methods[series.method]?.predicted;
    const radius = predicted ? predicted.radii[series.style === "thin" ? 1 : 0] : undefined;
    const start = valueOf(series, 0);
    const [low = 0, high = 1] = this.y.domain();
    if (!this.isLogarithmic || radius === undefined || !(start > 0)) return null;
    const steps = view.state.steps;
    const limit = Math.log(radius < 1 ? low / start : high / start) / Math.log(radius);
    const k = radius === 1 ? steps : clamp(limit, 0, steps);
    const end = clamp(start * radius ** k, low, high);
    return `M${this.x(0)} ${this.y(clamp(start, low, high))}L${this.x(k)} ${this.y(end)}`;
  }

  private valuesAt(step: number): RuledValue[] {
    return this.series.map((series) => ({
      name: series.name,
      value: valueOf(series, step),
      y: this.yOf(series, step),
      colour: this.colours.lines[series.method]!,
    }));
  }

  private describeCurves(view: View): void {
    const ends = this.series.map((series) => {
      if (series.lost) return `${series.name}: diverges.`;
      const [first, last] = [valueOf(series, 0), valueOf(series, series.values.length - 1)];
      if (!Number.isFinite(first + last)) return "";
      return `${series.name}: from ${short(first)} to ${short(last)}.`;
    });
    const axis = MEANINGS[this.quantity].axis;
    const sentence = `${axis} over ${view.state.steps} steps. ${ends.join(" ")}`;
    this.picture.attr("aria-label", sentence);
    this.describe(sentence);
  }
}

function appended(inside: Group, outside: Group): Curve {
  const line = (parent: Group) =>
    parent.append("path").attr("fill", "none").attr("stroke-linejoin", "round");
  return {
    reference: line(inside).attr("stroke-width", 5).attr("opacity", 0.18),
    line: line(inside).attr("stroke-linecap", "round"),
    arrow: outside.append("path").attr("d", "M0 -4L-6 8H6Z"),
    stop: outside.append("path").attr("d", "M-5 -5L5 5M-5 5L5 -5").attr("stroke-width", 2.5),
    leader: line(outside).attr("stroke-width", 0.8).attr("opacity", 0.6),
    label: haloed(outside.append("text")),
  };
}

/** Whether a curve is labelled in the margin. */
function isBeside(end: End | null | undefined): boolean {
  return end?.kind === "end";
}

function decadesAround({ low, high }: Limits): [number, number] {
  const exponent = (value: number) => Math.log10(value) - 1e-9; // 0.001 is 10⁻³
  return [10 ** Math.floor(exponent(low) + 2e-9), 10 ** Math.ceil(exponent(high))];
}

function around({ low, high }: Limits, fromZero: boolean): [number, number] {
  if (!Number.isFinite(high)) return [0, 1];
  if (fromZero) return [Math.min(0, low), 1.1 * high];
  const spare = high > low ? 0 : Math.abs(low) / 2 || 0.5;
  return [low - spare, high + spare];
}
