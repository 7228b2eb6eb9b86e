// The buttons by which a state leaves the page.
import { button } from "./dom";
import { pictureOf, pngOf, svgText } from "./picture";
import type { Page, State } from "./protocol";
import { copyText, pythonOf, saveFile } from "./save";
import type { Theme } from "./theme";
import { hashOf, landscapeOf } from "./url";

export interface ActionsOptions {
  page: Page;
  /** Whether the page has an address that holds its state. */
  share: boolean;
  state(): State;
  /** The plane, and the charts that are shown. */
  pictures(): [SVGSVGElement, ...SVGSVGElement[]];
  theme(): Theme;
  say(sentence: string): void;
}

/** Return the buttons; each says what it has done. */
export function actionsOf(options: ActionsOptions): HTMLButtonElement[] {
  const { page, share, state, say } = options;
  const python = (): string => pythonOf(state(), page);
  const buttons = [
    button("Copy Python", () => void copy(python(), "The line of Python is copied.", say)),
    button("Save SVG", () => void save("svg", options)),
    button("Save PNG", () => void save("png", options)),
  ];
  if (share)
    buttons.splice(
      1,
      0,
      button("Copy link", () => void copyLink(state(), say)),
    );
  return buttons;
}

/** Copy the address of a state without the token of a server. */
function copyLink(state: State, say: (sentence: string) => void): Promise<void> {
  const done = location.search
    ? "The link is copied without your token. It opens in this browser while the lab runs; " +
      "elsewhere, add what stands behind # to the address of a lab."
    : "The link to this state is copied.";
  return copy(location.href.replace(/[?#].*/, "") + hashOf(state), done, say);
}

async function copy(text: string, done: string, say: (sentence: string) => void): Promise<void> {
  say((await copyText(text)) ? done : `The browser refuses to copy. The text is: ${text}`);
}

async function save(kind: "svg" | "png", options: ActionsOptions): Promise<void> {
  const { page, state, pictures, theme, say } = options;
  const [plane, ...charts] = pictures();
  const { methods } = state();
  const picture = pictureOf(plane, charts, {
    title: titleOf(state(), page),
    methods,
    theme: theme(),
  });
  const blob =
    kind === "svg" ? new Blob([svgText(picture)], { type: "image/svg+xml" }) : await pngOf(picture);
  const name = `lab-${state().landscape}.${kind}`;
  saveFile(blob, name);
  say(`The picture is saved as ${name}.`);
}

/** Write what the picture shows: Quadratic, condition number κ = 100, rotation = 30, 200 steps. */
function titleOf(state: State, page: Page): string {
  const { title, controls, has_examples } = landscapeOf(page, state.landscape);
  const numbers = controls.map(
    ({ name, label }) => `${label.split(",")[0]} = ${state.controls[name]}`,
  );
  const examples = has_examples ? [`batch size ${state.batch}`, `seed ${state.seed}`] : [];
  return [title, ...numbers, `${state.steps} steps`, ...examples].join(", ");
}
