// The handle at the start of the paths: dragged, or moved by the arrow keys.
import { drag } from "d3-drag";
import { type Group, haloed, type Mark } from "./chart";
import type { Palette } from "./colours";
import { clamp } from "./labels";
import type { Scale } from "./axes";

type Point = [number, number];

const DIRECTIONS: Record<string, Point> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

export class StartHandle {
  private readonly handle: Group;
  /** What a finger meets, larger than what is seen. */
  private readonly target: Mark<SVGCircleElement>;
  private readonly ring: Mark<SVGCircleElement>;
  private readonly text: Mark<SVGTextElement>;
  private start: Point = [0, 0];
  private x: Scale | null = null;
  private y: Scale | null = null;

  constructor(
    root: Mark<SVGSVGElement>,
    private readonly onMove: (x: number, y: number) => void,
  ) {
    this.handle = root
      .append("g")
      .attr("role", "slider")
      .attr("aria-label", "start point, moved by the arrow keys")
      .style("cursor", "grab")
      .style("touch-action", "none");
    this.target = this.handle.append("circle").attr("r", 22).attr("fill", "none");
    this.ring = this.handle.append("circle").attr("r", 7).attr("stroke-width", 2.5);
    this.text = haloed(this.handle.append("text")).attr("text-anchor", "middle");
    this.text.attr("y", -13).text("start");
    const dragged = drag<SVGGElement, unknown>()
      .container(root.node()!)
      .subject(() => ({ x: this.x?.(this.start[0]) ?? 0, y: this.y?.(this.start[1]) ?? 0 }))
      .on("drag", (event: { x: number; y: number }) => {
        if (this.x && this.y) this.moveTo(this.x.invert(event.x), this.y.invert(event.y));
      });
    this.handle.call(dragged);
    this.handle.on("keydown", (event: KeyboardEvent) => this.press(event));
  }

  /** A start that is fixed is shown, and stays where it is. */
  draw(start: Point, x: Scale, y: Scale, colours: Palette, isFixed: boolean): void {
    [this.start, this.x, this.y] = [start, x, y];
    this.handle
      .attr("tabindex", isFixed ? null : 0)
      .attr("aria-hidden", isFixed ? true : null)
      .attr("pointer-events", isFixed ? "none" : null);
    this.target.attr("pointer-events", isFixed ? "none" : "all");
    this.ring.attr("fill", colours.background).attr("stroke", colours.ink);
    this.text.attr("fill", colours.ink).attr("stroke", colours.background);
    this.place();
  }

  private press(event: KeyboardEvent): void {
    const direction = DIRECTIONS[event.key];
    if (!direction) return;
    event.preventDefault();
    const [left = 0, right = 1] = this.x?.domain() ?? [];
    const step = event.shiftKey ? 0.01 : Math.max(0.01, rounded((right - left) / 100));
    this.moveTo(this.start[0] + step * direction[0], this.start[1] + step * direction[1]);
  }

  private moveTo(x: number, y: number): void {
    this.start = this.inside([x, y]).map(rounded) as Point;
    this.place();
    this.onMove(...this.start);
  }

  private place(): void {
    if (!this.x || !this.y) return;
    const [x, y] = this.inside(this.start);
    const [left = 0, right = 1] = this.x.domain();
    this.handle
      .attr("transform", `translate(${this.x(x)} ${this.y(y)})`)
      .attr("aria-valuemin", left)
      .attr("aria-valuemax", right)
      .attr("aria-valuenow", x)
      .attr("aria-valuetext", `θ₁ = ${this.start[0]}, θ₂ = ${this.start[1]}`);
  }

  private inside([x, y]: Point): Point {
    const [left = 0, right = 1] = this.x?.domain() ?? [];
    const [bottom = 0, top = 1] = this.y?.domain() ?? [];
    return [clamp(x, left, right), clamp(y, bottom, top)];
  }
}

/** The start has two decimals: what a reader can aim at, and what an address shows. */
function rounded(x: number): number {
  return Math.round(x * 100) / 100;
}
