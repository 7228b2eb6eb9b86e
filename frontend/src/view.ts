// What the drawings draw, and what a drawing is.
import type { Field, Form, Landscape, Region, Run, State } from "./protocol";

export interface View {
  state: State;
  landscape: Landscape;
  run: Run | null;
  field: Field | null;
  regions: Partial<Record<Form, Region>>;
}

/** A drawing owns one <svg> in a container; update draws again, and is called on every move. */
export interface Drawing {
  readonly svg: SVGSVGElement;
  update(view: View): void;
}
