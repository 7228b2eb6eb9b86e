// "Play the slides": a prepared state for each slide of the lecture, with a sentence.
import { button, element, selectOf } from "./dom";
import type { Slide, State } from "./protocol";

/** What the bar needs of the page around it. */
export interface SlidesOptions {
  slides: Slide[];
  /** Set the page to a slide. */
  show(slide: Slide): void;
  /** The bar opens: keep what the page shows; or it closes: show that again. */
  opened(): void;
  closed(): void;
}

/** Owns the bar of the slides. */
export class Slides {
  readonly element: HTMLElement;
  readonly toggle: HTMLButtonElement;
  private readonly select: HTMLSelectElement;
  private readonly previous: HTMLButtonElement;
  private readonly next: HTMLButtonElement;
  private readonly sentence = element("p", { class: "lo-sentence", "aria-live": "polite" });
  private readonly count = element("span", { class: "lo-count" });

  constructor(private readonly options: SlidesOptions) {
    const { slides } = options;
    this.select = selectOf(
      slides.map(({ slide }) => slide),
      {
        "aria-label": "Slide",
        change: () => this.go(Number(this.select.value)),
      },
    );
    this.previous = button("‹ Previous", () => this.go(Number(this.select.value) - 1));
    this.next = button("Next ›", () => this.go(Number(this.select.value) + 1));
    const close = button("Close", () => this.play(), { "aria-label": "Close the slides" });
    this.element = element(
      "section",
      { class: "lo-slides", "aria-label": "The slides of the lecture", hidden: true },
      element("div", { class: "lo-bar" }, this.previous, this.next, this.count, this.select, close),
      this.sentence,
    );
    this.toggle = button("Play the slides", () => this.play(), { "aria-pressed": "false" });
    this.toggle.hidden = slides.length === 0;
  }

  /** Follow the history of the page: to the slide of this state, or out of the slides. */
  follow(isState: (state: State) => boolean): void {
    const place = this.options.slides.findIndex(({ state }) => isState(state));
    if (place < 0) this.open(false);
    else if (!this.element.hidden) this.write(place);
  }

  private play(): void {
    const isOpening = this.element.hidden === true;
    this.open(isOpening);
    if (!isOpening) {
      this.options.closed();
      return;
    }
    this.options.opened();
    this.go(Number(this.select.value));
  }

  private open(isOpen: boolean): void {
    this.element.hidden = !isOpen;
    this.toggle.setAttribute("aria-pressed", String(isOpen));
  }

  private go(place: number): void {
    const slide = this.options.slides[place];
    if (!slide) return;
    this.write(place);
    this.options.show(slide);
    // The bar sticks to the top: what stands before it brings the pictures back.
    this.element.previousElementSibling?.scrollIntoView();
  }

  private write(place: number): void {
    const { slides } = this.options;
    this.select.value = String(place);
    this.sentence.textContent = slides[place]?.sentence ?? "";
    this.count.textContent = `${place + 1} of ${slides.length}`;
    // a button that is disabled would lose the focus
    this.previous.setAttribute("aria-disabled", String(place === 0));
    this.next.setAttribute("aria-disabled", String(place === slides.length - 1));
  }
}
