// A line at one step of the curves, with the values there; the pointer and the keyboard move it.
import { pointer } from "d3-selection";
import { type Scale, short } from "./axes";
import { type Frame, type Group, type Mark, setLines } from "./chart";
import type { Palette } from "./colours";
import { clamp, textWidth } from "./labels";

/** One curve at a step; y is where it is in the picture. */
export interface RuledValue {
  name: string;
  value: number;
  y: number;
  colour: string;
}

/** What the ruler is laid on. */
export interface Ruled {
  x: Scale;
  frame: Frame;
  colours: Palette;
  at(step: number): RuledValue[];
}

export class Ruler {
  private readonly marks: Group;
  private readonly line: Mark;
  private readonly dots: Group;
  private readonly paper: Mark<SVGRectElement>;
  private readonly text: Mark<SVGTextElement>;
  private readonly sensor: Mark<SVGRectElement>;
  private step: number | null = null;
  private ruled: Ruled | null = null;

  /** `picture` holds what is seen; what is focused lies above it, in `root`. */
  constructor(
    picture: Group,
    root: Mark<SVGSVGElement>,
    name: string,
    private readonly onStep: (step: number | null) => void,
  ) {
    this.marks = picture.append("g");
    this.line = this.marks.append("path");
    this.dots = this.marks.append("g").attr("stroke-width", 1.5);
    this.paper = this.marks.append("rect").attr("opacity", 0.85);
    this.text = this.marks.append("text");
    this.sensor = root
      .append("rect")
      .attr("fill", "none")
      .attr("pointer-events", "all")
      .attr("role", "slider")
      .attr("tabindex", 0)
      .attr("aria-label", `step of the ruler, ${name}`)
      .attr("aria-valuemin", 0)
      .style("touch-action", "pan-y");
    const follow = (event: PointerEvent) => this.follow(event);
    this.sensor.on("pointermove", follow).on("pointerdown", follow);
    this.sensor.on("pointerleave", () => this.move(null)).on("blur", () => this.move(null));
    this.sensor.on("keydown", (event: KeyboardEvent) => this.press(event));
  }

  /** Lay the ruler on curves that changed. */
  draw(ruled: Ruled): void {
    this.ruled = ruled;
    const { left, right, top, bottom } = ruled.frame;
    this.sensor.attr("x", left).attr("y", top);
    this.sensor.attr("width", right - left).attr("height", bottom - top);
    this.sensor.attr("aria-valuemax", ruled.x.domain()[1]!);
    this.render(ruled);
  }

  private follow(event: PointerEvent): void {
    const [x] = pointer(event, this.sensor.node());
    if (this.ruled) this.move(this.ruled.x.invert(x));
  }

  private press(event: KeyboardEvent): void {
    const last = this.ruled?.x.domain()[1] ?? 0;
    const page = Math.max(1, Math.round(last / 10));
    const at = this.step ?? 0;
    const steps: Record<string, number | null> = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      PageUp: at + page,
      PageDown: at - page,
      Home: 0,
      End: last,
      Escape: null,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.move(step);
  }

  private move(step: number | null): void {
    this.step = step;
    if (this.ruled) this.render(this.ruled);
    this.onStep(this.step);
  }

  private render({ x, frame, colours, at }: Ruled): void {
    if (this.step !== null) this.step = clamp(Math.round(this.step), 0, x.domain()[1]!);
    const step = this.step;
    this.marks.attr("display", step === null ? "none" : null);
    this.sensor.attr("aria-valuenow", step ?? 0);
    if (step === null) {
      this.sensor.attr("aria-valuetext", "no step");
      return;
    }
    const values = at(step).filter(({ value }) => !Number.isNaN(value));
    const lines = [`step ${step}`, ...values.map(({ name, value }) => `${name}: ${short(value)}`)];
    const middle = x(step);
    this.line.attr("d", `M${middle} ${frame.top}V${frame.bottom}`).attr("stroke", colours.quiet);
    this.dots
      .attr("stroke", colours.background)
      .selectAll("circle")
      .data(values.filter(({ y }) => y >= frame.top))
      .join("circle")
      .attr("r", 4.5)
      .attr("cx", middle)
      .attr("cy", ({ y }) => y)
      .attr("fill", ({ colour }) => colour);
    const side = middle < (frame.left + frame.right) / 2 ? 1 : -1;
    this.text.attr("text-anchor", side > 0 ? "start" : "end");
    this.text.attr("fill", colours.ink);
    const width = Math.max(...lines.map(textWidth)) + 8;
    this.paper
      .attr("x", side > 0 ? middle + 5 : middle - 5 - width)
      .attr("y", frame.top)
      .attr("width", width)
      .attr("height", 15 * lines.length + 5)
      .attr("fill", colours.background);
    setLines(this.text, lines, middle + 9 * side, frame.top + 14);
    this.sensor.attr("aria-valuetext", lines.join(", "));
  }
}
