// The plane of two parameters: the levels of the loss, and the paths of the methods on it.
import { scaleLinear } from "d3-scale";
import { Axes, short } from "./axes";
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
} from "./chart";
import { DASHES } from "./colours";
import { levelPaths } from "./contours";
import { averageOf, type Box, clamp, namesOf, overlap, placed, textWidth } from "./labels";
import type { Field, NumberArray, Run } from "./protocol";
import { arrayOf, diverges, finiteLength } from "./runs";
import { StartHandle } from "./start";
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
  averageCasing: Mark;
  average: Mark;
  dots: Mark;
  end: Mark<SVGCircleElement>;
  arrow: Mark;
  stop: Mark;
  /** Where the method is at the step under the ruler of a curve. */
  step: Mark<SVGCircleElement>;
  label: Mark<SVGTextElement>;
  averageLabel: Mark<SVGTextElement>;
}

/** What is drawn of one path. */
interface Trail {
  line: Line;
  dots: string;
  average: string;
  averageEnd: Point;
  end: Point;
  /** It leaves the box for good, in this direction; or its next point is not a number. */
  leaves: boolean;
  angle: number;
  stops: boolean;
  lost: boolean;
  sample: Point[];
}

interface Room {
  within: Box;
  taken: Box[];
  points: Point[];
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
  private readonly minimumLabel: Mark<SVGTextElement>;
  private readonly paths: Path[];
  private readonly picture: Group;
  private readonly handle: StartHandle;
  private readonly x = scaleLinear();
  private readonly y = scaleLinear();
  private drawn: unknown[] = [];
  private run: Run | null = null;
  /** The step that the ruler of a curve shows. */
  private step: number | null = null;

  constructor(container: HTMLElement, options: PlaneOptions) {
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
    const [casings, lines, averages] = [inside(), inside(), inside()];
    const ends = this.picture.append("g");
    this.paths = DASHES.map(() => appended(casings, lines, averages, ends));
    this.paths.forEach(({ line }, i) => line.attr("data-method", i));
    this.minimumLabel = haloed(ends.append("text")).attr("text-anchor", "middle");
    this.minimumLabel.attr("font-size", 12);
    this.handle = new StartHandle(this.root, (x, y) => options.onStart(x, y));
  }

  /** Mark where each method is at a step: the ruler of a curve moves there. */
  showStep(step: number | null): void {
    this.step = step;
    this.drawSteps();
  }

  protected draw(view: View): void {
    this.run = view.run;
    const field = view.run?.field ?? view.field;
    if (!field) return;
    const frame = this.frameOf(field);
    this.drawGround(field, view, frame);
    const labels = this.drawEigen(field, frame);
    this.handle.draw(this.startOf(view), this.x, this.y, this.colours, view.landscape.is_network);
    this.labelMinimum(field, this.drawPaths(view, frame, labels));
    this.drawSteps();
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

  /** Draw the axes along the eigenvectors; return where their labels are. */
  private drawEigen(field: Field, frame: Frame): Box[] {
    return this.eigen.flatMap(({ line, label }, i) => {
      const vector = field.eigenvectors[i];
      const visible = this.showEigen && field.minimum !== null && vector !== undefined;
      for (const mark of [line, label]) mark.attr("visibility", visible ? null : "hidden");
      if (!visible) return [];
      const [x, y] = [this.x(field.minimum![0]), this.y(field.minimum![1])];
      const [dx, dy] = [vector[0], -vector[1]];
      const far = 2 * (frame.right - frame.left);
      line.attr("d", `M${x - far * dx} ${y - far * dy}L${x + far * dx} ${y + far * dy}`);
      line.attr("stroke", this.colours.ink);
      const text = `λ = ${short(field.eigenvalues[i]!)}`;
      const [textX, textY] = besideLine(frame, [x, y], [dx, dy], textWidth(text));
      label
        .text(text)
        .attr("x", textX)
        .attr("y", textY)
        .attr("fill", this.colours.quiet)
        .attr("stroke", this.colours.background);
      return [{ x: textX, y: textY - 13, width: textWidth(text), height: 17 }];
    });
  }

  /** Draw the paths with their names; return what is left free. */
  private drawPaths(view: View, frame: Frame, labels: Box[]): Room {
    const names = view.run ? namesOf(view.run.methods) : [];
    const trails = this.paths.map((_, i) => this.trailOf(view, i, frame));
    const [startX, startY] = this.startOf(view);
    labels.push(around([this.x(startX), this.y(startY)]));
    const room = roomFor(trails, frame, labels);
    this.paths.forEach((path, i) => {
      const trail = trails[i];
      for (const mark of Object.values(path)) mark.attr("display", trail ? null : "none");
      if (!trail) return;
      const colour = this.colours.lines[i]!;
      const { background } = this.colours;
      path.casing.attr("d", trail.line.d).attr("stroke", background);
      path.line
        .attr("d", trail.line.d)
        .attr("stroke", colour)
        .attr("stroke-dasharray", dashOf(i, trail.line));
      path.dots.attr("d", trail.dots).attr("stroke", colour);
      path.line.attr("stroke-opacity", trail.average ? PALE : null);
      path.averageCasing.attr("d", trail.average).attr("stroke", background);
      path.average.attr("d", trail.average).attr("stroke", colour);
      const mark = trail.leaves ? path.arrow : trail.stops ? path.stop : path.end;
      for (const each of [path.end, path.arrow, path.stop]) {
        each.attr("display", each === mark ? null : "none");
      }
      const turn = trail.leaves ? `rotate(${trail.angle})` : "";
      mark.attr("transform", `translate(${trail.end}) ${turn}`);
      path.end.attr("stroke", colour).attr("fill", background);
      path.stop.attr("stroke", colour);
      path.arrow.attr("fill", colour);
      const name = `${names[i]}${trail.lost ? " diverges" : ""}`;
      this.putLabel(path.label, name, trail.end, i, room);
      const average = trail.average && averageOf(names, i);
      this.putLabel(path.averageLabel, average, trail.averageEnd, i, room);
    });
    return room;
  }

  /** Name the + where no path and no other label is. */
  private labelMinimum(field: Field, room: Room): void {
    const [x, y] = field.minimum ?? [NaN, NaN];
    const at: Point = [this.x(x), this.y(y)];
    const text = field.eigenvalues.every((value) => value >= 0) ? "minimum" : "saddle point";
    const [width, height] = [textWidth(text), 18];
    const below = { x: at[0] - width / 2, y: at[1] + 8, width, height };
    const places = [below, { ...below, y: at[1] - 8 - height }];
    const free = places.find((box) => isFree(box, room));
    this.minimumLabel
      .attr("display", field.minimum && free ? null : "none")
      .text(text)
      .attr("fill", this.colours.quiet)
      .attr("stroke", this.colours.background);
    if (free) this.minimumLabel.attr("x", at[0]).attr("y", free.y + 13.5);
  }

  /** Where the paths begin; a network's start is that of its seed. */
  private startOf(view: View): Point {
    const first = arrayOf(view.run, "path", 0).data;
    return view.landscape.is_network ? [first[0] ?? 0, first[1] ?? 0] : view.state.start;
  }

  private putLabel(
    label: Mark<SVGTextElement>,
    text: string,
    at: Point,
    method: number,
    room: Room,
  ): void {
    label.text(text);
    if (!text) return;
    const box = placed(at, textWidth(text), room.within, room.taken, room.points);
    label
      .attr("x", box.x + box.width / 2)
      .attr("y", box.y + 13.5)
      .attr("fill", this.colours.texts[method]!)
      .attr("stroke", this.colours.background);
  }

  /** The visible part of a path: up to its end, or to where it leaves the box for good. */
  private trailOf(view: View, method: number, frame: Frame): Trail | null {
    const path = arrayOf(view.run, "path", method);
    const n = finiteLength(path);
    if (n === 0) return null;
    const [x, y] = this.coordinates(path);
    let last = n - 1;
    while (last > 0 && !contains(frame, x(last), y(last))) last--;
    const leaves = last < n - 1;
    const count = leaves ? last + 2 : n;
    const [dx, dy] = leaves ? [x(last + 1) - x(last), y(last + 1) - y(last)] : [0, 0];
    const part = partInside(frame, [x(last), y(last)], [dx, dy]);
    const end: Point = [x(last) + part * dx, y(last) + part * dy];
    const visibleX = (k: number) => (k > last ? end[0] : x(k));
    const visibleY = (k: number) => (k > last ? end[1] : y(k));
    const dots = polyline(count <= MOST_DOTS ? last + 1 : 0, x, y).d;
    const average = arrayOf(view.run, "average", method);
    const averaged = view.run?.methods[method]?.has_average ? finiteLength(average) : 0;
    const [averageX, averageY] = this.coordinates(average);
    const stride = Math.max(1, Math.floor(count / 80));
    return {
      line: polyline(count, visibleX, visibleY),
      dots: dots && `${dots.replaceAll("L", "h0M")}h0`,
      average: polyline(averaged, averageX, averageY).d,
      averageEnd: averaged ? [averageX(averaged - 1), averageY(averaged - 1)] : [0, 0],
      end,
      angle: (Math.atan2(dy, dx) * 180) / Math.PI,
      leaves,
      stops: n < path.data.length / 2,
      lost: diverges(view.run, method),
      sample: Array.from({ length: Math.ceil(count / stride) }, (_, i) => [
        visibleX(i * stride),
        visibleY(i * stride),
      ]),
    };
  }

  private coordinates(path: NumberArray): [(k: number) => number, (k: number) => number] {
    return [(k) => this.x(path.data[2 * k]!), (k) => this.y(path.data[2 * k + 1]!)];
  }

  private drawSteps(): void {
    this.paths.forEach(({ step }, i) => {
      const path = arrayOf(this.run, "path", i);
      const isShown = this.step !== null && this.step < finiteLength(path);
      step.attr("display", isShown ? null : "none");
      if (!isShown) return;
      const [x, y] = this.coordinates(path);
      step
        .attr("cx", clamp(x(this.step!), -1e4, 1e4))
        .attr("cy", clamp(y(this.step!), -1e4, 1e4))
        .attr("fill", this.colours.lines[i]!)
        .attr("stroke", this.colours.background);
    });
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

/** Every casing lies below every line: two paths that coincide show both of their dashes. */
function appended(casings: Group, lines: Group, averages: Group, ends: Group): Path {
  const line = (parent = lines) =>
    parent.append("path").attr("fill", "none").attr("stroke-linejoin", "round");
  return {
    casing: line(casings).attr("stroke-width", 4).attr("opacity", 0.6),
    line: line().attr("stroke-width", 2).attr("stroke-linecap", "round"),
    averageCasing: line(averages).attr("stroke-width", 4),
    average: line(averages).attr("stroke-width", 2.6),
    dots: line().attr("stroke-width", 4.5).attr("stroke-linecap", "round"),
    step: lines.append("circle").attr("r", 6).attr("stroke-width", 2),
    end: ends.append("circle").attr("r", 4.5).attr("stroke-width", 2),
    arrow: ends.append("path").attr("d", "M0 0L-12 -6V6Z"),
    stop: ends.append("path").attr("d", "M-5 -5L5 5M-5 5L5 -5").attr("stroke-width", 2.5),
    label: haloed(ends.append("text")).attr("text-anchor", "middle"),
    averageLabel: haloed(ends.append("text")).attr("text-anchor", "middle"),
  };
}

/** Where a text stands beside a line through a point, near an end of it. */
function besideLine(frame: Frame, [x, y]: Point, [dx, dy]: Point, width: number): Point {
  const sign = dy < -0.9 || (dy < 0.9 && dx > 0) ? 1 : -1;
  const [ux, uy] = [sign * dx, sign * dy];
  const far = 2 * (frame.right - frame.left);
  const reach = far * partInside(frame, [x, y], [far * ux, far * uy]) - 26;
  // Above the line, or to the right of one that is nearly upright.
  const isUpright = Math.abs(uy) > 0.5;
  const [endX, endY] = [x + reach * ux, y + reach * uy];
  const textX = isUpright ? endX + 8 : endX - width;
  const textY = isUpright ? endY + 4 : endY - 8 - Math.max(0, width * uy);
  return [
    clamp(textX, frame.left + 4, frame.right - width - 4),
    clamp(textY, frame.top + 14, frame.bottom - 6),
  ];
}

/** Where a label may stand: inside the box, beside the ends and `labels`, off the paths. */
function roomFor(trails: (Trail | null)[], { left, right, top, bottom }: Frame, labels: Box[]): Room {
  const present = trails.filter((trail) => trail !== null);
  return {
    within: { x: left + 4, y: top, width: right - left - 8, height: bottom - top },
    taken: [...labels, ...present.map((trail) => around(trail.end))],
    points: present.flatMap((trail) => trail.sample),
  };
}

function isFree(box: Box, { within, taken, points }: Room): boolean {
  const isInside = overlap(box, within) > box.width * box.height - 1;
  const marks = points.map(([x, y]) => ({ x: x - 3, y: y - 3, width: 6, height: 6 }));
  return isInside && [...taken, ...marks].every((other) => overlap(box, other) === 0);
}

function around([x, y]: Point): Box {
  return { x: x - 8, y: y - 8, width: 16, height: 16 };
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
