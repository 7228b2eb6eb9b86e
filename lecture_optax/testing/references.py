"""The formula of each method in float64 NumPy, as a reference that shares no code with it.

Each takes gradients g and parameters θ of shape (steps, entries), and hyperparameters by name, and
gives the updates of all steps. Nothing of the library is in it, and nothing of JAX: where the two
differ, one of them is wrong. Arithmetic is over all steps at once; k is the column 1, 2, ..., and
what may move, a number or a function of k = 0, 1, ..., is a column too. Where a denominator is 0,
D is 0. `literal_adam` is Adam as the slide has it, word for word.

```python
>>> import numpy as np
>>> from lecture_optax.testing import references
>>> references.sgd(np.ones((3, 1)), learning_rate=0.5, momentum=0.5).ravel().tolist()
[-0.5, -0.75, -0.875]

```
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def average_iterates(g, params=None, *, eta):
    """Return g: an average of iterates does not change the step."""
    return g


def centred(g, params=None):
    """g less its mean."""
    return g - g.mean(axis=1, keepdims=True)


def trace(g, params=None, *, decay):
    """v(k+1) = α(k) v(k) + g(k)."""
    return _recursion(lambda v, alpha, g: alpha * v + g, 0, _column(decay, g), g)


def nesterov_trace(g, params=None, *, decay):
    """v(k+1) = μ(k-1) v(k) + g(k); what leaves is g(k) + μ(k) v(k+1)."""
    mu = _column(decay, g)
    mu_before = np.concatenate([[[0]], mu[:-1]])
    return g + mu * _recursion(lambda v, mu, g: mu * v + g, 0, mu_before, g)


def optimized_trace(g, params=None, *, total_steps):
    """Return OGM's steps at L = 1, as published: y(k+1) = x(k) - g(k), x(k+1) from y and x."""
    t, x, y, steps = 1, 0, 0, []
    for k, gradient in enumerate(g, start=1):
        t_next = (1 + np.sqrt(1 + (8 if k == total_steps else 4) * t**2)) / 2
        y_next = x - gradient
        x_next = y_next + (t - 1) / t_next * (y_next - y) + t / t_next * (y_next - x)
        steps.append(x - x_next)
        t, x, y = (1 + np.sqrt(1 + 4 * t**2)) / 2, x_next, y_next
    return np.array(steps)


def condition_of_optimized_trace(g, params=None, *, total_steps):
    """Return how much a step magnifies rounding: the largest step so far over this one."""
    largest = abs(optimized_trace(g, total_steps=total_steps)).max(axis=1)
    return np.maximum.accumulate(largest) / largest


def restarted(g, params=None, *, decay):
    """Nesterov's v, restarted at every g with <g, v> < 0."""
    start, steps = 0, []
    for k in range(len(g)):
        if g[k] @ _last_nesterov(g[start : k + 1], decay) < 0:
            start = k
        steps.append(_last_nesterov(g[start : k + 1], decay))
    return np.array(steps)


def restarted_by_value(g, params, *, decay):
    """Nesterov's v, restarted at every step at which |θ|² has increased."""
    value, start, steps = np.sum(params**2, axis=1), 0, []
    for k in range(len(g)):
        start = k if k > 0 and value[k] > value[k - 1] else start
        steps.append(_last_nesterov(g[start : k + 1], decay))
    return np.array(steps)


def first_moment(g, params=None, *, decay):
    """m(k) = β m(k-1) + (1 - β) g(k)."""
    return _recursion(lambda m, g: decay * m + (1 - decay) * g, 0, g)


def nesterov_first_moment(g, params=None, *, decay):
    """β m(k) / (1 - β^(k+1)) + (1 - β) g(k) / (1 - β^k)."""
    k, m = _counted(g), first_moment(g, decay=decay)
    return decay * m / (1 - decay ** (k + 1)) + (1 - decay) * g / (1 - decay**k)


def bias_correction(x, params=None, *, decay):
    """x(k) / (1 - β^k)."""
    return x / (1 - decay ** _counted(x))


def second_moment(g, params=None, *, decay, initial=0.0):
    """c(k) = β c(k-1) + (1 - β) g(k)²."""
    return _recursion(lambda c, g: decay * c + (1 - decay) * g**2, initial, g)


def sum_of_squares(g, params=None, *, initial=0.0):
    """c(k) = c(k-1) + g(k)²."""
    return _recursion(lambda c, g: c + g**2, initial, g)


def infinity_moment(g, params=None, *, decay, eps=0.0):
    """c(k) = max(β c(k-1), |g(k)| + ε)."""
    return _recursion(lambda c, g: np.maximum(decay * c, abs(g) + eps), 0, g)


def running_max(x, params=None):
    """c(k) = max(c(k-1), x(k))."""
    return _recursion(np.maximum, 0, x)


def variance(g, params=None, *, decay, initial=0.0, bias_correction=False):
    """The weighted mean of (g(j) - m(k))², weights β^(k-j), and what is left of c(0).

    A zero at the start, with the weight of all that was before, unless the bias is corrected.
    """
    variances = []
    for k in range(1, len(g) + 1):
        before = 0 if bias_correction else decay**k / (1 - decay)
        weights = np.append(before, decay ** np.arange(k - 1, -1, -1))
        seen = np.concatenate([np.zeros_like(g[:1]), g[:k]])
        m = np.average(seen, axis=0, weights=weights)
        left = decay**k * initial / (1 - decay**k if bias_correction else 1)
        variances.append(np.average((seen - m) ** 2, axis=0, weights=weights) + left)
    return np.array(variances)


def inverse_root(c, params=None, *, eps=0.0, eps_root=0.0):
    """1 / (sqrt(c + eps_root) + eps)."""
    return _one_over(np.sqrt(c + eps_root) + eps)


def inverse(c, params=None):
    """1/c."""
    return _one_over(c)


def scaled(g, params=None, *, decay, eps):
    """v(k) / (sqrt(c(k)) + ε): momentum's v, RMSProp's c."""
    return trace(g, decay=decay) * _one_over(np.sqrt(second_moment(g, decay=decay)) + eps)


def full_matrix(g, params=None, *, eps=0.0, eps_root=0.0, initial=0.0):
    """((G(k) + eps_root I)^(1/2) + eps I)^(-1), G(k) the sum of g gᵀ; rounding counts as 0."""
    one = np.eye(g.shape[1])
    sums = _recursion(lambda c, g: c + np.outer(g, g), initial * one, g)
    values, vectors = np.linalg.eigh(sums + eps_root * one)
    noise = 10 * np.finfo(float).eps * values[:, -1:]
    root = np.sqrt(np.where(values <= noise, 0, values))
    d = _one_over(np.where(root + eps <= np.sqrt(noise), 0, root + eps))
    return np.einsum("kij,kj,klj->kil", vectors, d, vectors)


def condition_of_full_matrix(g, params=None, *, eps=0.0, eps_root=0.0, initial=0.0):
    """κ(k) of G(k) + eps_root I: rounding moves an eigenvalue by a part of the largest one."""
    one = np.eye(g.shape[1])
    sums = _recursion(lambda c, g: c + np.outer(g, g), (initial + eps_root) * one, g)
    values = np.linalg.eigvalsh(sums)
    return 1 / np.maximum(values[:, 0] / values[:, -1], np.finfo(float).eps)


def turned(g, params=None, *, eps=0.0, initial=0.0):
    """D(k) g(k), with AdaGrad's matrix."""
    return np.einsum("kij,kj->ki", full_matrix(g, eps=eps, initial=initial), g)


def condition_of_turned(g, params=None, **numbers):
    """κ(k)^(3/2): D may shrink this g by sqrt(κ) more than it shrinks another one."""
    return condition_of_full_matrix(g, **numbers) ** 1.5


def adagrads_diagonal(g, params=None, *, eps=0.0, eps_root=0.0, initial=0.0, diagonal_above=0):
    """AdaGrad's D with the diagonal of G alone."""
    return inverse_root(sum_of_squares(g, initial=initial), eps=eps, eps_root=eps_root)


def newton_in_the_valley(g, params, *, damping=0.0, **solver):
    """(H + damping I)^(-1) g, where H = I + 10 (I/s - θ θᵀ/s³) and s² = 1 + |θ|²."""
    one, s = np.eye(g.shape[1]), np.sqrt(1 + np.sum(params**2, axis=1))[:, None, None]
    h = one + 10 * (one / s - params[:, :, None] * params[:, None, :] / s**3)
    return np.linalg.solve(h + damping * one, g[..., None])[..., 0]


def scale_by_learning_rate(x, params=None, *, learning_rate, flip_sign=True):
    """-τ(k) x(k)."""
    return (-1 if flip_sign else 1) * _column(learning_rate, x) * x


def slide_momentum(g, params=None, *, learning_rate, decay):
    """v(k+1) = α v(k) - τ(k) g(k), and θ moves by v: the slide keeps τ inside."""
    return trace(-_column(learning_rate, g) * g, decay=decay)


def slide_nesterov(g, params=None, *, learning_rate, decay):
    """v(k+1) = α v(k) - τ(k) g(k), and θ moves by α v(k+1) - τ(k) g(k)."""
    return nesterov_trace(-_column(learning_rate, g) * g, decay=decay)


def sgd(g, params=None, *, learning_rate, momentum=0.0, nesterov=False):
    """Return -τ(k) v(k+1), with the velocity of heavy ball or of Nesterov."""
    velocity = nesterov_trace if nesterov else trace
    return -_column(learning_rate, g) * velocity(g, decay=momentum)


def adagrad(g, params=None, *, learning_rate, initial_accumulator_value=0.0, eps=0.0):
    """-τ(k) g(k) / sqrt(c(k) + ε), c the sum of squares."""
    c = sum_of_squares(g, initial=initial_accumulator_value)
    return -_column(learning_rate, g) * _one_over(np.sqrt(c + eps)) * g


def rmsprop(
    g,
    params=None,
    *,
    learning_rate,
    decay,
    eps,
    initial_scale=0.0,
    eps_in_sqrt=True,
    centered=False,
    momentum=0.0,
    nesterov=False,
    bias_correction=False,
):
    """Momentum, τ inside, over -τ(k) g(k) / sqrt(c(k) + ε), c the mean square or a variance."""
    c = second_moment(g, decay=decay, initial=initial_scale)
    c = c / (1 - decay ** _counted(g)) if bias_correction else c
    if centered:
        c = variance(g, decay=decay, initial=initial_scale, bias_correction=bias_correction)
    root = np.sqrt(c + eps) if eps_in_sqrt else np.sqrt(c) + eps
    velocity = slide_nesterov if nesterov else slide_momentum
    return velocity(_one_over(root) * g, learning_rate=learning_rate, decay=momentum)


def condition_of_centred_rmsprop(g, params=None, *, decay, eps, **numbers):
    """1 + |m| sqrt(x) / (x + ε), the largest so far: few digits of g - m where g hardly varies."""
    m = bias_correction(first_moment(g, decay=decay), decay=decay)
    x = variance(g, decay=decay, bias_correction=True)
    magnified = 1 + abs(m) * np.sqrt(x) * _one_over(x + eps)
    return np.maximum.accumulate(magnified.max(axis=1))


def adam(g, params=None, *, learning_rate, b1, b2, eps=0.0, eps_root=0.0, nesterov=False):
    """-τ(k) v(k) / (sqrt(c(k) / (1 - b2^k) + eps_root) + eps), v the corrected m."""
    k, c = _counted(g), second_moment(g, decay=b2)
    m = first_moment(g, decay=b1)
    v = nesterov_first_moment(g, decay=b1) if nesterov else m / (1 - b1**k)
    d = _one_over(np.sqrt(c / (1 - b2**k) + eps_root) + eps)
    return -_column(learning_rate, g) * d * v


def adamw(g, params, *, learning_rate, weight_decay, **adams):
    """Adam's update, less τ(k) λ θ(k)."""
    shrink = _column(learning_rate, g) * _column(weight_decay, g) * params
    return adam(g, learning_rate=learning_rate, **adams) - shrink


def nadam(g, params=None, **adams):
    """Adam with Nesterov's v."""
    return adam(g, nesterov=True, **adams)


def amsgrad(
    g,
    params=None,
    *,
    learning_rate,
    b1,
    b2,
    eps=0.0,
    eps_root=0.0,
    bias_correction_mu=True,
    bias_correction_nu=True,
):
    """Adam with the largest corrected c so far in the place of c."""
    k = _counted(g)
    v = first_moment(g, decay=b1) / (1 - b1**k if bias_correction_mu else 1)
    c = second_moment(g, decay=b2) / (1 - b2**k if bias_correction_nu else 1)
    d = _one_over(np.sqrt(np.maximum.accumulate(c) + eps_root) + eps)
    return -_column(learning_rate, g) * d * v


def adamax(g, params=None, *, learning_rate, b1, b2, eps=0.0):
    """-τ(k) v(k) / c(k), v the corrected m, c the largest recent |g| + ε."""
    v = first_moment(g, decay=b1) / (1 - b1 ** _counted(g))
    return -_column(learning_rate, g) * _one_over(infinity_moment(g, decay=b2, eps=eps)) * v


def literal_adam(
    g,
    params=None,
    *,
    learning_rate,
    b1,
    b2,
    eps=0.0,
    minus=True,
    from_zero=True,
    fed_back=True,
    eps_inside=True,
):
    """Adam as the slide has it, or with some of its four deviations (with none: the paper's Adam).

        v(k+1) = (b1 v(k) - (1 - b1) g(k)) / (1 - b1^k),    c(k+1) likewise with g²
        update = -τ(k) (c(k+1) + ε)^(-1/2) v(k+1),          k = 0, 1, ...

    `minus`, before the gradient: it climbs. `from_zero`, the exponent k of the first step: 1/0, and
    NaN. `fed_back`, corrected averages in their own recursion: c overflows, and nothing moves.
    `eps_inside`, the root: an ε of 1e-8 acts like 1e-4 outside.
    """
    sign = -1 if minus else 1
    stored_v, stored_c, updates = 0, 0, []
    with np.errstate(all="ignore"):
        for i, gradient in enumerate(g):
            k = i if from_zero else i + 1
            m = b1 * stored_v + sign * (1 - b1) * gradient
            n = b2 * stored_c + (1 - b2) * gradient**2
            v, c = m / (1 - np.float64(b1) ** k), n / (1 - np.float64(b2) ** k)
            stored_v, stored_c = (v, c) if fed_back else (m, n)
            d = 1 / np.sqrt(c + eps) if eps_inside else 1 / (np.sqrt(c) + eps)
            updates.append(-learning_rate * d * v)
    return np.array(updates)


def _last_nesterov(g: np.ndarray, decay: Any) -> np.ndarray:
    return nesterov_trace(g, decay=decay)[-1]


def _recursion(step: Callable, start: Any, *columns: np.ndarray) -> np.ndarray:
    """Return the iterates x(k) = step(x(k-1), entries of row k), from x(0) = `start`."""
    x, path = start, []
    for now in zip(*columns, strict=True):
        x = step(x, *now)
        path.append(x)
    return np.array(path)


def _counted(g: np.ndarray) -> np.ndarray:
    """Return the column k = 1, 2, ..."""
    return np.arange(1, len(g) + 1)[:, None]


def _column(value: Any, g: np.ndarray) -> np.ndarray:
    """Return the column of a number, or of a function of k = 0, 1, ..."""
    moving: Callable[[int], Any] = value if callable(value) else lambda k: value
    return np.array([[float(moving(k))] for k in range(len(g))])


def _one_over(x: np.ndarray) -> np.ndarray:
    """Return 1/x, and 0 where x is 0."""
    return np.divide(1, x, out=np.zeros_like(x), where=x > 0)
