// Momentum on a quadratic: where a form is stable, and how fast a step contracts.
import type { Form } from "./protocol";

/** The largest stable τλ. */
export function edgeAt(form: Form, momentum: number): number {
  const heavyBall = 2 * (1 + momentum);
  return form === "heavy ball" ? heavyBall : heavyBall / (1 + 2 * momentum);
}

/**
 * The spectral radius of a step: the larger root of z² - t z + d, with
 *
 *     t = 1 + μ - τλ,        d = μ              heavy ball
 *     t = (1 + μ)(1 - τλ),   d = μ (1 - τλ)     Nesterov
 */
export function radiusAt(form: Form, product: number, μ: number): number {
  const t = form === "heavy ball" ? 1 + μ - product : (1 + μ) * (1 - product);
  const d = form === "heavy ball" ? μ : μ * (1 - product);
  const square = t * t - 4 * d;
  return square < 0 ? Math.sqrt(d) : (Math.abs(t) + Math.sqrt(square)) / 2;
}
