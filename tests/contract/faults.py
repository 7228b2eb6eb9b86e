"""Faults of one line, each with the laws that must see it."""

from typing import NamedTuple


class Fault(NamedTuple):
    """In `file`, `old` is exchanged for `new`; then `row` breaks each of `laws`."""

    file: str
    old: str
    new: str
    row: str
    laws: str


_FORMULA, _MOVING = "it_is_the_formula", "it_is_the_formula_while_a_hyperparameter_moves"
_COUNT = "k = optax.safe_increment(state.count)"

FAULTS = {
    # Law 1: pure and stable.
    "a weakly typed counter": Fault(
        "_learning_rate.py",
        "count = jnp.zeros((), jnp.int32)",
        "count = jnp.asarray(0)",
        "sgd",
        "a_step_returns_what_it_was_given",
    ),
    "a state that follows the gradient's precision": Fault(
        "_core/block.py",
        "cast_like(new_state, state)",
        "new_state",
        "adam",
        "a_step_returns_what_it_was_given",
    ),
    "a state of another kind after the first step": Fault(
        "_bias_correction.py",
        "BiasCorrectionState(k)\n",
        "(k,)\n",
        "bias_correction",
        "a_step_returns_what_it_was_given a_step_scans_and_branches_and_vmaps",
    ),
    "a count kept outside the state": Fault(
        "_bias_correction.py",
        _COUNT,
        "k = 1 + len(vars(init_fn)); vars(init_fn)[f'step {k}'] = k",
        "bias_correction",
        "a_step_is_pure a_restored_run_goes_on_bitwise",
    ),
    "a schedule asked with a Python number": Fault(
        "_core/numerics.py",
        "schedule(count, **arguments)",
        "schedule(int(count), **arguments)",
        "scale_by_learning_rate",
        _MOVING,
    ),
    # Law 2: precision.
    "moments as narrow as the parameter": Fault(
        "_core/dtypes.py",
        "dtype or _wide(dtype_of(p))",
        "dtype or dtype_of(p)",
        "first_moment",
        "a_state_is_at_least_float32 half_precision_is_float32_rounded_once",
    ),
    "an update as narrow as its gradient": Fault(
        "_core/block.py",
        "like = updates if params is None else wider(updates, params)",
        "like = updates",
        "trace",
        "an_update_has_the_wider_precision",
    ),
    "arithmetic in the gradient's precision": Fault(
        "_core/block.py",
        "wide = widen(updates), widen(state), widen(params)",
        "wide = updates, widen(state), widen(params)",
        "second_moment",
        "half_precision_is_float32_rounded_once",
    ),
    "rounding between the members of a chain": Fault(
        "_core/chain.py",
        "return block(*optax.chain(*(transformations or (optax.identity(),))))",
        "return optax.chain(*(transformations or (optax.identity(),)))",
        "adam",
        "half_precision_is_float32_rounded_once",
    ),
    "a scale cast to bfloat16": Fault(
        "_core/dtypes.py",
        "as_array(as_array(scalar, _real(x.dtype)), x.dtype)",
        "as_array(as_array(scalar, jnp.bfloat16), x.dtype)",
        "sgd",
        _FORMULA,
    ),
    "an accumulator that does not listen": Fault(
        "_first_moment.py",
        "zeros_like(params, accumulator_dtype)",
        "zeros_like(params)",
        "adam",
        "an_accumulator_has_the_dtype_it_was_told",
    ),
    "1/0 where nothing has moved": Fault(
        "_core/numerics.py",
        "return where_positive(lambda x: 1 / x, jnp.asarray(x), 0)",
        "return 1 / jnp.asarray(x)",
        "adamax",
        "a_zero_gradient_gives_a_finite_update",
    ),
    "1/ε with ε = 0": Fault(
        "_inverse_root.py",
        "at_zero = reciprocal(eps)",
        "at_zero = 1 / jnp.asarray(eps)",
        "inverse_root",
        "a_zero_gradient_gives_a_finite_update derivatives_by_a_hyperparameter_are_finite",
    ),
    "a NaN that is hidden": Fault(
        "_core/numerics.py",
        "f(jnp.where(positive, x, 1))",
        "f(x) * x / x",
        "adamax",
        "a_zero_gradient_makes_no_nan_on_the_way",
    ),
    "the slope of a root at 0": Fault(
        "_core/numerics.py",
        "f(jnp.where(positive, x, 1))",
        "f(x)",
        "adam",
        "the_derivative_at_a_zero_gradient_is_finite a_complex_zero_is_safe",
    ),
    "1 - β^k as it is written": Fault(
        "_core/numerics.py",
        "return -jnp.expm1(k * log_decay)",
        "return 1 - jnp.asarray(decay, k.dtype) ** k",
        "bias_correction",
        f"the_number_of_steps_is_exact {_FORMULA}",
    ),
    "a decay that float32 rounds": Fault(
        "_core/numerics.py",
        "return x - (1 - float(decay)) * x",
        "return decay * x",
        "adamax",
        _FORMULA,
    ),
    "a counter that wraps": Fault(
        "_trace.py",
        "optax.safe_increment(state.count)",
        "state.count + 1",
        "sgd, momentum",
        "the_number_of_steps_is_exact",
    ),
    # Law 3: hyperparameters are data.
    "a decay fixed when it is traced": Fault(
        "_first_moment.py",
        "decayed(decay, m) +",
        "decayed(float(decay), m) +",
        "first_moment",
        "one_compiled_step_serves_every_value vmap_over_values_is_separate_runs",
    ),
    "a derivative that forgets its factor k": Fault(
        "_core/numerics.py",
        "-k * decay **",
        "-(decay) **",
        "adam",
        "derivatives_by_a_hyperparameter_are_slopes",
    ),
    "a derivative of β^k at β = 0": Fault(
        "_core/numerics.py",
        "jnp.maximum(k - 1, 0)",
        "(k - 1)",
        "variance, corrected",
        "derivatives_by_a_hyperparameter_are_finite",
    ),
    "a decay of 1 accepted": Fault(
        "_core/validate.py",
        "lambda x: 0 <= x < 1,",
        "lambda x: 0 <= x <= 1,",
        "adam",
        "a_bad_value_is_refused_by_name",
    ),
    "a negative ε accepted": Fault(
        "_inverse_root.py",
        "validate.non_negative(eps=eps, eps_root=eps_root)",
        "validate.finite(eps=eps, eps_root=eps_root)",
        "adam",
        "a_bad_value_is_refused_by_name",
    ),
    "another name in the refusal": Fault(
        "optimizers/sgd.py",
        "validate.decay_or_schedule(momentum=momentum)",
        "pass",
        "sgd, momentum",
        "a_bad_value_is_refused_by_name",
    ),
    "a tracer whose value is asked for": Fault(
        "_core/validate.py",
        "            raise TypeError(problem)\n        return\n",
        "            raise TypeError(problem)\n",
        "sgd",
        "a_tracer_is_let_through",
    ),
    "a rate kept as narrow as it was given": Fault(
        "_learning_rate.py",
        "jnp.array(rate, default_float())",
        "jnp.array(rate)",
        "adam",
        "a_narrow_array_is_widened_or_refused",
    ),
    # Law 4: the rate is in the state.
    "a rate recorded one step late": Fault(
        "_learning_rate.py",
        "optax.safe_increment(state.count), rate\n",
        "optax.safe_increment(state.count), state.learning_rate\n",
        "sgd",
        "the_rate_in_the_state_is_the_one_applied",
    ),
    "a rate read back from the state": Fault(
        "_learning_rate.py",
        "rate = rate_at(state.count)",
        "rate = state.learning_rate",
        "adam",
        f"the_rate_in_the_state_is_a_record {_MOVING}",
    ),
    "a stale count": Fault(
        "_bias_correction.py",
        "BiasCorrectionState(k)\n",
        "state\n",
        "adam",
        f"all_counts_agree {_FORMULA}",
    ),
    "micro-steps counted as updates": Fault(
        "_core/current.py",
        "emitted.append(node.gradient_step)",
        "emitted.append(node.mini_step)",
        "adam",
        "current_reads_it_through_wrappers",
    ),
    # Law 5: nobody else's memory.
    "a rate that is the caller's array": Fault(
        "_learning_rate.py",
        "jnp.array(rate, default_float())",
        "jnp.asarray(rate, default_float())",
        "sgd",
        "init_aliases_nothing donating_the_state_costs_nobody_else",
    ),
    "an average that starts as the parameters": Fault(
        "_average.py",
        "kept, zeros_like(params))",
        "kept, widen(params))",
        "average_iterates",
        "init_aliases_nothing",
    ),
    "an init that needs numbers": Fault(
        "_core/dtypes.py",
        "jnp.zeros_like(p, dtype or _wide(dtype_of(p)))",
        "as_array(0 * p, dtype or _wide(dtype_of(p)))",
        "adam",
        "init_works_without_numbers",
    ),
    "a state on one device": Fault(
        "_core/dtypes.py",
        "jnp.zeros_like(p, dtype or _wide(dtype_of(p)))",
        "jnp.zeros(jnp.shape(p), dtype or _wide(dtype_of(p)))",
        "adam",
        "a_state_is_sharded_as_its_parameter a_compiled_step_leaves_its_state_where_it_lies",
    ),
    # Law 6: any tree.
    "a square in place of |g|²": Fault(
        "_core/numerics.py",
        "(x.conj() * x).real",
        "(x * x).real",
        "second_moment",
        "a_turned_gradient_gives_a_turned_update",
    ),
    "a real part in place of a gradient": Fault(
        "_first_moment.py",
        "(1 - decay) * g,",
        "(1 - decay) * g.real,",
        "first_moment",
        "a_turned_gradient_gives_a_turned_update",
    ),
    "integers let in": Fault(
        "_core/block.py",
        "        refuse_leaves_without_gradient(params)\n",
        "",
        "trace",
        "a_leaf_without_gradient_is_refused_by_path",
    ),
    "a missing gradient let through": Fault(
        "_core/block.py",
        "            refuse_missing_gradients(updates, params, because=error)\n",
        "",
        "scale_by_learning_rate",
        "a_missing_gradient_is_refused_by_path",
    ),
    # Law 7: extra arguments.
    "extra arguments dropped on the way": Fault(
        "_precondition.py",
        "by.update(updates, state.by, params, **extra_args)",
        "by.update(updates, state.by, params)",
        "precondition",
        "extra_arguments_are_passed_on",
    ),
    "parameters dropped on the way": Fault(
        "_precondition.py",
        "velocity.update(updates, state.velocity, params, **extra_args)",
        "velocity.update(updates, state.velocity, None, **extra_args)",
        "precondition",
        "extra_arguments_are_passed_on",
    ),
    # Law 9: the formula.
    "a missing correction": Fault(
        "optimizers/adam.py",
        "return chain(first_moment(b1, accumulator_dtype=mu_dtype), bias_correction(b1))",
        "return first_moment(b1, accumulator_dtype=mu_dtype)",
        "adam",
        f"{_FORMULA} in_float64_it_is_the_peer",
    ),
    "ε on the other side of the root": Fault(
        "_inverse_root.py",
        "lambda x: 1 / (jnp.sqrt(x) + eps), c + eps_root",
        "lambda x: 1 / jnp.sqrt(x + eps), c + eps_root",
        "adam",
        f"{_FORMULA} in_float64_it_is_the_peer",
    ),
    "a D without ε where nothing has moved": Fault(
        "_inverse_root.py",
        "at_zero = reciprocal(eps)",
        "at_zero = 0.0",
        "inverse_root",
        "it_is_the_formula_at_the_lowest_values",
    ),
    "another default": Fault(
        "optimizers/rmsprop.py",
        "decay: Scalar = 0.9,",
        "decay: Scalar = 0.99,",
        "rmsprop",
        "what_is_left_out_is_what_the_peer_leaves_out",
    ),
    "uphill": Fault(
        "_learning_rate.py",
        "sign = -1 if flip_sign else 1",
        "sign = 1",
        "sgd",
        _FORMULA,
    ),
    "a count that begins at 0": Fault(
        "_bias_correction.py",
        _COUNT,
        "k = jnp.maximum(state.count, 1)",
        "bias_correction",
        _FORMULA,
    ),
    "one momentum for memory and look-ahead": Fault(
        "_nesterov.py",
        "before = state.momentum if callable(decay) else decay",
        "before = mu",
        "sgd, Nesterov",
        _MOVING,
    ),
    "the momentum of the next step": Fault(
        "_trace.py",
        "decay(state.count)",
        "decay(state.count + 1)",
        "sgd, momentum",
        _MOVING,
    ),
    "a look-ahead corrected for the step before": Fault(
        "_nesterov.py",
        "one_minus_power(decay, optax.safe_increment(k))",
        "one_minus_power(decay, k)",
        "nadam",
        _FORMULA,
    ),
    "a sum in place of an average": Fault(
        "_magnitudes.py",
        "(1 - decay) * abs_squared(g)",
        "abs_squared(g)",
        "rmsprop",
        _FORMULA,
    ),
    "ε outside the maximum": Fault(
        "_magnitudes.py",
        "jnp.maximum(decayed(decay, c), magnitude(g) + eps)",
        "jnp.maximum(decayed(decay, c), magnitude(g)) + eps",
        "adamax",
        _FORMULA,
    ),
    "a maximum before the correction": Fault(
        "optimizers/adam.py",
        "*nu_correction, running_max(),",
        "running_max(), *nu_correction,",
        "amsgrad",
        _FORMULA,
    ),
    "a decay of weights beside τ": Fault(
        "optimizers/adam.py",
        "        foreign(optax.add_decayed_weights, weight_decay, mask),\n"
        "        scale_by_learning_rate(learning_rate),\n",
        "        scale_by_learning_rate(learning_rate),\n"
        "        foreign(optax.add_decayed_weights, weight_decay, mask),\n",
        "adamw",
        _FORMULA,
    ),
    "a rate outside the velocity of RMSProp": Fault(
        "optimizers/rmsprop.py",
        "return chain(*scaled, velocity(momentum))",
        "return chain(scaled[0], velocity(momentum), scaled[1])",
        "rmsprop, centred, momentum",
        _MOVING,
    ),
    "a float32 rate under x64": Fault(
        "_core/dtypes.py",
        "return jnp.result_type(float)",
        "return jnp.dtype(jnp.float32)",
        "sgd",
        "in_float64_it_is_the_peer",
    ),
}
"""Every fault by what it is."""
