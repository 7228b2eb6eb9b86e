// A handle: a label, a slider and a field, bound to each other.
import { element, freshId } from "./dom";
import { placeOf, shown, stepped, valueAt } from "./numbers";
import type { Handle } from "./protocol";

const PLACES = 1000;
const KEYS: Record<string, number> = {
  ArrowRight: 1,
  ArrowUp: 1,
  ArrowLeft: -1,
  ArrowDown: -1,
  PageUp: 6,
  PageDown: -6,
};

export interface ControlOptions {
  /** The new value, on every move of the slider. */
  onInput(value: number): void;
  /** A sentence about a typed value that is refused. */
  say(sentence: string): void;
  /** Takes a typed value beyond the range; without it, such a value is refused. */
  onBeyond?(value: number): void;
  /** Whether there is a field only: the value is dragged elsewhere. */
  isField?: boolean;
}

/** Owns the elements of one handle. */
export class Control {
  readonly element: HTMLElement;
  private readonly slider: HTMLInputElement;
  private readonly field: HTMLInputElement;
  private value: number;

  constructor(
    private handle: Handle,
    private readonly options: ControlOptions,
  ) {
    const id = freshId();
    const { isField = false } = options;
    this.field = element("input", {
      ...(isField ? { id } : { "aria-label": `${handle.label}, as a number` }),
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      spellcheck: "false",
      change: () => this.typed(),
      keydown: (event) => this.key(event as KeyboardEvent),
    });
    this.slider = element("input", {
      ...(isField ? { hidden: true } : { id }),
      type: "range",
      min: "0",
      max: String(PLACES),
      step: "any",
      input: () => this.move(valueAt(Number(this.slider.value) / PLACES, this.handle)),
      change: () => this.settle(),
      keydown: (event) => this.key(event as KeyboardEvent),
    });
    this.element = element(
      "div",
      { class: "lo-control" },
      element("label", { for: id }, handle.label),
      this.field,
      this.slider,
    );
    this.value = handle.value;
    this.settle();
    this.write();
  }

  /** Show a value that was set elsewhere; a range widens to include it. */
  show(value: number): void {
    if (value === this.value) return; // perhaps it is the slider that moves
    this.value = value;
    const { low, high } = this.handle;
    if (value < low || value > high) {
      this.handle = { ...this.handle, low: Math.min(low, value), high: Math.max(high, value) };
    }
    this.settle();
    this.write();
  }

  private write(): void {
    const text = shown(this.value);
    this.field.value = text;
    this.field.removeAttribute("aria-invalid");
    this.slider.setAttribute("aria-valuetext", text);
    const place = placeOf(this.value, this.handle);
    this.slider.style.setProperty("--lo-place", String(place));
  }

  /** Place the slider exactly at the value; while it is dragged, it stays under the pointer. */
  private settle(): void {
    this.slider.value = String(PLACES * placeOf(this.value, this.handle));
  }

  private move(value: number): void {
    if (value === this.value) return;
    this.value = value;
    this.write();
    this.options.onInput(value);
  }

  private key(event: KeyboardEvent): void {
    const isField = event.currentTarget === this.field;
    const keys = KEYS[event.key];
    const { low, high } = this.handle;
    let value: number;
    if (keys !== undefined && !(isField && event.key.match("Left|Right")))
      value = stepped(this.value, keys, this.handle);
    else if (event.key === "Home" && !isField) value = low;
    else if (event.key === "End" && !isField) value = high;
    else return;
    event.preventDefault();
    this.move(value);
    this.settle();
  }

  private typed(): void {
    const text = this.field.value.trim().replace(",", ".").replace("−", "-");
    const number = text === "" ? Number.NaN : Number(text);
    const value = this.handle.scale.includes("integer") ? Math.round(number) : number;
    const { label, low, high } = this.handle;
    const isInside = value >= low && value <= high;
    const { onInput, onBeyond } = this.options;
    const accept = isInside ? onInput : onBeyond;
    if (!Number.isFinite(value) || !accept) {
      this.field.setAttribute("aria-invalid", "true");
      this.options.say(
        `${label} must be a number from ${shown(low)} to ${shown(high)}, got "${text}".`,
      );
      return;
    }
    if (value === this.value) this.write();
    else {
      if (isInside) this.show(value);
      accept(value);
    }
  }
}
