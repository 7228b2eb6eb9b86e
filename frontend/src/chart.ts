// What the drawings have in common: an <svg> that fits its container, a theme and a description.
import { select, type Selection } from "d3-selection";
import { DASHES, type Palette, palette, preferredTheme, type Theme } from "./colours";
import type { Drawing, View } from "./view";

export type Group = Selection<SVGGElement, unknown, null, undefined>;
export type Mark<E extends SVGElement = SVGPathElement> = Selection<E, unknown, null, undefined>;

/** A rectangle in units of the drawing. */
export interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/**
 * Up to WIDEST, one unit of a drawing is one pixel, so that letters keep their size; a wider
 * container (a projector) enlarges the drawing with its letters.
 */
const NARROWEST = 300;
const WIDEST = 600;

/** The opacity of a path whose average is drawn on top. */
export const PALE = 0.4;

const FAMILY = "system-ui, sans-serif";

/** The font of the labels, as CSS writes it. */
export const FONT = `13px ${FAMILY}`;

/** Below this width, a drawing takes its narrow layout. */
export const NARROW = 460;

let count = 0;

export abstract class Chart implements Drawing {
  readonly svg: SVGSVGElement;
  protected readonly root: Mark<SVGSVGElement>;
  protected readonly id = `drawing-${++count}`;
  protected colours: Palette = palette(preferredTheme());
  protected width = 0;
  private view: View | null = null;
  private readonly description: Mark<SVGDescElement>;

  constructor(private readonly container: HTMLElement) {
    this.root = select(container)
      .append("svg")
      .attr("xmlns", "http://www.w3.org/2000/svg")
      .attr("width", "100%")
      .attr("font-family", FAMILY)
      .attr("font-size", 13)
      .style("display", "block") // by CSSOM: the server's policy refuses style attributes
      .style("height", "auto");
    this.svg = this.root.node() as SVGSVGElement;
    this.description = this.root.append("desc");
    this.resize();
    new ResizeObserver(() => this.resize()).observe(container);
  }

  update(view: View): void {
    this.view = view;
    if (this.width > 0) this.draw(view);
  }

  setTheme(theme: Theme): void {
    this.colours = palette(theme);
    this.redraw();
  }

  protected abstract draw(view: View): void;

  protected redraw(): void {
    if (this.view) this.update(this.view);
  }

  /** Say in a sentence what the picture shows. A <title> would hide the curves as a tooltip. */
  protected describe(sentence: string): void {
    this.description.text(sentence);
  }

  protected setHeight(height: number): void {
    this.root.attr("viewBox", `0 0 ${this.width} ${Math.round(height)}`);
  }

  private resize(): void {
    const pixels = this.container.clientWidth; // 0 while it is hidden
    if (!pixels) return;
    const width = Math.min(Math.max(pixels, NARROWEST), WIDEST);
    if (width === this.width) return;
    this.width = width;
    this.redraw();
  }
}

/** The "d" of a line, and its length. */
export interface Line {
  d: string;
  length: number;
}

/** Draw a line through n points; the first value that is not finite ends it. */
export function polyline(n: number, x: (i: number) => number, y: (i: number) => number): Line {
  let [d, length] = ["", 0];
  let [lastX, lastY] = [Infinity, Infinity];
  for (let i = 0; i < n; i++) {
    const [px, py] = [tenth(x(i)), tenth(y(i))];
    if (!Number.isFinite(px + py)) break;
    const step = Math.abs(px - lastX) + Math.abs(py - lastY);
    // Points closer than what the eye separates would only cost time; the last one ends the line.
    if (step < 0.4 && i < n - 1) continue;
    d += (d ? "L" : "M") + px + " " + py;
    if (i > 0) length += step;
    [lastX, lastY] = [px, py];
  }
  return { d, length };
}

/** A longer line covers itself: its dashes cannot be seen, and take most of the time to draw. */
const LONGEST_DASHED = 8000;

/** The dash of a method's line. */
export function dashOf(method: number, { length }: Line): string {
  return length > LONGEST_DASHED ? "none" : DASHES[method]!;
}

/** Round to a tenth of a unit; a point far outside becomes one that every browser can draw. */
function tenth(x: number): number {
  return Math.round(Math.min(Math.max(x, -1e5), 1e5) * 10) / 10;
}

/** Texts that stay legible on lines: one, or a group of them. */
export function haloed<E extends SVGTextElement | SVGGElement>(texts: Mark<E>): Mark<E> {
  return texts
    .attr("paint-order", "stroke")
    .attr("stroke-width", 4)
    .attr("stroke-linejoin", "round")
    .attr("pointer-events", "none");
}

/** The lines of a text, one below the other. */
export function setLines(text: Mark<SVGTextElement>, lines: string[], x: number, y: number): void {
  text
    .selectAll("tspan")
    .data(lines)
    .join("tspan")
    .attr("x", x)
    .attr("y", (_, i) => y + 15 * i)
    .text((line) => line);
}
