// The plane of two parameters: the levels of the loss, and the paths of the methods on it.
import { drag } from "d3-drag";
import { scaleLinear } from "d3-scale";
import { Axes, short } from "./axes";
import { Chart, type Frame, type Group, haloed, type Mark, NARROW, polyline } from "./chart";
import { DASHES } from "./colours";
import { levelPaths } from "./contours";
import { type Box, clamp, namesOf, placed, textWidth } from "./labels";
import type { Field } from "./protocol";
import { arrayOf, diverges, finiteLength } from "./series";
import type { View } from "./view";

type Point = [number, number];

export interface PlaneOptions {
  /** Called on every move of the start. */
  onStart(x: number, y: number): void;
}

/** The marks of one method. */
interface Path {
  casing: Mark;
  line: Mark;
  average: Mark;
  dots: Mark;
  end: Mark<SVGCircleElement>;
  arrow: Mark;
  label: Mark<SVGTextElement>;
  averageLabel: Mark<SVGTextElement>;
}

/** Steps are drawn as dots up to this number of steps; more would cover the line. */
const MOST_DOTS = 100;

export class Plane extends Chart {
  /** Whether the directions of the eigenvectors are drawn through the minimum. */
  showEigen = false;

  private readonly clip: Mark<SVGRectElement>;
  private readonly ground: Mark<SVGRectElement>;
  private readonly levels: Group;
  private readonly eigen: { line: Mark; label: Mark<SVGTextElement> }[];
  private readonly axes: Axes;
  private readonly minimum: Mark;
  private readonly paths: Path[];
  private readonly picture: Group;
  private readonly handle: Group;
  private readonly x = scaleLinear();
  private readonly y = scaleLinear();
  private drawn: unknown[] = [];
  private start: Point = [0, 0];

  constructor(
    container: HTMLElement,
    private readonly options: PlaneOptions,
  ) {
    super(container);
    // The picture and the handle are siblings: what has the role "img" hides what is inside it.
    this.picture = this.root.append("g").attr("role", "img");
    this.clip = this.root.append("clipPath").attr("id", this.id).append("rect");
    const inside = () => this.picture.append("g").attr("clip-path", `url(#${this.id})`);
    const below = inside();
    this.ground = below.append("rect");
    this.levels = below.append("g").attr("stroke-width", 0.7);
    this.axes = new Axes(this.picture.append("g"));
    this.eigen = [0, 1].map(() => ({
      line: below.append("path").attr("stroke-dasharray", "1 3"),
      label: haloed(below.append("text")).attr("font-size", 12),
    }));
    this.minimum = below.append("path").attr("d", "M-6 0H6M0 -6V6").attr("stroke-width", 2);
    const lines = inside();
    const ends = this.picture.append("g");
    this.paths = DASHES.map((dash) => appended(lines, ends, dash));
    this.handle = this.appendHandle();
  }

  protected draw(view: View): void {
    const field = view.run?.field ?? view.field;
    if (!field) return;
    const frame = this.frameOf(field);
    this.drawGround(field, view, frame);
    this.drawEigen(field, frame);
    this.drawPaths(view, frame);
    this.drawHandle(view);
    this.describePaths(view);
  }

  /** Equal units on both axes: a circle stays a circle. */
  private frameOf(field: Field): Frame {
    const [left, right, bottom, top] = field.box;
    const margin = { left: 46, right: 12, top: 28, bottom: 42 };
    const most = this.width < NARROW ? 1.1 * this.width : 0.85 * this.width;
    const available = this.width - margin.left - margin.right;
    const unit = Math.min(available / (right - left), most / (top - bottom));
    const spare = (available - unit * (right - left)) / 2;
    const frame = {
      left: margin.left + spare,
      right: margin.left + spare + unit * (right - left),
      top: margin.top,
      bottom: margin.top + unit * (top - bottom),
    };
    this.x.domain([left, right]).range([frame.left, frame.right]);
    this.y.domain([bottom, top]).range([frame.bottom, frame.top]);
    this.setHeight(frame.bottom + margin.bottom);
    return frame;
  }

  private drawGround(field: Field, view: View, frame: Frame): void {
    const colours = this.colours;
    const isNetwork = view.landscape.is_network;
    this.axes.draw(this.x, this.y, frame, colours, {
      x: isNetwork ? "first direction of the paths" : "θ₁",
      y: isNetwork ? "second direction of the paths" : "θ₂",
      xTicks: 5,
      yTicks: 5,
      grid: false,
      logarithmic: false,
    });
    const now = [field, colours, this.width, view.landscape.is_quadratic];
    if (now.every((value, i) => value === this.drawn[i])) return;
    this.drawn = now;
    for (const rect of [this.clip, this.ground]) {
      rect.attr("x", frame.left).attr("y", frame.top);
      rect.attr("width", frame.right - frame.left).attr("height", frame.bottom - frame.top);
    }
    const paths = levelPaths(field, view.landscape.is_quadratic, frame);
    const shade = scaleLinear<string>([0, paths.length], [colours.low, colours.high]);
    this.ground.attr("fill", colours.high);
    this.levels
      .attr("stroke", colours.level)
      .selectAll("path")
      .data(paths)
      .join("path")
      .attr("d", (d) => d)
      .attr("fill", (_, i) => shade(paths.length - 1 - i));
    const [x, y] = field.minimum ?? [NaN, NaN];
    this.minimum
      .attr("visibility", field.minimum ? null : "hidden")
      .attr("transform", field.minimum ? `translate(${this.x(x)} ${this.y(y)})` : null)
      .attr("stroke", colours.quiet);
  }

  private drawEigen(field: Field, frame: Frame): void {
    this.eigen.forEach(({ line, label }, i) => {
      const vector = field.eigenvectors[i];
      const visible = this.showEigen && field.minimum !== null && vector !== undefined;
      for (const mark of [line, label]) mark.attr("visibility", visible ? null : "hidden");
      if (!visible) return;
      const [x, y] = [this.x(field.minimum![0]), this.y(field.minimum![1])];
      const [dx, dy] = [vector[0], -vector[1]];
      const far = 2 * (frame.right - frame.left);
      line.attr("d", `M${x - far * dx} ${y - far * dy}L${x + far * dx} ${y + far * dy}`);
      line.attr("stroke", this.colours.ink);
      // The label stands where the axis leaves the box, on its upper or right end.
      const sign = dy < -0.3 || (dy <= 0.3 && dx > 0) ? 1 : -1;
      const reach = Math.min(
        (sign * dx > 0 ? frame.right - x : x - frame.left) / Math.abs(dx || 1e-9),
        (sign * dy > 0 ? frame.bottom - y : y - frame.top) / Math.abs(dy || 1e-9),
      );
      const text = `λ = ${short(field.eigenvalues[i]!)}`;
      const width = textWidth(text);
      label
        .text(text)
        .attr("x", clamp(x + sign * dx * (reach - 14) + 6, frame.left + 4, frame.right - width))
        .attr("y", clamp(y + sign * dy * (reach - 14) - 5, frame.top + 14, frame.bottom - 6))
        .attr("fill", this.colours.quiet)
        .attr("stroke", this.colours.background);
    });
  }

  private drawPaths(view: View, frame: Frame): void {
    const run = view.run;
    const names = run ? namesOf(run.methods) : [];
    const within = { ...boxOf(frame), x: frame.left + 4, width: frame.right - frame.left - 8 };
    const taken: Box[] = [];
    const points: Point[] = [];
    const trails = this.paths.map((_, i) => this.trailOf(view, i, frame));
    for (const trail of trails) {
      points.push(...trail.sample);
      taken.push({ x: trail.end[0] - 7, y: trail.end[1] - 7, width: 14, height: 14 });
    }
    taken.push({ x: this.x(view.state.start[0]) - 9, y: this.y(view.state.start[1]) - 9, width: 18, height: 18 });
    this.paths.forEach((path, i) => {
      const trail = trails[i]!;
      const colour = this.colours.lines[i]!;
      path.casing.attr("d", trail.d).attr("stroke", this.colours.background);
      path.line.attr("d", trail.d).attr("stroke", colour);
      path.dots.attr("d", trail.dots).attr("stroke", colour);
      path.average.attr("d", trail.average).attr("stroke", colour);
      path.end
        .attr("visibility", trail.d && !trail.leaves ? null : "hidden")
        .attr("cx", trail.end[0])
        .attr("cy", trail.end[1])
        .attr("stroke", colour)
        .attr("fill", this.colours.background);
      path.arrow
        .attr("visibility", trail.leaves ? null : "hidden")
        .attr("transform", `translate(${trail.end}) rotate(${trail.angle})`)
        .attr("fill", colour);
      const word = trail.lost ? " diverges" : "";
      const text = trail.d ? `${names[i]}${word}` : "";
      this.putLabel(path.label, text, trail.end, i, within, taken, points);
      const averageText = trail.average ? "average" : "";
      this.putLabel(path.averageLabel, averageText, trail.averageEnd, i, within, taken, points);
    });
  }

  private putLabel(
    label: Mark<SVGTextElement>,
    text: string,
    at: Point,
    method: number,
    within: Box,
    taken: Box[],
    points: Point[],
  ): void {
    label.text(text);
    if (!text) return;
    const box = placed(at, textWidth(text), within, taken, points);
    label
      .attr("x", box.x + box.width / 2)
      .attr("y", box.y + 13.5)
      .attr("fill", this.colours.texts[method]!)
      .attr("stroke", this.colours.background);
  }

  /** The visible part of a path: up to its end, or to where it leaves the box for good. */
  private trailOf(view: View, method: number, frame: Frame) {
    const path = arrayOf(view.run, "path", method);
    const n = finiteLength(path);
    const x = (k: number) => this.x(path.data[2 * k]!);
    const y = (k: number) => this.y(path.data[2 * k + 1]!);
    let last = n - 1;
    while (last > 0 && !contains(frame, x(last), y(last))) last--;
    const leaves = last < n - 1;
    const end: Point = n ? [x(last), y(last)] : [NaN, NaN];
    let angle = 0;
    if (leaves) {
      const [dx, dy] = [x(last + 1) - end[0], y(last + 1) - end[1]];
      const part = partInside(frame, end, [dx, dy]);
      angle = (Math.atan2(dy, dx) * 180) / Math.PI;
      [end[0], end[1]] = [end[0] + part * dx, end[1] + part * dy];
    }
    const count = last + 1 + Number(leaves);
    const dots = polyline(count <= MOST_DOTS ? count : 0, x, y);
    const stride = Math.max(1, Math.floor(count / 80));
    const sample: Point[] = [];
    for (let k = 0; k < count; k += stride) sample.push([x(k), y(k)]);
    const average = arrayOf(view.run, "average", method);
    const hasAverage = view.run?.methods[method]?.has_average ?? false;
    const m = hasAverage ? finiteLength(average) : 0;
    const averageX = (k: number) => this.x(average.data[2 * k]!);
    const averageY = (k: number) => this.y(average.data[2 * k + 1]!);
    return {
      d: polyline(count, x, y),
      dots: dots.replaceAll("L", "h0M") + (dots && "h0"),
      average: polyline(m, averageX, averageY),
      averageEnd: [averageX(m - 1), averageY(m - 1)] as Point,
      end,
      angle,
      leaves,
      lost: diverges(view.run, method),
      sample,
    };
  }

  private appendHandle(): Group {
    const handle = this.root
      .append("g")
      .attr("role", "slider")
      .attr("tabindex", 0)
      .attr("aria-label", "start point, moved by the arrow keys")
      .style("cursor", "grab")
      .style("touch-action", "none");
    handle.append("circle").attr("r", 22).attr("fill", "none").attr("pointer-events", "all");
    handle.append("circle").attr("r", 7).attr("stroke-width", 2.5);
    haloed(handle.append("text")).attr("text-anchor", "middle").attr("y", -13).text("start");
    const moved = drag<SVGGElement, unknown>()
      .container(this.svg)
      .subject(() => ({ x: this.x(this.start[0]), y: this.y(this.start[1]) }))
      .on("drag", (event: { x: number; y: number }) => {
        this.moveTo(this.x.invert(event.x), this.y.invert(event.y));
      });
    handle.call(moved);
    handle.on("keydown", (event: KeyboardEvent) => this.moveBy(event));
    return handle;
  }

  private moveBy(event: KeyboardEvent): void {
    const directions: Record<string, Point> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    };
    const direction = directions[event.key];
    if (!direction) return;
    event.preventDefault();
    const [left = 0, right = 1] = this.x.domain();
    const step = ((right - left) / 100) * (event.shiftKey ? 0.1 : 1);
    this.moveTo(this.start[0] + step * direction[0], this.start[1] + step * direction[1]);
  }

  private moveTo(x: number, y: number): void {
    const [left = 0, right = 1] = this.x.domain();
    const [bottom = 0, top = 1] = this.y.domain();
    this.start = [rounded(clamp(x, left, right)), rounded(clamp(y, bottom, top))];
    this.placeHandle();
    this.options.onStart(...this.start);
  }

  private drawHandle(view: View): void {
    this.start = [...view.state.start];
    this.handle.attr("display", view.landscape.is_network ? "none" : null);
    const { background, ink } = this.colours;
    this.handle.select("circle:nth-child(2)").attr("fill", background).attr("stroke", ink);
    this.handle.select("text").attr("fill", ink).attr("stroke", background);
    this.placeHandle();
  }

  private placeHandle(): void {
    const [left = 0, right = 1] = this.x.domain();
    const [bottom = 0, top = 1] = this.y.domain();
    const [x, y] = [clamp(this.start[0], left, right), clamp(this.start[1], bottom, top)];
    this.handle
      .attr("transform", `translate(${this.x(x)} ${this.y(y)})`)
      .attr("aria-valuemin", left)
      .attr("aria-valuemax", right)
      .attr("aria-valuenow", this.start[0])
      .attr("aria-valuetext", `θ₁ = ${this.start[0]}, θ₂ = ${this.start[1]}`);
  }

  private describePaths(view: View): void {
    const names = view.run ? namesOf(view.run.methods) : [];
    const ends = names.map((name, i) => {
      if (diverges(view.run, i)) return `${name} diverges.`;
      const loss = arrayOf(view.run, "loss", i).data;
      return `${name} ends at loss ${short(loss[loss.length - 1] ?? NaN)}.`;
    });
    const steps = `${view.state.steps} steps`;
    const sentence = `Paths of ${steps} on the loss "${view.landscape.title}". ${ends.join(" ")}`;
    this.picture.attr("aria-label", sentence);
    this.describe(sentence);
  }
}

function appended(lines: Group, ends: Group, dash: string): Path {
  const line = () => lines.append("path").attr("fill", "none").attr("stroke-linejoin", "round");
  return {
    casing: line().attr("stroke-width", 4).attr("opacity", 0.6),
    average: line().attr("stroke-width", 1.2),
    line: line()
      .attr("stroke-width", 2)
      .attr("stroke-dasharray", dash)
      .attr("stroke-linecap", dash === "none" ? "butt" : "round"),
    dots: line().attr("stroke-width", 4.5).attr("stroke-linecap", "round"),
    end: ends.append("circle").attr("r", 4.5).attr("stroke-width", 2),
    arrow: ends.append("path").attr("d", "M0 0L-12 -6V6Z"),
    label: haloed(ends.append("text")).attr("text-anchor", "middle"),
    averageLabel: haloed(ends.append("text")).attr("text-anchor", "middle"),
  };
}

function boxOf(frame: Frame): Box {
  const { left, right, top, bottom } = frame;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function contains(frame: Frame, x: number, y: number): boolean {
  return x >= frame.left && x <= frame.right && y >= frame.top && y <= frame.bottom;
}

/** The part of a segment that begins inside a frame, up to where it leaves it. */
function partInside(frame: Frame, [x, y]: Point, [dx, dy]: Point): number {
  const toX = dx > 0 ? (frame.right - x) / dx : dx < 0 ? (frame.left - x) / dx : 1;
  const toY = dy > 0 ? (frame.bottom - y) / dy : dy < 0 ? (frame.top - y) / dy : 1;
  return Math.min(toX, toY, 1);
}

function rounded(x: number): number {
  return Math.round(x * 1000) / 1000;
}
