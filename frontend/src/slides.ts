// "Play the slides": a prepared state for each slide of the lecture, with a sentence.
import { button, element, selectOf } from "./dom";
import type { Slide } from "./protocol";

/** Owns the bar of the slides; `show` sets the page to one of them. */
export class Slides {
  readonly element: HTMLElement;
  readonly toggle: HTMLButtonElement;
  private readonly select: HTMLSelectElement;
  private readonly sentence = element("p", { class: "lo-sentence", "aria-live": "polite" });
  private readonly count = element("span", { class: "lo-count" });

  constructor(
    private readonly slides: Slide[],
    private readonly show: (slide: Slide) => void,
  ) {
    this.select = selectOf(
      slides.map(({ slide }) => slide),
      {
        "aria-label": "Slide",
        change: () => this.go(Number(this.select.value)),
      },
    );
    this.element = element(
      "section",
      { class: "lo-slides", "aria-label": "The slides of the lecture", hidden: true },
      element(
        "div",
        { class: "lo-bar" },
        button("‹ Previous", () => this.go(Number(this.select.value) - 1)),
        button("Next ›", () => this.go(Number(this.select.value) + 1)),
        this.count,
        this.select,
      ),
      this.sentence,
    );
    this.toggle = button("Play the slides", () => this.play(), { "aria-pressed": "false" });
    this.toggle.hidden = slides.length === 0;
  }

  private play(): void {
    this.element.hidden = !this.element.hidden;
    this.toggle.setAttribute("aria-pressed", String(!this.element.hidden));
    if (!this.element.hidden) this.go(Number(this.select.value));
  }

  private go(i: number): void {
    const place = (i + this.slides.length) % this.slides.length;
    const slide = this.slides[place];
    if (!slide) return;
    this.select.value = String(place);
    this.sentence.textContent = slide.sentence;
    this.element.scrollIntoView(); // the handles below the pictures are in view, too
    this.count.textContent = `${place + 1} of ${this.slides.length}`;
    this.show(slide);
  }
}
