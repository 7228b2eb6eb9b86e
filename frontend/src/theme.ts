// Light or dark: what the page around says, or else what the reader's system asks for.
import { preferredTheme, type Theme } from "./colours";

export type { Theme };

/** Return the theme of an element of the lab: style.css writes it as its colour scheme. */
export function themeOf(lab: HTMLElement): Theme {
  const scheme = getComputedStyle(lab).colorScheme;
  return scheme === "light" || scheme === "dark" ? scheme : preferredTheme();
}

/** Call `change` when the theme becomes another one, until the signal. */
export function watchTheme(
  lab: HTMLElement,
  change: (theme: Theme) => void,
  signal: AbortSignal,
): void {
  const look = (): void => change(themeOf(lab));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look, { signal });
  const observer = new MutationObserver(look);
  for (const parent of [document.documentElement, document.body]) {
    observer.observe(parent, { attributeFilter: ["class", "data-theme", "data-jp-theme-light"] });
  }
  signal.addEventListener("abort", () => observer.disconnect());
}
