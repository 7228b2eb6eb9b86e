// What the page asks and what the library answers: lecture_optax/interactive/engine.py.

/** How a slider moves: "decay" is logarithmic in 1 - x, from 0; "log" begins with 0 where low is 0. */
export type Scale = "linear" | "log" | "decay" | "integer" | "log integer";

/** A number with its range; begin and end are its place in the text of an optimizer. */
export interface Handle {
  name: string;
  label: string;
  scale: Scale;
  low: number;
  high: number;
  value: number;
  begin: number;
  end: number;
}

export interface Landscape {
  name: string;
  title: string;
  formula: string;
  box: [number, number, number, number];
  start: [number, number];
  controls: Handle[];
  has_examples: boolean;
  is_quadratic: boolean;
  /** A network: the plane is drawn through the paths, and comes with each run. */
  is_network: boolean;
}

/** Everything that a URL holds. */
export interface State {
  landscape: string;
  controls: Record<string, number>;
  start: [number, number];
  batch: number;
  seed: number;
  steps: number;
  methods: string[];
}

export interface Slide {
  slide: string;
  sentence: string;
  state: State;
  /** The curve that the slide is about. */
  view: ViewName;
}

export type ViewName = "loss" | "learning_rate" | "update" | "ratio" | "modes" | "region";

export interface Page {
  landscapes: Landscape[];
  methods: { title: string; text: string }[];
  /** "{rate}" stands for the learning rate that a schedule replaces. */
  schedules: { title: string; text: string }[];
  average: string;
  slides: Slide[];
  /** The state of an address that has none. */
  first: State;
  /** seed: the largest one, where not every seed can be had. */
  most: { steps: number; methods: number; batch: number; seed?: number };
}

/** A typed optimizer: its normalized text, and a handle for each number in it. */
export interface Reading {
  text: string;
  structure: string;
  title: string;
  handles: Handle[];
}

export interface Refusal {
  error: string;
  /** A newer run of the same page took its place: nothing to show. */
  is_cancelled?: boolean;
}

export interface NumberArray {
  shape: number[];
  data: Float32Array;
}

/** The forms of momentum whose region of stability is drawn. */
export type Form = "heavy ball" | "Nesterov";

/** What the theory predicts for a linear method on a quadratic. */
export interface Prediction {
  /** The spectral radius for each eigenvalue of the Hessian, and the largest: the rate per step. */
  radii: number[];
  rate: number;
  /** The learning rate above which the method diverges here; null if there is none. */
  limit: number | null;
  /** The point (τλ, momentum) of each eigenvalue in the region of this form; null for others. */
  form: Form | null;
  points: [number, number][];
}

export interface MethodResult {
  title: string;
  text: string;
  has_average: boolean;
  diverged_at: number | null;
  /** The factor by which the distance to the minimum changes per step, measured late in the run. */
  measured: number | null;
  predicted: Prediction | null;
  symptom: { name: string; text: string } | null;
}

/**
 * The arrays of method i: path.i and average.i (n+1, 2), loss.i (n+1), learning_rate.i, update.i,
 * ratio.i and batch_loss.i (n), modes.i (n+1, 2): the distance to the minimum along each eigenvector,
 * flat first (not of a network); average.i and average_loss.i (n+1) are θ's without an average.
 */
export interface Run {
  methods: MethodResult[];
  compilations: number;
  milliseconds: number;
  arrays: Record<string, NumberArray>;
  /** The plane of a network's paths. */
  field?: Field;
}

/** The loss on a grid, row by row from the bottom left. */
export interface Field {
  box: [number, number, number, number];
  grid: number;
  minimum: [number, number] | null;
  eigenvalues: number[];
  eigenvectors: [number, number][];
  /** The share of the variance of a network's paths that the plane shows. */
  explained?: number;
  loss: NumberArray;
}

/** Where a form is stable: the spectral radius over τλ (columns) and momentum (rows). */
export interface Region {
  products: number[];
  momenta: number[];
  radius: NumberArray;
}

export interface Progress {
  fraction: number;
  text: string;
}

/** Answers the page: a server, a notebook's kernel, or exported programs. */
export interface Engine {
  page(): Promise<Page>;
  read(text: string): Promise<Reading | Refusal>;
  run(state: State, progress?: (progress: Progress) => void): Promise<Run | Refusal>;
  field(landscape: string, controls: Record<string, number>): Promise<Field | Refusal>;
  region(form: Form): Promise<Region | Refusal>;
  /** Whether a text that is typed may have any structure, or only one of the gallery's. */
  readonly any_text: boolean;
}
