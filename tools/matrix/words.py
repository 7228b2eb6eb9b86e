"""What the pages say about each law: the title of an issue, and where Optax chooses otherwise."""

FAULTS = {
    "a_step_returns_what_it_was_given": "a step changes the dtypes of the state",
    "a_step_is_pure": "the same step twice gives two results",
    "a_step_scans_and_branches_and_vmaps": "a step in `lax.scan` raises, or is another than alone",
    "a_state_is_at_least_float32": "the state has less than float32",
    "an_update_has_the_wider_precision": "the update has another dtype than promotion gives",
    "an_accumulator_has_the_dtype_it_was_told": "an accumulator has another dtype than was asked",
    "half_precision_is_float32_rounded_once": "a step in half precision is rounded on the way",
    "a_zero_gradient_gives_a_finite_update": "a zero gradient gives an update that is not finite",
    "a_zero_gradient_makes_no_nan_on_the_way": "a zero gradient raises under `jax_debug_nans`",
    "the_derivative_at_a_zero_gradient_is_finite": "the derivative at a zero gradient is NaN",
    "the_number_of_steps_is_exact": "the step after k steps is off by more than rounding",
    "a_narrow_array_is_widened_or_refused": "a hyperparameter in half precision changes the step",
    "a_number_an_array_and_a_schedule_are_the_same": "a number, an array and a schedule differ",
    "one_compiled_step_serves_every_value": "a value of a hyperparameter compiles the step again",
    "vmap_over_values_is_separate_runs": "a `vmap` over hyperparameters raises, or differs",
    "derivatives_by_a_hyperparameter_are_finite": "a derivative by a hyperparameter is NaN",
    "derivatives_by_a_hyperparameter_are_slopes": "a derivative by a hyperparameter is no slope",
    "a_bad_value_is_refused_by_name": "a hyperparameter out of range is accepted",
    "a_tracer_is_let_through": "a traced hyperparameter is refused",
    "the_learning_rate_is_in_the_state_once": "the state does not hold the learning rate",
    "the_rate_in_the_state_is_the_one_applied": "the state does not hold the rate of a schedule",
    "the_rate_in_the_state_is_a_record": "the learning rate in the state is no record",
    "all_counts_agree": "counters of the state disagree with the number of steps",
    "current_reads_it_through_wrappers": "no learning rate is found in the state of a wrapper",
    "init_aliases_nothing": "the state of `init` shares memory",
    "donating_the_state_costs_nobody_else": "donating the state deletes an array of the caller",
    "init_works_without_numbers": "the function `init` does not work on shapes",
    "a_compiled_step_leaves_its_state_where_it_lies": "a compiled step moves the state",
    "a_state_is_sharded_as_its_parameter": "the state is not sharded like its parameter",
    "any_tree_is_a_tree_of_parameters": "a tree of parameters is refused, or its state changes",
    "a_complex_leaf_follows_the_conjugate": "a complex parameter gets another step than a real one",
    "a_turned_gradient_gives_a_turned_update": "a step depends on the phase of complex numbers",
    "a_complex_zero_is_safe": "the step or its derivative at a complex zero is NaN",
    "a_leaf_without_gradient_is_refused_by_path": "leaves without a gradient are accepted",
    "a_missing_gradient_is_refused_by_path": "a missing gradient is not named in the error",
    "extra_arguments_are_accepted": "extra arguments of `update` are refused, or change the step",
    "extra_arguments_are_passed_on": "extra arguments of `update` are not passed on",
    "a_restored_run_goes_on_bitwise": "a restored run has other bits",
    "a_random_key_is_used_once": "a random key is used twice",
    "the_count_in_the_state_is_the_one_used": "the count in the state is not the one that is used",
    "it_is_the_formula": "the steps differ from the formula",
    "it_is_the_formula_at_the_lowest_values": "the steps at β = 0, ε = 0 differ from the formula",
    "it_is_the_formula_while_a_hyperparameter_moves": "a schedule is not applied as the formula",
    "in_float64_it_is_the_peer": "the steps differ from another implementation",
    "what_is_left_out_is_what_the_peer_leaves_out": "the defaults differ from the peer's",
}
"""The fault in a few words, by the law that it breaks."""

_DTYPES = (
    "Optax stores moments in the dtype of their parameters, or in one that you name: a choice."
)
_PROMOTION = "Optax leaves the dtypes of a step to JAX's promotion: a choice, not a bug."
_RANGES = "Optax does not validate hyperparameters: a choice, not a bug."
_RATE = "In Optax the learning rate is in the state on request, by `inject_hyperparams`: a choice."
_TREES = "Optax leaves what a tree contains to its user: a choice, not a bug."

CHOICES = {
    "a_step_returns_what_it_was_given": _PROMOTION,
    "a_step_scans_and_branches_and_vmaps": _PROMOTION,
    "a_state_is_at_least_float32": _DTYPES,
    "an_update_has_the_wider_precision": _PROMOTION,
    "half_precision_is_float32_rounded_once": "Optax computes in the dtypes that it is given, and "
    "casts nothing: a choice, not a bug.",
    "the_number_of_steps_is_exact": "Optax computes 1 − β^k in float32, without a detour by "
    "float64: a choice, not a bug.",
    "a_narrow_array_is_widened_or_refused": _RANGES,
    "a_bad_value_is_refused_by_name": _RANGES,
    "the_learning_rate_is_in_the_state_once": _RATE,
    "the_rate_in_the_state_is_the_one_applied": _RATE,
    "the_rate_in_the_state_is_a_record": _RATE,
    "current_reads_it_through_wrappers": _RATE,
    "any_tree_is_a_tree_of_parameters": _TREES,
    "a_leaf_without_gradient_is_refused_by_path": _TREES,
    "a_missing_gradient_is_refused_by_path": _TREES,
    "extra_arguments_are_accepted": "In Optax only a `GradientTransformationExtraArgs` takes extra "
    "arguments, and `with_extra_args_support` makes one of any other: a choice.",
    "a_restored_run_goes_on_bitwise": _PROMOTION,
}
"""What Optax chooses otherwise on purpose, by the law that it does not promise."""
