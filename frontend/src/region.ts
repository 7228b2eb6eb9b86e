// Where a linear method on a quadratic is stable: its spectral radius over τλ and the momentum.
import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import { Axes, LABELS } from "./axes";
import { Chart, type Frame, type Group, haloed, type Mark, NARROW } from "./chart";
import { DASHES } from "./colours";
import { type Box, namesOf, placed, textWidth, wrapped } from "./labels";
import type { Form, Region } from "./protocol";
import {
  anglesOut,
  apart,
  bestPath,
  edgeOf,
  numbersOf,
  pointsOf,
  radiusPaths,
  scalesOf,
  unstablePoint,
} from "./region_levels";
import type { View } from "./view";

type Point = [number, number];

const FORMS: Form[] = ["heavy ball", "Nesterov"];
const NOTE_HEIGHT = 16;

const EMPTY =
  "The region exists for gradient descent, heavy ball and Nesterov at a constant learning rate " +
  "on a quadratic.";

interface Panel {
  root: Group;
  ground: Mark<SVGRectElement>;
  levels: Group;
  edge: Mark;
  best: Mark;
  bestWord: Mark<SVGTextElement>;
  numbers: Group;
  axes: Axes;
  title: Mark<SVGTextElement>;
  word: Mark<SVGTextElement>;
  /** The middles of its small texts. */
  taken: Point[];
  drawn: unknown[];
}

interface Spot {
  line: Mark;
  marks: Mark<SVGCircleElement>[];
  /** In place of a mark that lies outside of the picture. */
  arrows: Mark[];
  labels: Mark<SVGTextElement>[];
}

export class RegionChart extends Chart {
  private readonly picture: Group;
  private readonly hatching: Mark;
  private readonly panels: Panel[];
  private readonly spots: Spot[];
  private readonly note: Mark<SVGTextElement>;
  private readonly empty: Mark<SVGTextElement>;

  constructor(container: HTMLElement) {
    super(container);
    this.picture = this.root.append("g").attr("role", "img");
    this.hatching = this.hatch();
    this.panels = FORMS.map(() => panel(this.picture.append("g"), this.id));
    this.note = this.picture.append("text").attr("font-size", 12).attr("x", 8).attr("y", 15);
    this.note.text("lines: spectral radius, ● steepest, ○ flattest eigenvalue");
    this.spots = DASHES.map(() => spot(this.picture.append("g")));
    this.empty = this.picture.append("text");
  }

  protected draw(view: View): void {
    const predictions = view.run?.methods.map((method) => method.predicted) ?? [];
    const forms = FORMS.filter((form) => predictions.some((each) => each?.form === form));
    const shown = forms.filter((form) => view.regions[form]);
    const frames = this.framesOf(shown.length);
    this.panels.forEach((each, i) => {
      const form = shown[i];
      each.root.attr("display", form ? null : "none");
      if (form) this.drawPanel(each, form, view.regions[form]!, frames[i]!);
    });
    this.drawSpots(view, shown, frames);
    this.drawEmpty(view.run !== null && forms.length === 0);
    this.describeRegion(view, forms);
  }

  /** Side by side where there is room, else one below the other. */
  private framesOf(count: number): Frame[] {
    const isStacked = this.width < NARROW;
    const columns = isStacked ? 1 : Math.max(count, 1);
    const width = this.width / columns;
    const height = 270;
    this.setHeight(count ? NOTE_HEIGHT + height * (isStacked ? count : 1) : 90);
    this.note.attr("display", count ? null : "none").attr("fill", this.colours.quiet);
    return Array.from({ length: count }, (_, i) => {
      const [x, y] = isStacked ? [0, i * height] : [i * width, 0];
      return {
        left: x + 8 + LABELS,
        right: x + width - 14,
        top: NOTE_HEIGHT + y + 34,
        bottom: NOTE_HEIGHT + y + height - 42,
      };
    });
  }

  private drawPanel(panel: Panel, form: Form, region: Region, frame: Frame): void {
    const colours = this.colours;
    const [x, y] = scalesOf(region, frame);
    panel.axes.draw(x, y, frame, colours, {
      x: "learning rate × eigenvalue τλ",
      y: "momentum μ",
      xTicks: 5,
      yTicks: 5,
      grid: false,
      logarithmic: false,
    });
    const now = [region, colours, frame.left, frame.right];
    if (now.every((value, i) => value === panel.drawn[i])) return;
    panel.drawn = now;
    this.drawLevels(panel, form, region, frame);
    this.drawWords(panel, form, region, frame);
  }

  private drawLevels(panel: Panel, form: Form, region: Region, frame: Frame): void {
    const { low, high, level, ink, quiet } = this.colours;
    const [x, y] = scalesOf(region, frame);
    const edge = line().digits(1)(edgeOf(form, region, x, y)) ?? "";
    const stable = `${edge}H${frame.left}V${frame.bottom}Z`;
    const paths = [stable, ...radiusPaths(region, frame)];
    const shade = scaleLinear<string>([0, paths.length], [high, low]);
    panel.ground
      .attr("x", frame.left)
      .attr("y", frame.top)
      .attr("width", frame.right - frame.left)
      .attr("height", frame.bottom - frame.top);
    panel.levels
      .attr("stroke", level)
      .selectAll("path")
      .data(paths)
      .join("path")
      .attr("d", (d) => d)
      .attr("fill", (_, i) => shade(i));
    panel.edge.attr("d", edge).attr("stroke", ink);
    panel.best.attr("d", bestPath(region, x, y)).attr("stroke", quiet);
    this.hatching.attr("stroke", quiet);
  }

  private drawWords(panel: Panel, form: Form, region: Region, frame: Frame): void {
    const { ink, quiet, background } = this.colours;
    const [x, y] = scalesOf(region, frame);
    const numbers = numbersOf(region, form).map(({ level, product, momentum }) => ({
      level,
      x: x(product),
      y: y(momentum),
    }));
    const kept = apart(numbers);
    panel.numbers
      .attr("fill", quiet)
      .attr("stroke", background)
      .selectAll("text")
      .data(kept)
      .join("text")
      .attr("x", (each) => each.x)
      .attr("y", (each) => each.y + 4)
      .text((each) => each.level);
    panel.bestWord.attr("x", x(1)).attr("y", y(0) - 7);
    panel.bestWord.attr("fill", quiet).attr("stroke", background);
    const bestWord: Point[] = [-30, -10, 10, 30].map((dx) => [x(1) + dx, y(0) - 11]);
    panel.taken = [...bestWord, ...kept.map((each): Point => [each.x, each.y])];
    const title = form === "heavy ball" ? "Heavy ball" : "Nesterov";
    panel.title.text(title).attr("x", frame.right).attr("y", frame.top - 11).attr("fill", ink);
    const [wordX, wordY] = unstablePoint(region);
    panel.word.attr("x", x(wordX)).attr("y", y(wordY));
    panel.word.attr("fill", ink).attr("stroke", background);
  }

  private drawSpots(view: View, shown: Form[], frames: Frame[]): void {
    const names = view.run ? namesOf(view.run.methods) : [];
    const taken = this.takenBy(view, shown, frames);
    this.spots.forEach((spot, i) => {
      const predicted = view.run?.methods[i]?.predicted;
      const at = shown.findIndex((form) => form === predicted?.form);
      const frame = frames[at];
      const region = at < 0 ? undefined : view.regions[shown[at]!];
      const visible = predicted && frame && region;
      for (const mark of [spot.line, ...spot.marks, ...spot.arrows, ...spot.labels]) {
        mark.attr("display", visible ? null : "none");
      }
      if (!visible) return;
      const points = pointsOf(predicted, region, frame);
      const angles = anglesOut(predicted, region);
      const colour = this.colours.lines[i]!;
      spot.line.attr("d", `M${points.join("L")}`).attr("stroke", colour);
      points.forEach((point, j) => {
        const isSteep = j === points.length - 1;
        const angle = angles[j] ?? null;
        spot.arrows[j]!
          .attr("display", angle === null ? "none" : null)
          .attr("transform", `translate(${point}) rotate(${angle ?? 0})`)
          .attr("fill", colour);
        spot.marks[j]!
          .attr("display", angle === null ? null : "none")
          .attr("cx", point[0])
          .attr("cy", point[1])
          .attr("r", isSteep ? 6 : 4.5)
          .attr("fill", isSteep ? colour : this.colours.background)
          .attr("stroke", isSteep ? this.colours.background : colour);
      });
      const texts = wordsOf(points, names.length > 1 ? names[i]! : "");
      spot.labels.forEach((label, j) => this.putLabel(label, texts[j]!, points, j, i, frame, taken));
    });
  }

  /** What labels leave free: the points, the numbers and the name of the dotted line. */
  private takenBy(view: View, shown: Form[], frames: Frame[]): Box[] {
    const predictions = view.run?.methods.map((method) => method.predicted) ?? [];
    const points = shown.flatMap((form, i) => {
      const own = predictions.filter((each) => each !== null && each.form === form);
      const spots = own.flatMap((each) => pointsOf(each!, view.regions[form]!, frames[i]!));
      return [...this.panels[i]!.taken, ...spots];
    });
    return points.map(([x, y]) => ({ x: x - 8, y: y - 8, width: 16, height: 16 }));
  }

  private putLabel(
    label: Mark<SVGTextElement>,
    text: string,
    points: Point[],
    j: number,
    method: number,
    frame: Frame,
    taken: Box[],
  ): void {
    label.text(text);
    const point = points[j];
    if (!text || !point) return;
    const { left, right, top, bottom } = frame;
    const within = { x: left + 2, y: top + 2, width: right - left - 4, height: bottom - top - 4 };
    const between = Array.from({ length: 9 }, (_, k): Point => [
      points[0]![0] + (k / 8) * (points.at(-1)![0] - points[0]![0]),
      point[1],
    ]);
    const box = placed(point, textWidth(text), within, taken, between);
    label
      .attr("x", box.x + box.width / 2)
      .attr("y", box.y + 13.5)
      .attr("fill", this.colours.texts[method]!)
      .attr("stroke", this.colours.background);
  }

  private drawEmpty(visible: boolean): void {
    const lines = visible ? wrapped(EMPTY, Math.floor((this.width - 24) / 7)) : [];
    this.empty
      .attr("fill", this.colours.quiet)
      .selectAll("tspan")
      .data(lines)
      .join("tspan")
      .attr("x", 12)
      .attr("y", (_, i) => 28 + 18 * i)
      .text((line) => line);
  }

  /** The unstable part: hatched, and so different from every level in any colour vision. */
  private hatch(): Mark {
    const pattern = this.root
      .append("pattern")
      .attr("id", `${this.id}-hatch`)
      .attr("width", 7)
      .attr("height", 7)
      .attr("patternUnits", "userSpaceOnUse")
      .attr("patternTransform", "rotate(45)");
    return pattern.append("path").attr("d", "M0 0V7").attr("stroke-width", 1);
  }

  private describeRegion(view: View, forms: Form[]): void {
    const names = view.run ? namesOf(view.run.methods) : [];
    const rates = names.map((name, i) => {
      const predicted = view.run?.methods[i]?.predicted;
      if (!predicted?.form) return "";
      const rate = predicted.rate.toFixed(3);
      return `${name}: spectral radius ${rate}, ${predicted.rate > 1 ? "diverges" : "stable"}.`;
    });
    const sentence = forms.length
      ? `Region of stability of ${forms.join(" and ")}. ${rates.join(" ")}`
      : EMPTY;
    this.picture.attr("aria-label", sentence);
    this.describe(sentence);
  }
}

function panel(root: Group, id: string): Panel {
  return {
    root,
    ground: root.append("rect").attr("fill", `url(#${id}-hatch)`),
    levels: root.append("g").attr("stroke-width", 0.7),
    best: root.append("path").attr("fill", "none").attr("stroke-dasharray", "2 3"),
    bestWord: haloed(root.append("text"))
      .attr("font-size", 11)
      .attr("text-anchor", "middle")
      .text("best momentum"),
    numbers: haloed(root.append("g")).attr("font-size", 11).attr("text-anchor", "middle"),
    edge: root.append("path").attr("fill", "none").attr("stroke-width", 2.5),
    axes: new Axes(root.append("g")),
    title: root.append("text").attr("font-weight", 600).attr("text-anchor", "end"),
    word: haloed(root.append("text")).attr("text-anchor", "middle").text("diverges"),
    taken: [],
    drawn: [],
  };
}

/** The words beside the flattest and the steepest eigenvalue; one where they coincide. */
function wordsOf(points: Point[], name: string): string[] {
  const [first, last] = [points[0], points.at(-1)];
  if (name) return points.map((_, j) => (j === points.length - 1 ? name : ""));
  if (!first || !last || points.length < 2) return ["eigenvalue"];
  return last[0] - first[0] < 16 ? ["", "flattest, steepest"] : ["flattest", "steepest"];
}

function spot(root: Group): Spot {
  return {
    line: root.append("path").attr("fill", "none").attr("stroke-width", 1.2),
    marks: [0, 1].map(() => root.append("circle").attr("stroke-width", 2)),
    arrows: [0, 1].map(() => root.append("path").attr("d", "M0 0L-13 -6V6Z")),
    labels: [0, 1].map(() => haloed(root.append("text")).attr("text-anchor", "middle")),
  };
}
