// The page around the drawings: it holds the state, asks the engine, and draws what it answers.
import { actionsOf } from "./actions";
import { Charts } from "./charts";
import { element, freshId, selectOf } from "./dom";
import { latest } from "./latest";
import { Methods } from "./methods";
import { Plane } from "./plane";
import type { Engine, Field, Form, Landscape, Page, Progress, Region, Run, State, ViewName } from "./protocol";
import { Settings } from "./settings";
import { Slides } from "./slides";
import { type Theme, themeOf, watchTheme } from "./theme";
import { hashOf, landscapeOf, stateIn, stateOf } from "./url";

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

const HASH_MILLISECONDS = 200;
const BUSY_MILLISECONDS = 150;
const MESSAGE_MILLISECONDS = 8000;
const TOGETHER_MILLISECONDS = 1000;

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
    app.begin();
  };
  engine.page().then(begin, (error: unknown) => {
    const sentence = `The lab cannot load. ${String(error)}`;
    lab.replaceChildren(element("p", { class: "lo-error", role: "alert" }, sentence));
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
  private fieldKey = "";
  private compiled = 0;
  private askedAbout = "";
  private regions: Partial<Record<Form, Region>> = {};

  /** What the page showed when the slides began. */
  private before: { state: State; shown: ViewName[] } | null = null;

  private readonly plane: Plane;
  private readonly charts: Charts;
  private readonly methods: Methods;
  private readonly settings: Settings;
  private readonly slides: Slides;
  private readonly select: HTMLSelectElement;
  private readonly planeBox = element("div", { class: "lo-drawing" });
  private readonly formula = element("span", { class: "lo-formula" });
  private readonly caption = element("p", { class: "lo-caption" });
  private readonly message = element("p", { class: "lo-message", role: "status" });
  private readonly failure = element("p", { class: "lo-error lo-failure", role: "alert" });
  private readonly busy = element("span", { class: "lo-busy" });
  private readonly progress = element("progress", {
    max: "1",
    hidden: true,
    "aria-label": "Progress of the run",
  });
  private readonly status = element("p", { class: "lo-status" });

  private readonly gone = new AbortController();
  private hashTimer = 0;
  private saidAt = 0;
  private turn = 0;
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
    this.state = this.firstState();
    this.plane = new Plane(this.planeBox, {
      onStart: (x, y) => this.change({ start: [hundredth(x), hundredth(y)] }),
    });
    this.charts = new Charts({
      shown: options.compact ? ["loss"] : ["loss", "region"],
      changed: () => this.draw(),
      say,
      onStep: (step) => this.plane.showStep(step),
    });
    this.methods = new Methods({
      page,
      engine,
      say,
      changed: (isDrag) => this.change({ methods: this.methods.texts() }, !isDrag),
      steps: () => this.state.steps,
    });
    this.settings = new Settings(page, (part) => this.change(part));
    this.slides = new Slides({
      slides: page.slides,
      show: ({ state, view }) => {
        this.charts.reveal([...new Set<ViewName>(["loss", view])]);
        void this.apply(state, true);
      },
      opened: () => {
        this.before = { state: this.state, shown: this.charts.names() };
      },
      closed: () => {
        if (!this.before) return;
        this.charts.reveal(this.before.shown);
        void this.apply(this.before.state, true);
      },
    });
    this.select = selectOf(
      page.landscapes.map(({ title }) => title),
      { id: freshId(), change: () => this.choose() },
    );
    lab.replaceChildren(...this.layout());
    this.setTheme(themeOf(lab));
    watchTheme(lab, (theme) => this.setTheme(theme), this.gone.signal);
    const { signal } = this.gone;
    if (options.share) addEventListener("hashchange", () => this.readHash(), { signal });
  }

  begin(): void {
    void this.apply(this.state, false);
  }

  destroy(): void {
    this.gone.abort();
    clearTimeout(this.hashTimer);
    cancelAnimationFrame(this.frame);
  }

  private get landscape(): Landscape {
    return landscapeOf(this.page, this.state.landscape);
  }

  // What is on the page

  private layout(): HTMLElement[] {
    const { plane, charts, slides, lab } = this;
    const actions = actionsOf({
      page: this.page,
      share: this.options.share,
      state: () => this.state,
      pictures: () => [plane.svg, ...charts.pictures()],
      theme: () => themeOf(lab),
      say: (sentence) => this.say(sentence),
    });
    const choice = element(
      "div",
      { class: "lo-choice" },
      element("label", { for: this.select.id }, "Landscape"),
      this.select,
      this.formula,
    );
    const picture = [this.busy, this.progress, this.planeBox, this.caption];
    const left = element(
      "div",
      { class: "lo-left" },
      section("The path on the landscape", "lo-plane", ...picture),
      section("Landscape and run", "lo-common", this.settings.element),
    );
    const right = section("The run, step by step", "lo-curves", charts.toggles, charts.element);
    const { element: cards, spoken } = this.methods;
    return [
      element(
        "header",
        { class: "lo-top" },
        choice,
        element("div", { class: "lo-actions" }, slides.toggle, ...actions),
        this.message,
      ),
      slides.element,
      element("div", { class: "lo-stage" }, left, right, this.failure),
      section("Methods", "lo-all", cards, spoken),
      this.status,
    ];
  }

  private setTheme(theme: Theme): void {
    this.charts.setTheme(theme);
    this.plane.setTheme(theme);
  }

  /** Show a sentence for a while; sentences that come at once stand below each other. */
  private say(sentence: string): void {
    const now = performance.now();
    if (now - this.saidAt > TOGETHER_MILLISECONDS) this.message.replaceChildren();
    this.saidAt = now;
    const line = element("span", {}, sentence);
    this.message.append(line);
    setTimeout(() => line.remove(), MESSAGE_MILLISECONDS);
  }

  // The state, and what changes it

  private firstState(): State {
    if (this.options.share && location.hash.length > 1) return this.stateInAddress();
    const { first } = this.page;
    const wish = { landscape: first.landscape, ...this.options.state };
    const fresh = stateOf(this.page, landscapeOf(this.page, wish.landscape));
    return { ...fresh, ...wish, controls: { ...fresh.controls, ...wish.controls } };
  }

  private stateInAddress(): State {
    const { state, complaints } = stateIn(location.hash, this.page);
    for (const sentence of complaints) this.say(sentence);
    return state;
  }

  /** Change a part of the state, from a control of the page. */
  private change(part: Partial<State>, isChoice = false): void {
    this.state = { ...this.state, ...part };
    if (isChoice) this.lab.classList.add("lo-stale"); // what is drawn is of other methods
    this.settings.show(this.state, this.landscape);
    this.ask();
    this.writeHash(isChoice);
    this.options.changed?.(this.state);
  }

  /** Set the whole state: from a slide, an address, or a landscape that was chosen. */
  private async apply(state: State, isChoice: boolean): Promise<void> {
    if (state.landscape !== this.state.landscape) this.run = this.field = null;
    this.lab.classList.add("lo-stale");
    this.state = state;
    this.select.value = String(this.page.landscapes.indexOf(this.landscape));
    this.formula.textContent = this.landscape.formula;
    this.settings.show(state, this.landscape);
    this.charts.show(this.landscape);
    const turn = ++this.turn;
    await this.methods.show(state.methods);
    if (turn === this.turn) this.change({ methods: this.methods.texts() }, isChoice);
  }

  private choose(): void {
    const landscape = this.page.landscapes[Number(this.select.value)];
    if (!landscape) return;
    const { steps, batch, seed, methods } = this.state;
    void this.apply({ ...stateOf(this.page, landscape), steps, batch, seed, methods }, true);
  }

  private readHash(): void {
    clearTimeout(this.hashTimer); // what waits to be written belongs to another step of the history
    if (location.hash === hashOf(this.state)) return;
    const state = this.stateInAddress();
    this.slides.follow((other) => hashOf(other) === hashOf(state));
    void this.apply(state, false);
  }

  /** A choice is a step of the history; a drag only changes the address, and not at every move. */
  private writeHash(isChoice: boolean): void {
    if (!this.options.share) return;
    clearTimeout(this.hashTimer);
    const hash = hashOf(this.state);
    const isStep = isChoice && location.hash.length > 1 && hash !== location.hash;
    if (isStep) history.pushState(null, "", hash);
    else this.hashTimer = setTimeout(() => history.replaceState(null, "", hash), HASH_MILLISECONDS);
  }

  // What the engine is asked

  private ask(): void {
    const { landscape, controls } = this.state;
    const key = JSON.stringify([landscape, controls]);
    if (!this.landscape.is_network && key !== this.fieldKey) this.askField(this.state);
    this.fieldKey = key;
    // a run on another landscape, which may be a network's, is not waited for: the server cancels it
    this.askRun(this.state, landscape !== this.askedAbout);
    this.askedAbout = landscape;
  }

  private async answerRun(state: State): Promise<void> {
    const timer = setTimeout(() => (this.busy.textContent = "running …"), BUSY_MILLISECONDS);
    const answer = await this.engine.run(state, (progress) => {
      clearTimeout(timer);
      this.showProgress(progress);
    });
    clearTimeout(timer);
    this.showProgress(null);
    const isStale = "error" in answer && answer.is_cancelled === true;
    if (isStale || state.landscape !== this.state.landscape) return;
    this.lab.classList.toggle("lo-stale", "error" in answer);
    this.failure.textContent = "error" in answer ? answer.error : "";
    if ("error" in answer) return;
    this.run = answer;
    if (answer.field) this.field = answer.field;
    this.status.textContent = statusOf(answer, answer.compilations - this.compiled);
    this.compiled = answer.compilations;
    for (const { predicted } of answer.methods) {
      if (predicted?.form) await this.needRegion(predicted.form);
    }
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

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      const { state, run, field, regions, landscape, lab } = this;
      const view = { state, landscape, run, field, regions };
      this.plane.showEigen = this.charts.isShown("modes");
      this.plane.update(view);
      this.charts.update(view);
      this.caption.textContent = captionOf(landscape, field);
      if (run) this.methods.report(run);
      lab.dataset.drawn = String(Number(lab.dataset.drawn ?? 0) + 1); // tests wait for it
    });
  }
}

function section(title: string, name: string, ...children: Node[]): HTMLElement {
  const id = freshId();
  const heading = element("h2", { id }, title);
  return element("section", { class: name, "aria-labelledby": id }, heading, ...children);
}

/** Say what the run needed; `fresh` programs were compiled for it. */
function statusOf({ compilations, milliseconds }: Run, fresh: number): string {
  const programs = `${compilations} program${compilations === 1 ? "" : "s"} compiled`;
  return `${programs}, ${fresh > 0 ? fresh : "none"} for this run · ${duration(milliseconds)}`;
}

function duration(milliseconds: number): string {
  return milliseconds < 1000
    ? `${milliseconds.toFixed(1)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Say what the plane shows; that of a network is known when it has run. */
function captionOf({ is_network }: Landscape, field: Field | null): string {
  if (!is_network) {
    return "Each line is the path of θ, step by step. Drag the start.";
  }
  const share = field?.explained;
  const percent = share === undefined ? "" : `, ${Math.round(100 * share)} % of their variance`;
  return `Each line is the path of all parameters, seen in the plane in which the paths move most${percent}.`;
}

function hundredth(x: number): number {
  return Number(x.toFixed(2));
}
