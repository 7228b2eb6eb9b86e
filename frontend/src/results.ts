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
  private readonly name = element("span", { class: "lo-name" });
  private readonly meaning = element("span", { class: "lo-meaning" });
  private readonly symptom = element("p", { class: "lo-symptom" }, this.name, this.meaning);
  private readonly list = element("dl");
  private values: HTMLElement[] = [];
  private names = "";

  constructor() {
    this.element = element("div", { class: "lo-results" }, this.symptom, this.list);
  }

  show(result: MethodResult, loss: number, averageLoss: number): void {
    const { symptom, diverged_at } = result;
    const isWrong = diverged_at !== null || symptom?.name === "diverging";
    this.symptom.classList.toggle("lo-is-wrong", isWrong);
    write(this.name, symptom ? `diagnose: ${symptom.name}` : "");
    write(this.meaning, symptom?.text ?? "");
    const facts = factsOf(result, loss, averageLoss);
    const names = facts.map(({ name }) => name).join();
    if (names !== this.names) this.build(facts);
    this.names = names;
    for (const [i, value] of this.values.entries()) {
      const { text = "", reason = "" } = facts[i] ?? {};
      write(value, text);
      if (value.title !== reason) value.title = reason;
    }
  }

  private build(facts: Fact[]): void {
    this.values = facts.map(() => element("dd"));
    const names = facts.map(({ name }) => element("dt", {}, name));
    this.list.replaceChildren(...names.flatMap((name, i) => [name, this.values[i] ?? ""]));
  }
}

/** A number with its name; a reason says why there is none. */
interface Fact {
  name: string;
  text: string;
  reason?: string;
}

function factsOf(result: MethodResult, loss: number, averageLoss: number): Fact[] {
  const { predicted, measured: rate, diverged_at: end, has_average } = result;
  const last = end === null ? measured(loss) : `diverged at step ${end}`;
  const facts: Fact[] = [{ name: "final loss", text: last }];
  if (has_average) facts.push({ name: "final loss, average", text: measured(averageLoss) });
  if (!predicted) return facts;
  const { limit } = predicted;
  return [
    ...facts,
    { name: "rate per step, predicted", text: measured(predicted.rate, 4) },
    {
      name: "rate per step, measured",
      ...numberOr(rate, "too few steps before the end, rounding or divergence"),
    },
    { name: "largest stable learning rate", ...numberOr(limit, "no learning rate is too large") },
  ];
}

function numberOr(value: number | null, reason: string): Omit<Fact, "name"> {
  return value === null ? { text: "–", reason } : { text: measured(value, 4) };
}

function write(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
