// The methods side by side: one card for each line of the drawings.
import { Control } from "./controls";
import { button, element, freshId, selectOf } from "./dom";
import type { Engine, MethodResult, Page, Reading, Run } from "./protocol";
import { Results } from "./results";
import { arrayOf } from "./runs";
import {
  type Scheduled,
  scheduleOf,
  shapeOf,
  withAverage,
  withNumber,
  withNumbersOf,
  withoutAverage,
  withSchedule,
} from "./wrapping";

/** What the cards need of the page around them. */
export interface MethodsOptions {
  page: Page;
  engine: Engine;
  /** The texts changed: a number is dragged, or something was chosen. */
  changed(isDrag: boolean): void;
  say(sentence: string): void;
  steps(): number;
}

/** Longer than any text that one reads: the page keeps its form. */
const MOST_LETTERS = "1000";

/** Owns the cards. */
export class Methods {
  readonly element = element("div", { class: "lo-methods" });
  /** Says aloud which symptoms the methods have, when one changes. */
  readonly spoken = element("p", { class: "lo-hidden", role: "status" });
  private cards: Card[] = [];
  private readonly more: HTMLButtonElement;

  constructor(private readonly options: MethodsOptions) {
    this.more = button("+ Add a method", () => void this.add(), { class: "lo-more" });
  }

  texts(): string[] {
    return this.cards.map(({ reading }) => reading.text);
  }

  /** Show these texts; one that cannot be read is left out, with a sentence. */
  async show(texts: string[]): Promise<void> {
    const readings = await Promise.all(texts.map((text) => this.read(text)));
    const good = readings.filter((reading) => reading !== null);
    const { methods: first } = this.options.page.first;
    if (good.length || texts === first) this.place(good);
    else await this.show(first);
  }

  /** Show what a run found. */
  report(run: Run): void {
    for (const [i, card] of this.cards.entries()) {
      card.report(run.methods[i] ?? null, lastOf(run, "loss", i), lastOf(run, "average_loss", i));
    }
    const symptoms = run.methods.flatMap(({ title, symptom }) =>
      symptom ? [`${title}: ${symptom.name}`] : [],
    );
    const text = symptoms.join(", ");
    if (this.spoken.textContent !== text) this.spoken.textContent = text;
  }

  private async read(text: string): Promise<Reading | null> {
    const reading = await this.options.engine.read(text);
    if (!("error" in reading)) return reading;
    this.options.say(`${text} is left out: ${reading.error}`);
    return null;
  }

  private place(readings: Reading[]): void {
    if (readings.length === this.cards.length) {
      for (const [i, card] of this.cards.entries()) card.show(readings[i] ?? card.reading);
      return;
    }
    this.cards = readings.map((reading, i) => new Card(i, reading, this.options, this));
    const most = this.options.page.most.methods;
    for (const card of this.cards) card.canLeave(this.cards.length > 1, this.cards.length < most);
    const isFull = this.cards.length >= most;
    this.element.replaceChildren(
      ...this.cards.map((card) => card.element),
      ...(isFull ? [] : [this.more]),
    );
  }

  /** Add the first method of the gallery that is not shown yet. */
  private async add(): Promise<void> {
    const shapes = this.texts().map(shapeOf);
    const gallery = this.options.page.methods;
    const free = gallery.find(({ text }) => !shapes.includes(shapeOf(text))) ?? gallery[0];
    if (free) await this.put([...this.texts(), free.text], this.cards.length);
  }

  async duplicate(i: number): Promise<void> {
    const texts = this.texts();
    await this.put([...texts.slice(0, i + 1), ...texts.slice(i)], i + 1);
  }

  async remove(i: number): Promise<void> {
    await this.put(
      this.texts().filter((_, j) => j !== i),
      Math.max(0, i - 1),
    );
  }

  /** Show other texts, and move the focus to a card: the button that was pressed is gone. */
  private async put(texts: string[], focus: number): Promise<void> {
    await this.show(texts);
    this.cards[focus]?.focus();
    this.options.changed(false);
  }
}

/** One method: its text, its handles, and what its run shows. */
class Card {
  readonly element: HTMLElement;
  private readonly gallery: HTMLSelectElement;
  private readonly text: HTMLTextAreaElement;
  private readonly error: HTMLElement;
  private readonly hint = element("p", { class: "lo-hint", hidden: true }, "Enter applies this text.");
  private readonly schedule: HTMLSelectElement;
  private readonly average: HTMLInputElement;
  private readonly handles = element("div", { class: "lo-handles" });
  private readonly results = new Results();
  private readonly copy: HTMLButtonElement;
  private readonly leave: HTMLButtonElement;
  private controls: Control[] = [];
  private asked = 0;
  /** The entry of the gallery that the text is. */
  private chosen = "";
  private refused = "";

  constructor(
    i: number,
    public reading: Reading,
    private readonly options: MethodsOptions,
    methods: Methods,
  ) {
    const { page } = options;
    const [textId, errorId, nameId] = [freshId(), freshId(), freshId()];
    const letter = `method ${i + 1}`;
    this.gallery = selectOf([...page.methods.map(({ title }) => title), "Your own text"], {
      "aria-label": `Optimizer of ${letter}`,
      change: () => this.choose(),
    });
    this.copy = button("Duplicate", () => void methods.duplicate(i), {
      "aria-label": `Duplicate ${letter}`,
    });
    this.leave = button("Remove", () => void methods.remove(i), {
      "aria-label": `Remove ${letter}`,
    });
    this.error = element("p", { id: errorId, class: "lo-error", role: "alert" });
    this.text = element("textarea", {
      id: textId,
      rows: "2",
      maxlength: MOST_LETTERS,
      input: () => {
        this.hint.hidden = this.text.value.trim() === this.reading.text;
      },
      spellcheck: "false",
      autocapitalize: "off",
      "aria-label": `${letter} as Python`,
      "aria-describedby": errorId,
      change: () => void this.read(this.text.value),
      keydown: (event) => {
        if ((event as KeyboardEvent).key !== "Enter") return;
        event.preventDefault();
        void this.read(this.text.value);
      },
    });
    this.schedule = selectOf([...page.schedules.map(({ title }) => title), "other"], {
      "aria-label": `Learning rate schedule of ${letter}`,
      change: () => this.reschedule(),
    });
    this.average = element("input", { type: "checkbox", change: () => this.toggleAverage() });
    this.element = element(
      "article",
      { class: `lo-card lo-line-${i}`, "aria-labelledby": nameId },
      element(
        "header",
        {},
        element("h3", { id: nameId }, element("span", { class: "lo-hidden" }, `Method ${i + 1}`)),
        swatch(i),
        this.gallery,
        this.copy,
        this.leave,
      ),
      this.handles,
      this.results.element,
      element(
        "div",
        { class: "lo-options" },
        element("label", {}, "Schedule ", this.schedule),
        element(
          "label",
          {},
          this.average,
          " Average",
          element("span", { class: "lo-hidden" }, " of the iterates"),
        ),
      ),
      element("div", { class: "lo-text" }, this.text, this.hint, this.error),
    );
    this.show(reading);
  }

  canLeave(mayLeave: boolean, mayCopy: boolean): void {
    this.leave.hidden = !mayLeave;
    this.copy.hidden = !mayCopy;
  }

  focus(): void {
    this.gallery.focus();
  }

  /** Show a reading; the handles are made again if the structure is another one. */
  show(reading: Reading): void {
    const isSame = reading.structure === this.reading.structure && this.controls.length > 0;
    this.reading = reading;
    this.write();
    if (isSame) {
      for (const [i, control] of this.controls.entries()) {
        const handle = reading.handles[i];
        if (handle) control.show(handle.value);
      }
      return;
    }
    this.controls = reading.handles.map(
      (handle, i) =>
        new Control(handle, {
          onInput: (value) => {
            this.reading = withNumber(this.reading, i, value);
            this.asked++; // a text that is being read is out of date
            this.write();
            this.options.changed(true);
          },
          onBeyond: (value) => void this.read(withNumber(this.reading, i, value).text),
        }),
    );
    this.handles.replaceChildren(...this.controls.map((control) => control.element));
    const scheduled = this.scheduled();
    const { methods, schedules } = this.options.page;
    const [name] = reading.title.split(", "); // the schedule and the average stand behind a comma
    const place = methods.findIndex(({ title }) => title === name);
    this.chosen = String(place < 0 ? methods.length : place);
    this.gallery.value = this.chosen;
    this.schedule.disabled = scheduled === null;
    this.schedule.value = String(scheduled?.index ?? schedules.length);
    (this.schedule.lastChild as HTMLOptionElement).hidden = scheduled !== null;
    this.average.checked = withoutAverage(reading.text, this.options.page.average) !== null;
  }

  /** Show what a run found for this method. */
  report(result: MethodResult | null, loss: number, averageLoss: number): void {
    if (result) this.results.show(result, loss, averageLoss);
  }

  private write(): void {
    this.text.value = this.reading.text;
    this.hint.hidden = true;
    this.refused = "";
    this.error.textContent = "";
    this.text.removeAttribute("aria-invalid");
  }

  /** Read a text; the last good one stays in use if this one cannot be read. */
  private async read(text: string): Promise<void> {
    if (text.trim() === this.reading.text) {
      this.write();
      return;
    }
    if (text === this.refused) return;
    const turn = ++this.asked;
    const reading = await this.options.engine.read(text);
    if (turn !== this.asked) return;
    if ("error" in reading) {
      this.refused = text;
      this.text.value = text;
      this.text.setAttribute("aria-invalid", "true");
      this.error.textContent = reading.error;
      return;
    }
    this.show(reading);
    this.options.changed(false);
  }

  private bare(): string {
    return withoutAverage(this.reading.text, this.options.page.average) ?? this.reading.text;
  }

  /** The schedule of the text without its average. */
  private scheduled(): Scheduled | null {
    const inner = this.bare();
    const shift = this.reading.text.indexOf(inner);
    const handles = this.reading.handles.map((handle) => ({
      ...handle,
      begin: handle.begin - shift,
      end: handle.end - shift,
    }));
    return scheduleOf({ ...this.reading, text: inner, handles }, this.options.page.schedules);
  }

  private choose(): void {
    const chosen = this.options.page.methods[Number(this.gallery.value)];
    if (chosen) void this.exchange(chosen.text);
    else {
      this.gallery.value = this.chosen;
      this.text.focus();
    }
  }

  /** Take another method; it keeps the schedule, the average and the numbers of the same names. */
  private async exchange(text: string): Promise<void> {
    const turn = ++this.asked;
    const { engine, page } = this.options;
    const [before, scheduled] = [this.reading, this.scheduled()];
    const bare = await engine.read(text);
    const now = "error" in bare ? null : scheduleOf(bare, page.schedules);
    const schedule = page.schedules[scheduled?.index ?? 0];
    const inner = now && schedule ? withSchedule(now, schedule, this.options.steps()) : text;
    const wrapped = this.average.checked ? withAverage(inner, page.average) : inner;
    const full = await engine.read(wrapped); // exported programs have some of them only
    if (turn !== this.asked) return;
    const reading = "error" in full ? bare : full;
    await this.read("error" in reading ? text : withNumbersOf(before, reading).text);
  }

  private reschedule(): void {
    const schedule = this.options.page.schedules[Number(this.schedule.value)];
    const now = this.scheduled();
    if (!schedule || !now) return;
    const { average } = this.options.page;
    const text = withSchedule(now, schedule, this.options.steps());
    void this.read(this.average.checked ? withAverage(text, average) : text);
  }

  private toggleAverage(): void {
    void this.read(
      this.average.checked
        ? withAverage(this.reading.text, this.options.page.average)
        : this.bare(),
    );
  }
}

/** The last value of a curve. */
function lastOf(run: Run, name: string, method: number): number {
  return arrayOf(run, name, method).data.at(-1) ?? Number.NaN;
}

/** A short piece of the method's line. */
function swatch(i: number): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "lo-swatch");
  svg.setAttribute("viewBox", "0 0 36 10");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [name, value] of Object.entries({ x1: "1", y1: "5", x2: "35", y2: "5" }))
    line.setAttribute(name, value);
  line.setAttribute("class", `lo-stroke-${i}`);
  svg.append(line);
  return svg;
}
