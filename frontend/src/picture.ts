// The plane and the charts as one picture that needs nothing else.
import { palette } from "./colours";
import { textWidth, wrapped } from "./labels";
import type { Theme } from "./theme";

const SVG = "http://www.w3.org/2000/svg";
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const MARGIN = 24;
const LINE = 20;
const PIXELS = 2;
/** The size of the letters that `textWidth` measures. */
const MEASURED = 13;
/** How much wider bold letters are. */
const BOLD = 1.2;

export interface PictureTexts {
  title: string;
  methods: string[];
  theme: Theme;
}

/** Return one picture: the plane on the left, the charts on the right, the methods above. */
export function pictureOf(
  plane: SVGSVGElement,
  charts: SVGSVGElement[],
  { title, methods, theme }: PictureTexts,
): SVGSVGElement {
  const { background, ink, texts: colours } = palette(theme);
  const left = sizeOf(plane);
  const sizes = charts.map(sizeOf);
  const right = Math.max(-MARGIN, ...sizes.map((size) => size.width));
  const width = 3 * MARGIN + left.width + right;
  const picture = document.createElementNS(SVG, "svg");
  const paper = append(picture, "rect", { width, fill: background });

  let y = MARGIN + 12 - LINE;
  const lines = (text: string, size: number, looks: Attributes): void => {
    const letter = (textWidth(text) / text.length) * (size / MEASURED) * (looks["font-weight"] ? BOLD : 1);
    for (const line of wrapped(text, Math.floor((width - 3 * MARGIN) / letter))) {
      y += LINE;
      append(picture, "text", { x: MARGIN, y, "font-size": size, ...looks }, line);
    }
  };
  lines(title, 16, { fill: ink, "font-weight": 600 });
  for (const [i, method] of methods.entries()) lines(method, 13, { fill: colours[i] ?? ink });

  const top = y + MARGIN;
  picture.append(placed(plane, MARGIN, top));
  y = top;
  for (const [i, chart] of charts.entries()) {
    picture.append(placed(chart, 2 * MARGIN + left.width, y));
    y += (sizes[i]?.height ?? 0) + MARGIN;
  }
  const height = Math.max(top + left.height + MARGIN, y);
  paper.setAttribute("height", String(height));
  write(picture, { xmlns: SVG, viewBox: `0 0 ${width} ${height}`, width, height });
  picture.setAttribute("font-family", FONT);
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

type Attributes = Record<string, string | number>;

function append(
  picture: SVGSVGElement,
  tag: "rect" | "text",
  attributes: Attributes,
  text = "",
): SVGElement {
  const node = document.createElementNS(SVG, tag);
  write(node, attributes);
  node.textContent = text;
  picture.append(node);
  return node;
}

function write(node: SVGElement, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
}
