// The engine of a page without a server: it runs programs that the library exported.
import type { Programs, Structure } from "./programs";
import type { Engine, Field, Form, Handle, Landscape, MethodResult, NumberArray, Page, Reading, Refusal, Region, Run, State } from "./protocol";
import { measuredRate, predictionOf } from "./readings";
import { NUMBER, shapeOf } from "./wrapping";

const ONLY = "This page has the optimizers of its gallery. `lecture-optax lab` runs any text.";

type Curves = Record<string, NumberArray>;

interface Method {
  text: string;
  structure: Structure;
  numbers: number[];
}

/** Runs the programs of a page. */
export class StaticEngine implements Engine {
  readonly any_text = false;
  private readonly fields = new Last<Promise<Field>>();
  private readonly weights = new Last<NumberInput>();

  constructor(private readonly loading: Promise<Programs>) {}

  async page(): Promise<Page> {
    return (await this.loading).contents.page;
  }

  async read(text: string): Promise<Reading | Refusal> {
    return readingOf(text, await this.loading);
  }

  async run(state: State): Promise<Run | Refusal> {
    const programs = await this.loading;
    const most = programs.contents.page.most.steps;
    if (state.steps > most) return { error: `This page runs at most ${most} steps. \`lecture-optax lab\` runs more.` };
    const { landscape, batch, seed, steps } = state;
    const weights = landscapeOf(programs, landscape).has_examples
      ? this.weights.get(`${batch} ${seed} ${steps}`, () => weightsOf(programs, state))
      : list([]);
    return new Answer(programs, state, await this.field(landscape, state.controls), weights).run();
  }

  async field(landscape: string, controls: Record<string, number>): Promise<Field> {
    const programs = await this.loading;
    return this.fields.get(JSON.stringify([landscape, controls]), () => fieldOf(programs, landscape, controls));
  }

  async region(form: Form): Promise<Region> {
    return regionOf(await this.loading, form);
  }
}

/** Remembers what was made last: dragging one number leaves the others as they are. */
class Last<T> {
  private known: { key: string; value: T } | null = null;

  get(key: string, make: () => T): T {
    if (this.known?.key !== key) this.known = { key, value: make() };
    return this.known.value;
  }
}

/** Read a text that has the structure of an exported one. */
function readingOf(typed: string, { contents }: Programs): Reading | Refusal {
  const text = normalized(typed);
  const structure = shapeOf(text);
  const known = contents.structures[structure];
  if (!known) return { error: ONLY };
  const handles = [...text.matchAll(NUMBER)].map((match, i): Handle => {
    const value = Number(match[0]);
    const handle = known.handles[i];
    if (!handle) throw new Error(`${structure} has more numbers than handles.`);
    const [low, high] = [Math.min(handle.low, value), Math.max(handle.high, value)];
    return { ...handle, low, high, value, begin: match.index, end: match.index + match[0].length };
  });
  const wrong = known.handles.map((handle, i) => complaint(handle, handles[i]?.value ?? NaN)).find(Boolean);
  return wrong ? { error: wrong } : { text, structure, title: known.title, handles };
}

/** Write a text as the library does: `lo.` in front of a name, one space behind a comma. */
function normalized(text: string): string {
  return text
    .trim()
    .replace(/\s*([(),=[\]])\s*/g, "$1")
    .replaceAll(",", ", ")
    .replace(/(?<![\w.])(?!lo\.|optax\.)(?=[A-Za-z_][\w.]*\()/g, "lo.")
    .replace(/(?<![\w.])(-?)\.(?=\d)/g, "$10.");
}

/** Say what is wrong with a number, or nothing. */
function complaint({ name, scale, low }: Handle, value: number): string {
  if (scale === "decay" && !(value >= 0 && value < 1)) return `${name} must be in [0, 1), got ${value}.`;
  if (scale.includes("integer") && !Number.isInteger(value)) return `${name} must be an integer, got ${value}.`;
  if (low >= 0 && !(value >= 0)) return `${name} must be >= 0, got ${value}.`;
  return "";
}

/** The answer to one run. */
class Answer {
  private readonly landscape: Landscape;
  private readonly controls: NumberInput;
  private readonly most: number;

  constructor(
    private readonly programs: Programs,
    private readonly state: State,
    private readonly field: Field,
    private readonly weights: NumberInput,
  ) {
    const { page } = programs.contents;
    this.landscape = landscapeOf(programs, state.landscape);
    this.controls = list(this.landscape.controls.map(({ name, value }) => state.controls[name] ?? value));
    this.most = page.most.steps;
  }

  async run(): Promise<Run | Refusal> {
    const begin = performance.now();
    const { programs, state } = this;
    const methods: MethodResult[] = [];
    const arrays: Curves = {};
    for (const [i, text] of state.methods.entries()) {
      const reading = readingOf(text, programs);
      if ("error" in reading) return reading;
      const { curves, result } = await this.runOf(methodOf(reading, programs));
      methods.push(result);
      for (const [name, array] of Object.entries(curves)) arrays[`${name}.${i}`] = array;
    }
    return { methods, arrays, compilations: programs.ready, milliseconds: performance.now() - begin };
  }

  private async runOf(method: Method): Promise<{ curves: Curves; result: MethodResult }> {
    const { structure, text } = method;
    const { field, state } = this;
    const { steps } = state;
    const { own, rate, eta } = parts(method);
    const rates = await this.rates(structure, rate);
    const path = await this.path(structure, own, rates);
    const [loss, update, ratio, modes] = await this.record(path);
    const average = eta === null ? path : await this.average(path, eta);
    const averageLoss = eta === null ? loss : (await this.record(average))[0];
    const lost = firstNotFinite(loss, steps);
    const curves = {
      path: cut(path, steps + 1, 2),
      average: cut(average, steps + 1, 2),
      loss: cut(loss, steps + 1),
      average_loss: cut(averageLoss, steps + 1),
      learning_rate: cut(rates, steps),
      update: cut(update, steps),
      ratio: cut(ratio, steps),
      modes: cut(modes, steps + 1, 2),
    };
    const { page, lowest } = this.programs.contents;
    const isNoisy = this.landscape.has_examples && state.batch < page.most.batch;
    const result: MethodResult = {
      title: structure.title,
      text,
      has_average: structure.has_average,
      diverged_at: lost,
      measured: isNoisy
        ? null
        : measuredRate(curves.path.data, curves.loss.data, field, this.landscape.has_examples, lowest[this.landscape.name] ?? null),
      predicted: this.landscape.is_quadratic ? predictionOf(structure, method.numbers, field.eigenvalues) : null,
      symptom: null, // `diagnose` is not exported
    };
    return { curves, result };
  }

  /** Return the learning rate of each step. */
  private async rates({ schedule }: Structure, numbers: number[]): Promise<Float32Array> {
    if (schedule === null) return new Float32Array(this.most).fill(numbers[0] ?? NaN);
    return first(await this.programs.run(`rates ${schedule}`, { numbers: list(numbers) }));
  }

  /** Return θ(0), ..., θ(n), and 0 behind. */
  private async path({ method }: Structure, numbers: number[], rates: Float32Array): Promise<Float32Array> {
    const { start, steps } = this.state;
    const path = new Float32Array(2 * (this.most + 1));
    path.set(start);
    const inputs = { numbers: list(numbers), rates: list(rates), controls: this.controls, start: list(start) };
    const name = `path ${this.landscape.name} ${method}`;
    path.set(first(await this.programs.run(name, { ...inputs, weights: this.weights, steps })), 2);
    return path;
  }

  /** Return the loss, the length of each step, its ratio to θ, and the distances to the minimum. */
  private async record(path: Float32Array): Promise<[Float32Array, Float32Array, Float32Array, Float32Array]> {
    const inputs = { path: { data: path, shape: [this.most + 1, 2] }, controls: this.controls };
    const [loss, update, ratio, modes] = await this.programs.run(`record ${this.landscape.name}`, inputs);
    if (!loss || !update || !ratio || !modes) throw new Error("a record has four parts.");
    return [loss, update, ratio, modes];
  }

  private async average(path: Float32Array, eta: number): Promise<Float32Array> {
    const inputs = { eta: list([eta]), path: { data: path, shape: [this.most + 1, 2] }, steps: this.state.steps };
    const average = Float32Array.from(path);
    average.set(first(await this.programs.run("average", inputs)), 2);
    return average;
  }

}

/** Return the weight of each example in each step: 1/n for those of its batch. */
function weightsOf(programs: Programs, { batch, seed, steps }: State): NumberInput {
  const { batch: all, steps: most } = programs.contents.page.most;
  const weights = new Float32Array(most * all);
  const order = programs.bytes(`orders ${seed}`);
  for (let k = 0; k < steps; k++) {
    for (let j = 0; j < batch; j++) weights[k * all + (order[k * all + j] ?? 0)] = 1 / batch;
  }
  return { data: weights, shape: [most, all] };
}

function methodOf({ text, structure, handles }: Reading, { contents }: Programs): Method {
  const known = contents.structures[structure];
  if (!known) throw new Error(ONLY);
  return { text, structure: known, numbers: handles.map(({ value }) => value) };
}

/** Return the numbers of the method itself, of its learning rate and of its average. */
function parts({ structure, numbers }: Method): { own: number[]; rate: number[]; eta: number | null } {
  const { schedule, rate: begin, has_average } = structure;
  const inside = has_average ? numbers.slice(0, -1) : numbers;
  const end = begin + (schedule === null ? 1 : schedule.split("#").length - 1);
  const own = [...inside.slice(0, begin), ...inside.slice(end)];
  return { own, rate: inside.slice(begin, end), eta: has_average ? (numbers.at(-1) ?? null) : null };
}

async function fieldOf(programs: Programs, name: string, controls: Record<string, number>): Promise<Field> {
  const landscape = landscapeOf(programs, name);
  const { grid } = programs.contents;
  const values = list(landscape.controls.map((control) => controls[control.name] ?? control.value));
  const [loss, minimum, eigenvalues, v] = await programs.run(`field ${name}`, { controls: values });
  if (!loss || !minimum || !eigenvalues || !v) throw new Error("a field has four parts.");
  const [a = 0, b = 0, c = 0, d = 0] = v;
  return {
    box: landscape.box,
    grid,
    minimum: [minimum[0] ?? 0, minimum[1] ?? 0],
    eigenvalues: [...eigenvalues],
    eigenvectors: [
      [a, c],
      [b, d],
    ],
    loss: { shape: [grid, grid], data: loss },
  };
}

async function regionOf(programs: Programs, form: Form): Promise<Region> {
  const { products, momenta } = programs.contents;
  const data = new Float32Array(programs.bytes(`region ${form}`).slice().buffer);
  return { products, momenta, radius: { shape: [momenta.length, products.length], data } };
}

function landscapeOf({ contents }: Programs, name: string): Landscape {
  const found = contents.page.landscapes.find((each) => each.name === name);
  if (!found) throw new Error(`this page has no landscape ${name}.`);
  return found;
}

type NumberInput = { data: ArrayLike<number>; shape: number[] };

function list(data: ArrayLike<number>): NumberInput {
  return { data, shape: [data.length] };
}

function first(outputs: Float32Array[]): Float32Array {
  if (!outputs[0]) throw new Error("a program has at least one output.");
  return outputs[0];
}

/** Return the first rows of an array with this many columns. */
function cut(data: Float32Array, rows: number, columns = 0): NumberArray {
  if (!columns) return { shape: [rows], data: data.subarray(0, rows) };
  return { shape: [rows, columns], data: data.subarray(0, rows * columns) };
}

function firstNotFinite(losses: Float32Array, steps: number): number | null {
  for (let k = 0; k <= steps; k++) if (!Number.isFinite(losses[k])) return k;
  return null;
}
