// What a reader takes along: a line of Python, a link, a picture.
import { palette } from "./colours";
import { python } from "./numbers";
import type { Page, State } from "./protocol";
import type { Theme } from "./theme";
import { landscapeOf, stateOf } from "./url";

const SVG = "http://www.w3.org/2000/svg";
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const MARGIN = 24;
const PIXELS = 2;

/** Write the line of Python that shows a state; what it leaves out is the default. */
export function pythonOf(state: State, page: Page): string {
  const landscape = landscapeOf(page, state.landscape);
  const usual = stateOf(page, landscape);
  const hasExamples = landscape.has_examples || landscape.is_network;
  const parts = state.methods.map((text) => JSON.stringify(text));
  if (landscape.name !== page.first.landscape) parts.push(`landscape="${landscape.name}"`);
  for (const [name, value] of Object.entries(state.controls)) {
    if (value !== usual.controls[name]) parts.push(`${name}=${python(value)}`);
  }
  const start = state.start.map(python).join(", ");
  if (!landscape.is_network && start !== usual.start.map(python).join(", "))
    parts.push(`start=(${start})`);
  if (state.steps !== usual.steps) parts.push(`steps=${state.steps}`);
  if (hasExamples && state.batch !== usual.batch) parts.push(`batch=${state.batch}`);
  if (hasExamples && state.seed !== usual.seed) parts.push(`seed=${state.seed}`);
  return `lo.lab(${parts.join(", ")})`;
}

/** Copy a text; return whether the browser allowed it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

export interface PictureTexts {
  title: string;
  methods: string[];
  theme: Theme;
}

/** Return one picture: the plane on the left, the charts on the right, the methods as its title. */
export function pictureOf(
  plane: SVGSVGElement,
  charts: SVGSVGElement[],
  texts: PictureTexts,
): SVGSVGElement {
  const { background, texts: colours, ink } = palette(texts.theme);
  const picture = document.createElementNS(SVG, "svg");
  const lines = [texts.title, ...texts.methods];
  const top = MARGIN + 20 * lines.length + 16;
  const left = sizeOf(plane);
  const right = charts.map(sizeOf);
  const width = 3 * MARGIN + left.width + Math.max(0, ...right.map((size) => size.width));
  const height =
    top +
    MARGIN +
    Math.max(
      left.height,
      right.reduce((sum, size) => sum + size.height + MARGIN, -MARGIN),
    );
  write(picture, {
    xmlns: SVG,
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    "font-family": FONT,
  });
  const paper = document.createElementNS(SVG, "rect");
  write(paper, { width, height, fill: background });
  picture.append(paper);
  for (const [i, line] of lines.entries()) {
    const text = document.createElementNS(SVG, "text");
    write(text, {
      x: MARGIN,
      y: MARGIN + 12 + 20 * i,
      "font-size": i ? 13 : 16,
      "font-weight": i ? 400 : 600,
    });
    text.setAttribute("fill", i ? (colours[(i - 1) % colours.length] ?? ink) : ink);
    text.textContent = line;
    picture.append(text);
  }
  picture.append(placed(plane, MARGIN, top));
  let y = top;
  for (const [i, chart] of charts.entries()) {
    picture.append(placed(chart, 2 * MARGIN + left.width, y));
    y += (right[i]?.height ?? 0) + MARGIN;
  }
  return picture;
}

/** Return a picture as the text of a file. */
export function svgText(picture: SVGSVGElement): string {
  return new XMLSerializer().serializeToString(picture);
}

/** Return a picture as PNG, with two pixels for each unit. */
export async function pngOf(picture: SVGSVGElement): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(picture))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = PIXELS * image.width;
  canvas.height = PIXELS * image.height;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new Error("the browser cannot write PNG.")),
    ),
  );
}

/** Let the browser save a file. */
export function saveFile(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function sizeOf(svg: SVGSVGElement): { width: number; height: number } {
  const { width, height } = svg.viewBox.baseVal;
  return { width, height };
}

function placed(svg: SVGSVGElement, x: number, y: number): SVGSVGElement {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  write(copy, { x, y, ...sizeOf(svg), "font-family": FONT });
  copy.removeAttribute("style");
  return copy;
}

function write(node: SVGElement, attributes: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
}
