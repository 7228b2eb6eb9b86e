// Where a linear method on a quadratic is stable: its spectral radius over τλ and the momentum.
import { contours } from "d3-contour";
import { scaleLinear } from "d3-scale";
import { Axes } from "./axes";
import { Chart, type Frame, type Group, haloed, type Mark, NARROW } from "./chart";
import { DASHES } from "./colours";
import { type Box, clamp, namesOf, placed, textWidth, wrapped } from "./labels";
import type { Region } from "./protocol";
import type { View } from "./view";

type Form = "heavy ball" | "Nesterov";

const FORMS: Form[] = ["heavy ball", "Nesterov"];
const LEVELS = [1, 0.95, 0.9, 0.8, 0.6, 0.4, 0.2];
const EMPTY =
  "The region exists for gradient descent, heavy ball and Nesterov at a constant learning rate " +
  "on a quadratic.";

interface Panel {
  root: Group;
  ground: Mark<SVGRectElement>;
  levels: Group;
  edge: Mark;
  best: Mark;
  axes: Axes;
  title: Mark<SVGTextElement>;
  word: Mark<SVGTextElement>;
  drawn: unknown[];
}

interface Spot {
  line: Mark;
  marks: Mark<SVGCircleElement>[];
  labels: Mark<SVGTextElement>[];
}

export class RegionChart extends Chart {
  private readonly picture: Group;
  private readonly panels: Panel[];
  private readonly spots: Spot[];
  private readonly empty: Mark<SVGTextElement>;

  constructor(container: HTMLElement) {
    super(container);
    this.picture = this.root.append("g").attr("role", "img");
    this.hatch();
    this.panels = FORMS.map(() => panel(this.picture.append("g"), this.id));
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
    const height = 280;
    this.setHeight(count ? height * (isStacked ? count : 1) : 90);
    return Array.from({ length: count }, (_, i) => {
      const [x, y] = isStacked ? [0, i * height] : [i * width, 0];
      return { left: x + 44, right: x + width - 14, top: y + 44, bottom: y + height - 42 };
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
    const paths = radiusPaths(region, frame);
    const shade = scaleLinear<string>([0, LEVELS.length], [colours.high, colours.low]);
    panel.ground
      .attr("x", frame.left)
      .attr("y", frame.top)
      .attr("width", frame.right - frame.left)
      .attr("height", frame.bottom - frame.top);
    panel.levels
      .attr("stroke", colours.level)
      .selectAll("path")
      .data(paths)
      .join("path")
      .attr("d", (d) => d)
      .attr("fill", (_, i) => shade(i));
    panel.edge.attr("d", paths[0] ?? null).attr("stroke", colours.ink);
    panel.best.attr("d", bestPath(region, x, y)).attr("stroke", colours.quiet);
    const name = form === "heavy ball" ? "Heavy ball" : "Nesterov";
    panel.title.text(name).attr("x", frame.left).attr("y", frame.top - 28).attr("fill", colours.ink);
    const [wx, wy] = unstablePoint(region);
    panel.word
      .attr("x", x(wx))
      .attr("y", y(wy))
      .attr("fill", colours.ink)
      .attr("stroke", colours.background);
  }

  private drawSpots(view: View, shown: Form[], frames: Frame[]): void {
    const names = view.run ? namesOf(view.run.methods) : [];
    const taken: Box[] = [];
    this.spots.forEach((spot, i) => {
      const predicted = view.run?.methods[i]?.predicted;
      const at = shown.findIndex((form) => form === predicted?.form);
      const frame = frames[at];
      const region = at < 0 ? undefined : view.regions[shown[at]!];
      const visible = predicted && frame && region;
      for (const mark of [spot.line, ...spot.marks, ...spot.labels]) {
        mark.attr("display", visible ? null : "none");
      }
      if (!visible) return;
      const [x, y] = scalesOf(region, frame);
      const points = predicted.points.slice(0, 2).map(([product, momentum]): [number, number] => [
        clamp(x(product), frame.left, frame.right),
        clamp(y(momentum), frame.top, frame.bottom),
      ]);
      const colour = this.colours.lines[i]!;
      spot.line.attr("d", `M${points.join("L")}`).attr("stroke", colour);
      points.forEach((point, j) => {
        const isSteep = j === points.length - 1;
        spot.marks[j]!
          .attr("cx", point[0])
          .attr("cy", point[1])
          .attr("r", isSteep ? 6 : 4.5)
          .attr("fill", isSteep ? colour : this.colours.background)
          .attr("stroke", isSteep ? this.colours.background : colour);
        const word = isSteep ? "steepest" : "flattest";
        const text = isSteep && names.length > 1 ? `${names[i]}, ${word}` : word;
        const within = {
          x: frame.left + 2,
          y: frame.top + 2,
          width: frame.right - frame.left - 4,
          height: frame.bottom - frame.top - 4,
        };
        const box = placed(point, textWidth(text), within, taken, points);
        spot.labels[j]!
          .text(text)
          .attr("x", box.x + box.width / 2)
          .attr("y", box.y + 13.5)
          .attr("fill", this.colours.texts[i]!)
          .attr("stroke", this.colours.background);
      });
    });
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
  private hatch(): void {
    const pattern = this.root
      .append("pattern")
      .attr("id", `${this.id}-hatch`)
      .attr("width", 7)
      .attr("height", 7)
      .attr("patternUnits", "userSpaceOnUse")
      .attr("patternTransform", "rotate(45)");
    pattern.append("path").attr("d", "M0 0V7").attr("stroke", "#808890").attr("stroke-width", 1.6);
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
    edge: root.append("path").attr("fill", "none").attr("stroke-width", 2.5),
    axes: new Axes(root.append("g")),
    title: root.append("text").attr("font-weight", 600),
    word: haloed(root.append("text")).attr("text-anchor", "middle").text("diverges"),
    drawn: [],
  };
}

function spot(root: Group): Spot {
  return {
    line: root.append("path").attr("fill", "none").attr("stroke-width", 1.2),
    marks: [0, 1].map(() => root.append("circle").attr("stroke-width", 2)),
    labels: [0, 1].map(() => haloed(root.append("text")).attr("text-anchor", "middle")),
  };
}

function scalesOf(region: Region, frame: Frame) {
  const { products, momenta } = region;
  return [
    scaleLinear([products[0]!, products.at(-1)!], [frame.left, frame.right]),
    scaleLinear([momenta[0]!, momenta.at(-1)!], [frame.bottom, frame.top]),
  ] as const;
}

/** {radius <= level} for each level, from the edge of stability down. */
function radiusPaths(region: Region, frame: Frame): string[] {
  const [columns, rows] = [region.products.length, region.momenta.length];
  const depth = Array.from(region.radius.data, (value) => -value);
  const generator = contours().size([columns, rows]);
  const x = (frame.right - frame.left) / (columns - 1);
  const y = (frame.bottom - frame.top) / (rows - 1);
  return LEVELS.map((level) =>
    generator
      .contour(depth, -level)
      .coordinates.flat()
      .map((ring) => {
        const points = ring.map(([i = 0, j = 0]) => {
          const px = clamp(frame.left + (i - 0.5) * x, frame.left, frame.right);
          const py = clamp(frame.bottom - (j - 0.5) * y, frame.top, frame.bottom);
          return `${px.toFixed(1)} ${py.toFixed(1)}`;
        });
        return `M${points.join("L")}Z`;
      })
      .join(""),
  );
}

/** The momentum with the smallest radius for each τλ. */
function bestPath(region: Region, x: (v: number) => number, y: (v: number) => number): string {
  const columns = region.products.length;
  const points = region.products.map((product, i) => {
    let best = 0;
    for (let j = 1; j < region.momenta.length; j++) {
      const smaller = region.radius.data[j * columns + i]! < region.radius.data[best * columns + i]!;
      if (smaller) best = j;
    }
    return region.radius.data[best * columns + i]! < 1
      ? `${x(product).toFixed(1)} ${y(region.momenta[best]!).toFixed(1)}`
      : null;
  });
  return `M${points.filter((point) => point !== null).join("L")}`;
}

/** The middle of the unstable part, where its name stands. */
function unstablePoint(region: Region): [number, number] {
  const columns = region.products.length;
  let [x, y, n] = [0, 0, 0];
  region.momenta.forEach((momentum, j) =>
    region.products.forEach((product, i) => {
      if (region.radius.data[j * columns + i]! <= 1.0001) return;
      [x, y, n] = [x + product, y + momentum, n + 1];
    }),
  );
  return [x / n, y / n];
}
