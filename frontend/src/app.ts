// The page around the drawings: it holds the state, asks the engine, and draws what it answers.
import { Curves } from "./curves";
import { button, element, freshId, selectOf } from "./dom";
import { latest } from "./latest";
import { Methods } from "./methods";
import { Plane } from "./plane";
import type { Engine, Field, Landscape, Page, Progress, Region, Run, State, ViewName } from "./protocol";
import { RegionChart } from "./region";
import { copyText, pictureOf, pythonOf, saveFile, svgText, pngOf } from "./save";
import { Settings } from "./settings";
import { Slides } from "./slides";
import { type Theme, themeOf, watchTheme } from "./theme";
import { hashOf, stateIn, stateOf } from "./url";
import type { Drawing } from "./view";
import { isOffered, MOST_VIEWS, VIEWS } from "./views";

export interface Options {
  /** The first state; what it leaves out is as on a fresh page. */
  state?: Partial<State>;
  /** Whether the state is written into the address of the page. */
  share: boolean;
  /** Whether room is scarce, as in a cell of a notebook. */
  compact: boolean;
  /** Learns every state that the page takes. */
  changed?: (state: State) => void;
}

export interface Mounted {
  state(): State;
  destroy(): void;
}

type Form = "heavy ball" | "Nesterov";
type Chart = Drawing & { setTheme(theme: Theme): void };

const HASH_MILLISECONDS = 200;
const BUSY_MILLISECONDS = 150;
const MESSAGE_MILLISECONDS = 8000;

/** Build the page in `root`. */
export function mount(root: HTMLElement, engine: Engine, options: Options): Mounted {
  const lab = element("div", { class: `lo-lab${options.compact ? " lo-compact" : ""}` });
  lab.append(element("p", { class: "lo-wait", role: "status" }, "The lab is loading …"));
  root.append(lab);
  let app: App | null = null;
  let isGone = false;
  const begin = (page: Page): void => {
    if (isGone) return;
    app = new App(lab, engine, page, options);
    void app.begin();
  };
  engine.page().then(begin, (error: unknown) => {
    lab.replaceChildren(element("p", { class: "lo-error", role: "alert" }, `The lab cannot load. ${String(error)}`));
  });
  return {
    state: () => {
      if (!app) throw new Error("the lab is still loading: it has no state yet.");
      return app.state;
    },
    destroy: () => {
      isGone = true;
      app?.destroy();
      lab.remove();
    },
  };
}

class App {
  state: State;
  private run: Run | null = null;
  private field: Field | null = null;
  private askedAbout = "";
  private fieldKey = "";
  private regions: Partial<Record<Form, Region>> = {};
  private shown: ViewName[];
  private charts = new Map<ViewName, { figure: HTMLElement; drawing: Chart; press: HTMLButtonElement }>();
  private readonly plane: Plane;
  private readonly methods: Methods;
  private readonly settings: Settings;
  private readonly slides: Slides;
  private readonly select: HTMLSelectElement;
  private readonly formula = element("span", { class: "lo-formula" });
  private readonly caption = element("p", { class: "lo-caption" });
  private readonly message = element("p", { class: "lo-message", role: "status" });
  private readonly failure = element("p", { class: "lo-error lo-failure", role: "alert" });
  private readonly busy = element("span", { class: "lo-busy" });
  private readonly status = element("p", { class: "lo-status" });
  private readonly progress = element("progress", { max: "1", hidden: true, "aria-label": "Progress of the run" });
  private readonly gone = new AbortController();
  private hashTimer = 0;
  private frame = 0;
  private readonly askRun = latest<State>((state) => this.answerRun(state));
  private readonly askField = latest<State>((state) => this.answerField(state));

  constructor(
    private readonly lab: HTMLElement,
    private readonly engine: Engine,
    private readonly page: Page,
    private readonly options: Options,
  ) {
    const say = (sentence: string): void => this.say(sentence);
    this.shown = options.compact ? ["loss"] : ["loss", "region"];
    this.state = this.firstState();
    this.methods = new Methods({
      page,
      engine,
      say,
      changed: (isDrag) => this.change({ methods: this.methods.texts() }, !isDrag),
      steps: () => this.state.steps,
    });
    this.settings = new Settings(page, (part) => this.change(part), say);
    this.slides = new Slides(page.slides, ({ state, view }) => {
      this.reveal(view);
      void this.apply(state, true);
    });
    this.select = selectOf(page.landscapes.map(({ title }) => title), { change: () => this.choose() });
    const planeBox = element("div", { class: "lo-drawing" });
    const charts = this.buildCharts();
    lab.replaceChildren(...this.layout(planeBox, charts));
    this.plane = new Plane(planeBox, { onStart: (x, y) => this.change({ start: [twoDigits(x), twoDigits(y)] }) });
    this.setTheme(themeOf(lab));
    watchTheme(lab, (theme) => this.setTheme(theme), this.gone.signal);
    if (options.share) addEventListener("hashchange", () => this.readHash(), { signal: this.gone.signal });
  }

  async begin(): Promise<void> {
    await this.apply(this.state, false);
  }

  destroy(): void {
    this.gone.abort();
    clearTimeout(this.hashTimer);
    cancelAnimationFrame(this.frame);
  }

  private get landscape(): Landscape {
    const found = this.page.landscapes.find(({ name }) => name === this.state.landscape) ?? this.page.landscapes[0];
    if (!found) throw new Error("the page has no landscape.");
    return found;
  }

  // What is on the page

  private layout(plane: HTMLElement, charts: HTMLElement): HTMLElement[] {
    const selectId = freshId();
    this.select.id = selectId;
    const toggles = element("div", { class: "lo-toggles", role: "group", "aria-label": "Charts" });
    toggles.append(...[...this.charts.values()].map(({ press }) => press));
    const top = element(
      "header",
      { class: "lo-top" },
      element("div", { class: "lo-choice" }, element("label", { for: selectId }, "Landscape"), this.select, this.formula),
      element("div", { class: "lo-actions" }, this.slides.toggle, ...this.saveButtons()),
      this.message,
    );
    const stage = element(
      "div",
      { class: "lo-stage" },
      element(
        "div",
        {},
        section("The path on the landscape", "lo-plane", this.busy, this.progress, plane, this.caption),
        section("Landscape and run", "lo-common", this.settings.element),
      ),
      section("The run, step by step", "lo-curves", toggles, charts),
      this.failure,
    );
    return [
      top,
      this.slides.element,
      stage,
      section("Methods", "lo-all", this.methods.element, this.methods.spoken),
      this.status,
    ];
  }

  private buildCharts(): HTMLElement {
    const box = element("div", { class: "lo-charts" });
    for (const name of Object.keys(VIEWS) as ViewName[]) {
      const drawingBox = element("div", { class: "lo-drawing" });
      const { button: text, sentence } = VIEWS[name];
      const figure = element("figure", { hidden: true }, drawingBox, element("figcaption", { class: "lo-caption" }, sentence));
      box.append(figure);
      const drawing = name === "region" ? new RegionChart(drawingBox) : new Curves(drawingBox, { quantity: name, onStep: (step) => this.plane.showStep(step) });
      const press = button(text, () => this.toggle(name), { "aria-pressed": "false" });
      this.charts.set(name, { figure, drawing, press });
    }
    return box;
  }

  private saveButtons(): HTMLElement[] {
    const buttons = [
      button("Copy Python", () => void this.copy(pythonOf(this.state, this.page), "The line of Python is copied.")),
      button("Save SVG", () => void this.save("svg")),
      button("Save PNG", () => void this.save("png")),
    ];
    const linkCopied = location.search
      ? "The link is copied without your token. Add what stands behind # to the address of any lab that runs."
      : "The link to this state is copied.";
    const link = (): string => location.origin + location.pathname + hashOf(this.state);
    if (this.options.share) {
      buttons.splice(1, 0, button("Copy link", () => void this.copy(link(), linkCopied)));
    }
    return buttons;
  }

  private setTheme(theme: Theme): void {
    for (const { drawing } of this.charts.values()) drawing.setTheme(theme);
    this.plane.setTheme(theme);
  }

  private say(sentence: string): void {
    const line = element("span", {}, sentence);
    this.message.append(line);
    setTimeout(() => line.remove(), MESSAGE_MILLISECONDS);
  }

  // The state, and what changes it

  private firstState(): State {
    if (this.options.share && location.hash.length > 1) {
      const { state, complaints } = stateIn(location.hash, this.page);
      complaints.forEach((sentence) => this.say(sentence));
      return state;
    }
    const wish = { landscape: this.page.first.landscape, ...this.options.state };
    const landscape = this.page.landscapes.find(({ name }) => name === wish.landscape);
    if (!landscape) throw new Error(`the page has no landscape ${wish.landscape}.`);
    const fresh = stateOf(this.page, landscape);
    return { ...fresh, ...wish, controls: { ...fresh.controls, ...wish.controls } };
  }

  /** Change a part of the state, from a control of the page. */
  private change(part: Partial<State>, isChoice = false): void {
    this.state = { ...this.state, ...part };
    this.settings.show(this.state, this.landscape);
    this.ask();
    this.writeHash(isChoice);
    this.options.changed?.(this.state);
  }

  /** Set the whole state: from a slide, an address, or a landscape that was chosen. */
  private async apply(state: State, isChoice: boolean): Promise<void> {
    if (state.landscape !== this.state.landscape) {
      this.run = null;
      this.field = null;
    }
    this.state = state;
    this.select.value = String(this.page.landscapes.indexOf(this.landscape));
    this.formula.textContent = this.landscape.formula;
    this.settings.show(state, this.landscape);
    this.showCharts();
    await this.methods.show(state.methods);
    this.change({ methods: this.methods.texts() }, isChoice);
  }

  private choose(): void {
    const landscape = this.page.landscapes[Number(this.select.value)];
    if (!landscape) return;
    const { steps, batch, seed, methods } = this.state;
    void this.apply({ ...stateOf(this.page, landscape), steps, batch, seed, methods }, true);
  }

  private readHash(): void {
    if (location.hash === hashOf(this.state)) return;
    const { state, complaints } = stateIn(location.hash, this.page);
    complaints.forEach((sentence) => this.say(sentence));
    void this.apply(state, false);
  }

  /** A choice is a step of the history; a drag only changes the address, and not at every move. */
  private writeHash(isChoice: boolean): void {
    if (!this.options.share) return;
    clearTimeout(this.hashTimer);
    const hash = hashOf(this.state);
    if (isChoice && location.hash.length > 1 && hash !== location.hash) history.pushState(null, "", hash);
    else this.hashTimer = setTimeout(() => history.replaceState(null, "", hash), HASH_MILLISECONDS);
  }

  // What the engine is asked

  private ask(): void {
    const { landscape, controls } = this.state;
    const key = JSON.stringify([landscape, controls]);
    if (!this.landscape.is_network && key !== this.fieldKey) this.askField(this.state);
    this.fieldKey = key;
    // a run on another landscape, which may be a network's, is not waited for: the server cancels it
    if (landscape === this.askedAbout) this.askRun(this.state);
    else void this.answerRun(this.state);
    this.askedAbout = landscape;
  }

  private async answerRun(state: State): Promise<void> {
    const timer = setTimeout(() => (this.busy.textContent = "running …"), BUSY_MILLISECONDS);
    const answer = await this.engine.run(state, (progress) => this.showProgress(progress));
    clearTimeout(timer);
    this.showProgress(null);
    const isStale = "error" in answer && answer.is_cancelled === true;
    if (isStale || state.landscape !== this.state.landscape) return;
    this.failure.textContent = "error" in answer ? answer.error : "";
    if ("error" in answer) return;
    this.run = answer;
    if (answer.field) this.field = answer.field;
    this.status.textContent = `compiled programs: ${answer.compilations} · ${duration(answer.milliseconds)}`;
    for (const { predicted } of answer.methods) if (predicted?.form) await this.needRegion(predicted.form);
    this.draw();
  }

  private async answerField(state: State): Promise<void> {
    const answer = await this.engine.field(state.landscape, state.controls);
    if ("error" in answer || state.landscape !== this.state.landscape) return;
    this.field = answer;
    this.draw();
  }

  private async needRegion(form: Form): Promise<void> {
    if (this.regions[form]) return;
    const answer = await this.engine.region(form);
    if (!("error" in answer)) this.regions[form] = answer;
  }

  private showProgress(progress: Progress | null): void {
    this.progress.hidden = progress === null;
    this.progress.value = progress?.fraction ?? 0;
    this.busy.textContent = progress?.text ?? "";
  }

  // What is drawn

  private toggle(name: ViewName): void {
    const isShown = this.visible().includes(name);
    this.shown = isShown ? this.shown.filter((each) => each !== name) : [...this.shown, name];
    while (this.visible().length > MOST_VIEWS) this.shown.splice(this.shown.findIndex((each) => isOffered(each, this.landscape)), 1);
    this.showCharts();
    this.draw();
  }

  private reveal(name: ViewName): void {
    this.shown = name === "loss" ? ["loss", ...this.shown.filter((each) => each !== "loss").slice(0, 1)] : ["loss", name];
  }

  private visible(): ViewName[] {
    return this.shown.filter((name) => isOffered(name, this.landscape));
  }

  private showCharts(): void {
    const visible = this.visible();
    for (const [name, { figure, press }] of this.charts) {
      figure.hidden = !visible.includes(name);
      press.setAttribute("aria-pressed", String(!figure.hidden));
      press.disabled = !isOffered(name, this.landscape);
    }
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      const { state, run, field, regions, landscape } = this;
      const view = { state, landscape, run, field, regions };
      this.plane.showEigen = this.visible().includes("modes");
      this.plane.update(view);
      this.caption.textContent = captionOf(landscape, field);
      for (const { figure, drawing } of this.charts.values()) if (!figure.hidden) drawing.update(view);
      this.methods.report(run);
      this.lab.dataset.drawn = String(Number(this.lab.dataset.drawn ?? 0) + 1);
    });
  }

  // What leaves the page

  private async copy(text: string, done: string): Promise<void> {
    this.say((await copyText(text)) ? done : `The browser refuses to copy. The text is: ${text}`);
  }

  private async save(kind: "svg" | "png"): Promise<void> {
    const charts = this.visible().flatMap((name) => this.charts.get(name)?.drawing.svg ?? []);
    const picture = pictureOf(this.plane.svg, charts, {
      title: titleOf(this.state, this.landscape),
      methods: this.state.methods,
      theme: themeOf(this.lab),
    });
    const name = `lab-${this.state.landscape}.${kind}`;
    const blob = kind === "svg" ? new Blob([svgText(picture)], { type: "image/svg+xml" }) : await pngOf(picture);
    saveFile(blob, name);
    this.say(`The picture is saved as ${name}.`);
  }
}

function section(title: string, name: string, ...children: Node[]): HTMLElement {
  const id = freshId();
  return element("section", { class: name, "aria-labelledby": id }, element("h2", { id }, title), ...children);
}

function titleOf({ controls, steps }: State, { title, controls: handles }: Landscape): string {
  return [title, ...handles.map(({ name, label }) => `${label} ${controls[name]}`), `${steps} steps`].join(", ");
}

function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(1)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Say what the plane shows; that of a network is known when it has run. */
function captionOf({ is_network }: Landscape, field: Field | null): string {
  if (!is_network) return "Each line is the path of θ, step by step. Drag the start, or focus it and press the arrow keys.";
  const share = field?.explained === undefined ? "" : `, ${Math.round(100 * field.explained)} % of their variance`;
  return `Each line is the path of all parameters, seen in the plane in which the paths move most${share}.`;
}

function twoDigits(x: number): number {
  return Number(x.toFixed(2));
}
