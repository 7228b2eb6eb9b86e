// What the run of a method shows, in words and numbers.
import { element } from "./dom";
import { measured } from "./numbers";
import type { MethodResult } from "./protocol";

/**
 * Owns the results of one method.
 *
 * The number of lines depends on the landscape and the form of the method only: a slider must not
 * move while it is dragged. Only what differs is written: every other change costs a layout.
 */
export class Results {
  readonly element: HTMLElement;
  private readonly symptom = element("p", { class: "lo-symptom" });
  private readonly list = element("dl");
  private values: HTMLElement[] = [];
  private names = "";

  constructor() {
    this.element = element("div", { class: "lo-results" }, this.symptom, this.list);
  }

  show(result: MethodResult, loss: number): void {
    const { symptom, diverged_at } = result;
    const isWrong = diverged_at !== null || symptom?.name === "diverging";
    this.symptom.classList.toggle("lo-is-wrong", isWrong);
    write(this.symptom, symptom?.text ?? "");
    const facts = factsOf(result, loss);
    const names = facts.map(([name]) => name).join();
    if (names !== this.names) this.build(facts);
    this.names = names;
    for (const [i, value] of this.values.entries()) write(value, facts[i]?.[1] ?? "");
  }

  private build(facts: [string, string][]): void {
    this.values = facts.map(() => element("dd"));
    const names = facts.map(([name]) => element("dt", {}, name));
    this.list.replaceChildren(...names.flatMap((name, i) => [name, this.values[i] ?? ""]));
  }
}

function factsOf(result: MethodResult, loss: number): [string, string][] {
  const { predicted, measured: rate, diverged_at: end } = result;
  const last = end === null ? measured(loss) : `diverged at step ${end}`;
  if (!predicted) return [["final loss", last]];
  const { limit } = predicted;
  return [
    ["final loss", last],
    ["rate per step, predicted", measured(predicted.rate, 4)],
    ["rate per step, measured", rate === null ? "–" : measured(rate, 4)],
    ["largest stable learning rate", limit === null ? "–" : measured(limit, 4)],
  ];
}

function write(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
