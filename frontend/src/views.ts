// The charts beside the landscape: which one is asked for, and what it shows.
import type { Landscape, ViewName } from "./protocol";

export interface ViewText {
  button: string;
  sentence: string;
}

export const VIEWS: Record<ViewName, ViewText> = {
  loss: { button: "Loss", sentence: "The loss of all examples after each step." },
  learning_rate: { button: "Learning rate", sentence: "The learning rate τ that each step used." },
  update: { button: "Update", sentence: "The length |Δθ| of each step." },
  ratio: {
    button: "Update/weight",
    sentence: "The length of each step divided by that of θ. In training, about 0.001 is usual.",
  },
  modes: {
    button: "Directions",
    sentence: "The distance to the minimum along each eigenvector of the Hessian: the flat and the steep direction.",
  },
  region: {
    button: "Stability",
    sentence:
      "A method converges where its spectral radius is below 1. One point for each eigenvalue λ, at τλ and momentum μ.",
  },
};

export const MOST_VIEWS = 3;

/** Whether a chart makes sense on a landscape. */
export function isOffered(view: ViewName, { is_quadratic, is_network }: Landscape): boolean {
  if (view === "region") return is_quadratic;
  return view !== "modes" || !is_network;
}
