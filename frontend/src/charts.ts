// The charts beside the plane, and the buttons that show and hide them.
import { Curves } from "./curves";
import { button, element } from "./dom";
import type { Landscape, ViewName } from "./protocol";
import { RegionChart } from "./region";
import type { Theme } from "./theme";
import type { Drawing, View } from "./view";

const TEXTS: Record<ViewName, { button: string; sentence: string }> = {
  loss: { button: "Loss", sentence: "The loss of all examples after each step." },
  learning_rate: {
    button: "Learning rate",
    sentence: "The learning rate τ that each step used.",
  },
  update: { button: "Update", sentence: "The length |Δθ| of each step." },
  ratio: {
    button: "Update/weight",
    sentence: "The length of each step divided by that of θ. In training, about 0.001 is usual.",
  },
  modes: {
    button: "Directions",
    sentence:
      "The distance to the minimum along each eigenvector of the Hessian: the flat and the steep direction.",
  },
  region: {
    button: "Stability",
    sentence:
      "A method converges where its spectral radius is below 1; one point per eigenvalue λ.",
  },
};

const NAMES = Object.keys(TEXTS) as ViewName[];
const MOST = 3;

interface Chart {
  figure: HTMLElement;
  caption: HTMLElement;
  drawing: Drawing & { setTheme(theme: Theme): void };
  press: HTMLButtonElement;
}

export interface ChartsOptions {
  shown: ViewName[];
  /** Another chart is shown. */
  changed(): void;
  say(sentence: string): void;
  /** The reader points at a step, or at none. */
  onStep(step: number | null): void;
}

/** Owns one figure for each view; up to three are shown. */
export class Charts {
  readonly toggles = element("div", { class: "lo-toggles", role: "group", "aria-label": "Charts" });
  readonly element = element("div", { class: "lo-charts" });
  private shown: ViewName[];
  private landscape: Landscape | null = null;
  private readonly charts = new Map<ViewName, Chart>();

  constructor(private readonly options: ChartsOptions) {
    this.shown = options.shown;
    for (const name of NAMES) this.charts.set(name, this.build(name));
  }

  private build(name: ViewName): Chart {
    const { onStep } = this.options;
    const box = element("div", { class: "lo-drawing" });
    const caption = element("p", { class: "lo-caption" }, TEXTS[name].sentence);
    const figure = element("div", { hidden: true }, box, caption);
    const press = button(TEXTS[name].button, () => this.toggle(name), { "aria-pressed": "false" });
    this.element.append(figure);
    this.toggles.append(press);
    const drawing =
      name === "region" ? new RegionChart(box) : new Curves(box, { quantity: name, onStep });
    return { figure, caption, drawing, press };
  }

  /** Show what makes sense on a landscape. */
  show(landscape: Landscape): void {
    this.landscape = landscape;
    for (const [name, { figure, press }] of this.charts) {
      figure.hidden = !this.isShown(name);
      press.setAttribute("aria-pressed", String(!figure.hidden));
      press.disabled = !isOffered(name, landscape);
    }
  }

  /** The charts that are shown. */
  names(): ViewName[] {
    const { landscape } = this;
    if (!landscape) return [];
    return this.shown.filter((name) => isOffered(name, landscape)).slice(0, MOST);
  }

  isShown(name: ViewName): boolean {
    return this.names().includes(name);
  }

  /** Choose the charts; they appear when the landscape is shown. */
  reveal(names: ViewName[]): void {
    this.shown = names;
  }

  update(view: View): void {
    for (const [name, { drawing, caption }] of this.charts) {
      if (!this.isShown(name)) continue;
      drawing.update(view);
      // a region that does not exist says so itself
      caption.hidden = name === "region" && !view.run?.methods.some(({ predicted }) => predicted?.form);
    }
  }

  setTheme(theme: Theme): void {
    for (const { drawing } of this.charts.values()) drawing.setTheme(theme);
  }

  pictures(): SVGSVGElement[] {
    return [...this.charts].flatMap(([name, { drawing }]) =>
      this.isShown(name) ? drawing.svg : [],
    );
  }

  private toggle(name: ViewName): void {
    const visible = this.names();
    if (visible.length === MOST && !visible.includes(name)) {
      this.options.say(`At most ${MOST} charts are shown. Hide one to show another.`);
      return;
    }
    const others = this.shown.filter((each) => each !== name);
    this.shown = visible.includes(name) ? others : [...others, name];
    if (this.landscape) this.show(this.landscape);
    this.options.changed();
  }
}

/** Whether a chart makes sense on a landscape. */
function isOffered(name: ViewName, { is_quadratic, is_network }: Landscape): boolean {
  if (name === "region") return is_quadratic;
  return name !== "modes" || !is_network;
}
