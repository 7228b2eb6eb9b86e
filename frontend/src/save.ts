// What a reader takes along: a line of Python, a text in the clipboard, a file.
import { python } from "./numbers";
import type { Page, State } from "./protocol";
import { landscapeOf, stateOf } from "./url";

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

/** Let the browser save a file. */
export function saveFile(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
