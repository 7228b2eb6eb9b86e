// Curves over the steps: the loss, the learning rate, the size of the updates, the eigen-directions.
import { scaleLinear, scaleLog } from "d3-scale";
import { pointer } from "d3-selection";
import { Axes, LABELS, type Scale, short } from "./axes";
import { Chart, type Frame, type Group, haloed, type Mark, NARROW, polyline } from "./chart";
import { DASHES } from "./colours";
import { type Box, clamp, namesOf, placed, spread, textWidth, wrapped } from "./labels";
import type { NumberArray } from "./protocol";
import { arrayOf, diverges } from "./series";
import type { View } from "./view";

export type Quantity = "loss" | "learning_rate" | "update" | "ratio" | "modes";

export interface CurvesOptions {
  quantity: Quantity;
  /** Called when the ruler moves to a step, or disappears. */
  onStep?(step: number | null): void;
}

interface Meaning {
  /** The name of the y axis, with its symbol. */
  axis: string;
  note?: string;
  /** What stands in the place of curves without a value. */
  empty: string;
  /** Logarithmic where its values span a factor of 10. */
  logarithmic: boolean;
  /** What is below this part of the largest first value is rounding. */
  floor: number;
}

const NOT_FINITE = "No value is finite.";

const MEANINGS: Record<Quantity, Meaning> = {
  loss: { axis: "loss L(θₖ)", empty: NOT_FINITE, logarithmic: true, floor: 1e-12 },
  learning_rate: {
    axis: "learning rate τₖ",
    empty: "These methods name no learning rate.",
    logarithmic: false,
    floor: 0,
  },
  update: {
    axis: "size of the update |θₖ₊₁ − θₖ|",
    empty: NOT_FINITE,
    logarithmic: true,
    floor: 1e-8,
  },
  ratio: {
    axis: "update / parameters |θₖ₊₁ − θₖ| / |θₖ|",
    empty: NOT_FINITE,
    logarithmic: true,
    floor: 1e-8,
  },
  modes: {
    axis: "distance to the minimum along an eigenvector",
    note: "bold: flat, thin: steep, pale: predicted",
    empty: "Only landscapes of two parameters are drawn along their eigenvectors.",
    logarithmic: true,
    floor: 1e-8,
  },
};

/** A curve that rises above this multiple of its start is cut: it diverges. */
const CUT = 1e3;

interface Series {
  method: number;
  /** The thin curve of a method: its steep direction, or the loss of its average. */
  isSecond: boolean;
  /** For the ruler and the description, and beside the end of the curve. */
  name: string;
  label: string;
  values: Float32Array;
  lost: boolean;
}

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
  dot: Mark<SVGCircleElement>;
}

export class Curves extends Chart {
  private readonly quantity: Quantity;
  private readonly clip: Mark<SVGRectElement>;
  private readonly axes: Axes;
  private readonly picture: Group;
  private readonly curves: Curve[];
  private readonly empty: Mark<SVGTextElement>;
  private readonly ruler: Group;
  private readonly sensor: Mark<SVGRectElement>;
  private series: Series[] = [];
  private frame: Frame = { left: 0, right: 1, top: 0, bottom: 1 };
  private x: Scale = scaleLinear<number, number>();
  private y: Scale = scaleLinear<number, number>();
  private isLogarithmic = false;
  /** The step under the ruler. */
  private step: number | null = null;

  constructor(
    container: HTMLElement,
    private readonly options: CurvesOptions,
  ) {
    super(container);
    this.quantity = options.quantity;
    this.picture = this.root.append("g").attr("role", "img");
    this.clip = this.root.append("clipPath").attr("id", this.id).append("rect");
    this.axes = new Axes(this.picture.append("g"));
    const inside = this.picture.append("g").attr("clip-path", `url(#${this.id})`);
    const outside = this.picture.append("g");
    const ruler = this.picture.append("g");
    this.curves = Array.from({ length: 2 * DASHES.length }, () => appended(inside, outside, ruler));
    this.ruler = ruler;
    ruler.append("path");
    ruler.append("text");
    this.empty = this.picture.append("text");
    this.sensor = this.appendSensor();
  }

  protected draw(view: View): void {
    this.series = this.seriesOf(view);
    this.frame = this.frameOf();
    this.drawAxes(view);
    this.drawCurves(view);
    this.drawRuler();
    this.describeCurves(view);
  }

  private seriesOf(view: View): Series[] {
    const names = view.run ? namesOf(view.run.methods) : [];
    const isAlone = names.length === 1;
    return names.flatMap((name, method) => {
      const array = arrayOf(view.run, this.quantity, method);
      const series = (text: string, label: string, values: Float32Array, isSecond = false) => ({
        method,
        isSecond,
        name: text,
        label,
        values,
        lost: diverges(view.run, method),
      });
      if (this.quantity === "modes") {
        return [
          series(isAlone ? "flat" : `${name}, flat`, isAlone ? "flat" : name, distances(array, 0)),
          series(isAlone ? "steep" : `${name}, steep`, isAlone ? "steep" : "", distances(array, 1), true),
        ];
      }
      const first = series(name, name, array.data);
      if (this.quantity !== "loss" || !view.run?.methods[method]?.has_average) return [first];
      const average = arrayOf(view.run, "average_loss", method).data;
      return [first, series(`${name}, average`, "average", average, true)];
    });
  }

  private frameOf(): Frame {
    const narrow = this.width < NARROW;
    const lines = this.series.flatMap(({ label }) => wrapped(label, narrow ? 12 : 18));
    const labels = Math.max(40, ...lines.map(textWidth)) + 16;
    const top = MEANINGS[this.quantity].note ? 46 : 30;
    const height = (narrow ? 210 : 250) + top;
    this.setHeight(height);
    const frame = { left: 8 + LABELS, right: this.width - labels, top, bottom: height - 42 };
    for (const rect of [this.clip, this.sensor]) {
      rect.attr("x", frame.left).attr("y", frame.top - 1);
      rect.attr("width", frame.right - frame.left).attr("height", frame.bottom - frame.top + 2);
    }
    return frame;
  }

  private drawAxes(view: View): void {
    const { left, right, top, bottom } = this.frame;
    const { axis, note, floor, logarithmic } = MEANINGS[this.quantity];
    const limits = limitsOf(this.series, floor);
    this.isLogarithmic = logarithmic && limits.low > 0 && limits.high > 10 * limits.low;
    this.x = scaleLinear<number, number>([0, view.state.steps], [left, right]);
    this.y = this.isLogarithmic
      ? scaleLog<number, number>([power10(limits.low, Math.floor), power10(limits.high, Math.ceil)], [bottom, top])
      : scaleLinear<number, number>(linearDomain(limits, this.quantity === "learning_rate"), [bottom, top]).nice(4);
    this.axes.draw(this.x, this.y, this.frame, this.colours, {
      x: "step k",
      y: axis,
      note,
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
      curve.line
        .attr("d", polyline(end.count, (k) => this.x(k), (k) => this.yOf(series, k)))
        .attr("stroke", colour)
        .attr("stroke-width", series.isSecond ? 1.2 : 2.2)
        .attr("stroke-dasharray", DASHES[series.method]!)
        .attr("stroke-linecap", series.method ? "round" : "butt");
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
      curve.dot.attr("fill", colour).attr("stroke", background);
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
    const radius = predicted ? predicted.radii[Number(series.isSecond)] : undefined;
    const start = valueOf(series, 0);
    const [low = 0, high = 1] = this.y.domain();
    if (!this.isLogarithmic || radius === undefined || !(start > 0)) return null;
    const steps = view.state.steps;
    const limit = Math.log(radius < 1 ? low / start : high / start) / Math.log(radius);
    const k = radius === 1 ? steps : clamp(limit, 0, steps);
    const end = clamp(start * radius ** k, low, high);
    return `M${this.x(0)} ${this.y(clamp(start, low, high))}L${this.x(k)} ${this.y(end)}`;
  }

  private appendSensor(): Mark<SVGRectElement> {
    const sensor = this.root
      .append("rect")
      .attr("fill", "none")
      .attr("pointer-events", "all")
      .attr("role", "slider")
      .attr("tabindex", 0)
      .attr("aria-label", `step of the ruler, ${MEANINGS[this.quantity].axis}`)
      .attr("aria-valuemin", 0)
      .style("touch-action", "pan-y");
    const move = (event: PointerEvent) => this.moveRuler(this.x.invert(pointer(event, this.svg)[0]));
    sensor.on("pointermove", move).on("pointerdown", move);
    sensor.on("pointerleave", () => this.moveRuler(null));
    sensor.on("blur", () => this.moveRuler(null));
    sensor.on("keydown", (event: KeyboardEvent) => {
      const last = this.x.domain()[1]!;
      const stride = Math.max(1, Math.round(last / 50));
      const at = this.step ?? 0;
      const steps: Record<string, number | null> = {
        ArrowRight: at + (event.shiftKey ? 1 : stride),
        ArrowLeft: at - (event.shiftKey ? 1 : stride),
        Home: 0,
        End: last,
        Escape: null,
      };
      if (!(event.key in steps)) return;
      event.preventDefault();
      this.moveRuler(steps[event.key]!);
    });
    return sensor;
  }

  private moveRuler(step: number | null): void {
    this.step = step === null ? null : clamp(Math.round(step), 0, this.x.domain()[1]!);
    this.drawRuler();
    this.options.onStep?.(this.step);
  }

  /** A vertical line at a step, with the values there. */
  private drawRuler(): void {
    const last = this.x.domain()[1]!;
    if (this.step !== null) this.step = Math.min(this.step, last);
    const step = this.step;
    this.sensor.attr("aria-valuemax", last).attr("aria-valuenow", step ?? 0);
    this.sensor.attr("aria-valuetext", step === null ? "no step" : null);
    this.ruler.attr("display", step === null ? "none" : null);
    if (step === null) return;
    const x = this.x(step);
    const { quiet, background } = this.colours;
    this.ruler.select("path").attr("d", `M${x} ${this.frame.top}V${this.frame.bottom}`).attr("stroke", quiet);
    const lines = [`step ${step}`];
    this.series.forEach((series, i) => {
      const value = step < series.values.length ? valueOf(series, step) : NaN;
      const y = this.yOf(series, step);
      const visible = Number.isFinite(value) && y >= this.frame.top;
      this.curves[i]!.dot.attr("display", visible ? null : "none").attr("cx", x).attr("cy", y);
      if (!Number.isNaN(value)) lines.push(`${series.name}: ${short(value)}`);
    });
    const text = this.ruler.select<SVGTextElement>("text") as unknown as Mark<SVGTextElement>;
    const isRight = x < (this.frame.left + this.frame.right) / 2;
    haloed(text).attr("fill", this.colours.ink).attr("stroke", background);
    text.attr("text-anchor", isRight ? "start" : "end");
    setLines(text, lines, x + (isRight ? 9 : -9), this.frame.top + 14);
    this.sensor.attr("aria-valuetext", lines.join(", "));
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

function appended(inside: Group, outside: Group, ruler: Group): Curve {
  const line = (parent: Group) =>
    parent.append("path").attr("fill", "none").attr("stroke-linejoin", "round");
  return {
    reference: line(inside).attr("stroke-width", 5).attr("opacity", 0.18),
    line: line(inside),
    arrow: outside.append("path").attr("d", "M0 -4L-6 8H6Z"),
    stop: outside.append("path").attr("d", "M-5 -5L5 5M-5 5L5 -5").attr("stroke-width", 2.5),
    leader: line(outside).attr("stroke-width", 0.8).attr("opacity", 0.6),
    label: haloed(outside.append("text")),
    dot: ruler.append("circle").attr("r", 4.5).attr("stroke-width", 1.5),
  };
}

/** Whether a curve is labelled in the margin. */
function isBeside(end: End | null | undefined): boolean {
  return end?.kind === "end";
}

/** The lines of a text, one below the other. */
function setLines(text: Mark<SVGTextElement>, lines: string[], x: number, y: number): void {
  text
    .selectAll("tspan")
    .data(lines)
    .join("tspan")
    .attr("x", x)
    .attr("y", (_, i) => y + 15 * i)
    .text((line) => line);
}

function valueOf(series: Series, k: number): number {
  return series.values[k] ?? NaN;
}

/** The coordinates along an eigenvector have a sign; a distance has none. */
function distances({ data, shape }: NumberArray, column: number): Float32Array {
  return Float32Array.from({ length: shape[0] ?? 0 }, (_, k) => Math.abs(data[2 * k + column]!));
}

/** The smallest and the largest value to show, without rounding noise and without divergence. */
function limitsOf(series: Series[], floor: number): { low: number; high: number } {
  const start = Math.max(...series.map((each) => Math.abs(firstOf(each))));
  let [low, high] = [Infinity, -Infinity];
  for (const each of series) {
    const most = each.lost ? CUT * start : Infinity;
    for (let k = 0; k < each.values.length; k++) {
      const value = valueOf(each, k);
      if (!Number.isFinite(value)) break;
      high = Math.max(high, Math.min(value, most));
      low = Math.min(low, value);
      if (value > most) break;
    }
  }
  const smallest = floor * start;
  return { low: low > -smallest ? Math.max(low, smallest) : low, high };
}

function firstOf(series: Series): number {
  const first = valueOf(series, 0);
  return Number.isFinite(first) ? first : 0;
}

function linearDomain({ low, high }: { low: number; high: number }, fromZero: boolean) {
  if (!Number.isFinite(high)) return [0, 1];
  const from = fromZero ? Math.min(0, low) : low;
  if (fromZero) return [from, 1.1 * high];
  return high > from ? [from, high] : [from - 0.5 * Math.abs(from || 1), from + 0.5 * Math.abs(from || 1)];
}

function power10(value: number, round: (x: number) => number): number {
  return 10 ** round(Math.log10(value) - 1e-9);
}
