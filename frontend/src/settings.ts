// What the methods have in common: the landscape's controls, the start, the steps, the examples.
import { Control } from "./controls";
import { element } from "./dom";
import type { Handle, Landscape, Page, State } from "./protocol";
import { runHandles } from "./url";

/** The start is dragged in the plane, also out of it. */
const START = { isOpen: true, isField: true };

/** Owns the controls below the pictures. */
export class Settings {
  readonly element = element("div", { class: "lo-settings" });
  private controls: Record<string, Control> = {};
  private landscape = "";

  constructor(
    private readonly page: Page,
    private readonly change: (part: Partial<State>) => void,
  ) {}

  /** Show a state; the controls are made again if its landscape is another one. */
  show(state: State, landscape: Landscape): void {
    if (landscape.name !== this.landscape) this.build(landscape, state);
    const { steps, batch, seed } = state;
    const numbers: Record<string, number> = {
      ...state.controls,
      steps,
      batch,
      seed,
      x: state.start[0],
      y: state.start[1],
    };
    for (const [name, control] of Object.entries(this.controls)) control.show(numbers[name] ?? 0);
    this.state = state;
  }

  private state: State | null = null;

  private build(landscape: Landscape, state: State): void {
    this.landscape = landscape.name;
    this.state = state;
    const { steps, batch, seed } = runHandles(this.page);
    const hasExamples = landscape.has_examples || landscape.is_network;
    const controls: Record<string, Control> = {};
    for (const handle of landscape.controls) {
      controls[handle.name] = this.control(handle, (value) => ({
        controls: { ...this.state?.controls, [handle.name]: value },
      }));
    }
    if (!landscape.is_network) {
      const [left, right, bottom, top] = landscape.box;
      controls.x = this.control(
        coordinate("x", left, right),
        (x) => ({ start: [x, this.state?.start[1] ?? 0] }),
        START,
      );
      controls.y = this.control(
        coordinate("y", bottom, top),
        (y) => ({ start: [this.state?.start[0] ?? 0, y] }),
        START,
      );
    }
    controls.steps = this.control(steps, (value) => ({ steps: value }));
    if (hasExamples) {
      controls.batch = this.control(batch, (value) => ({ batch: value }));
      controls.seed = this.control(seed, (value) => ({ seed: value }), {
        isOpen: this.page.most.seed === undefined,
      });
    }
    this.controls = controls;
    const { x, y, ...others } = controls;
    const start = x && y ? [element("div", { class: "lo-pair" }, x.element, y.element)] : [];
    this.element.replaceChildren(
      ...Object.values(others).map((control) => control.element),
      ...start,
    );
  }

  private control(
    handle: Handle,
    part: (value: number) => Partial<State>,
    { isOpen = false, isField = false } = {},
  ): Control {
    const onInput = (value: number): void => this.change(part(value));
    return new Control(handle, {
      onInput,
      isField,
      ...(isOpen && { onBeyond: onInput }),
    });
  }
}

function coordinate(name: string, low: number, high: number): Handle {
  return { name, label: `start ${name}`, scale: "linear", low, high, value: low, begin: 0, end: 0 };
}
