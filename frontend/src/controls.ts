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
  private readonly error: HTMLElement;
  private value: number;
  /** Wider than what was given while the value is outside. */
  private handle: Handle;
  /** Whether the reader left the field since its text was refused. */
  private isLeft = false;

  constructor(
    private readonly given: Handle,
    private readonly options: ControlOptions,
  ) {
    this.handle = given;
    const handle = given;
    const [id, errorId] = [freshId(), freshId()];
    this.error = element("p", { id: errorId, class: "lo-refused", role: "alert" });
    const { isField = false } = options;
    this.field = element("input", {
      ...(isField ? { id } : { "aria-label": `${handle.label}, as a number` }),
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": errorId,
      change: () => this.typed(),
      blur: () => this.leave(),
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
      this.error,
    );
    this.value = handle.value;
    this.settle();
    this.write();
  }

  /** Show a value that was set elsewhere. */
  show(value: number): void {
    if (value === this.value) return; // perhaps it is the slider that moves
    this.value = value;
    this.settle();
    this.write();
  }

  private write(): void {
    const text = shown(this.value);
    this.field.value = text;
    this.field.removeAttribute("aria-invalid");
    this.error.textContent = "";
    this.isLeft = false;
    this.slider.setAttribute("aria-valuetext", text);
    const place = placeOf(this.value, this.handle);
    this.slider.style.setProperty("--lo-place", String(place));
  }

  /**
   * Place the slider exactly at the value, in a range that has it; while it is dragged, it stays
   * under the pointer.
   */
  private settle(): void {
    const { low, high } = this.given;
    const { value } = this;
    this.handle = { ...this.given, low: Math.min(low, value), high: Math.max(high, value) };
    this.slider.style.setProperty("--lo-place", String(placeOf(value, this.handle)));
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
    if (event.key === "Escape" && isField) this.write();
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

  /** A text that is refused stays to be corrected; the reader who leaves it again gives it up. */
  private leave(): void {
    if (!this.field.hasAttribute("aria-invalid")) return;
    if (this.isLeft) this.write();
    else this.isLeft = true;
  }

  private typed(): void {
    const text = this.field.value.trim().replace(",", ".").replace("−", "-");
    const number = text === "" ? Number.NaN : Number(text);
    const value = this.handle.scale.includes("integer") ? Math.round(number) : number;
    const { label, low, high } = this.given;
    const isInside = value >= low && value <= high;
    const { onInput, onBeyond } = this.options;
    const accept = isInside ? onInput : onBeyond;
    if (!Number.isFinite(value) || !accept) {
      const kind = this.handle.scale.includes("integer") ? "a whole number" : "a number";
      const range = onBeyond ? "" : ` from ${shown(low)} to ${shown(high)}`;
      this.field.setAttribute("aria-invalid", "true");
      this.error.textContent = `${label} must be ${kind}${range}, got "${text}".`;
      this.isLeft = false;
      return;
    }
    if (value === this.value) this.write();
    else {
      if (isInside) this.show(value);
      accept(value);
    }
  }
}
