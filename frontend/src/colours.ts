// The colours of the drawings: Okabe and Ito, which readers with any colour vision tell apart.

export type Theme = "light" | "dark";

export interface Palette {
  background: string;
  /** Text and axes; quiet is for what stands behind: ticks, units, reference lines. */
  ink: string;
  quiet: string;
  grid: string;
  /** The plane: where the loss is low, where it is high, and the line between two levels. */
  low: string;
  high: string;
  level: string;
  /** The line of each method, and its text, which needs more contrast. */
  lines: readonly [string, string, string];
  texts: readonly [string, string, string];
}

const PALETTES: Record<Theme, Palette> = {
  light: {
    background: "#ffffff",
    ink: "#1a1a1a",
    quiet: "#595f66",
    grid: "#e4e7ea",
    low: "#ffffff",
    high: "#d3dee8",
    level: "#b4c3d0",
    lines: ["#000000", "#d55e00", "#0072b2"],
    texts: ["#000000", "#a84a00", "#005e94"],
  },
  dark: {
    background: "#14171a",
    ink: "#eceff1",
    quiet: "#a9b0b7",
    grid: "#2c3238",
    low: "#14171a",
    high: "#2e3c49",
    level: "#46586a",
    lines: ["#ffffff", "#f0781e", "#56b4e9"],
    texts: ["#ffffff", "#ff9a4d", "#7cc6f0"],
  },
};

/** The dash of each method, beside its colour: solid, long, dotted. */
export const DASHES = ["none", "8 4", "1.5 4"] as const;

export function palette(theme: Theme): Palette {
  return PALETTES[theme];
}

/** The theme that the reader's system asks for. */
export function preferredTheme(): Theme {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
