"""What the pages say about each law: the title of an issue, and what a user expects."""

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

EXPECTED = {
    "a_step_returns_what_it_was_given": "A step returns a state with the tree, the shapes and the "
    "dtypes of the one it was given, and an update with those of the gradient.",
    "a_random_key_is_used_once": "A random key in the state is replaced when a step has used it.",
    "a_step_scans_and_branches_and_vmaps": "A step in `jax.lax.scan`, `jax.lax.cond` and "
    "`jax.vmap` gives what it gives in a loop.",
    "a_zero_gradient_gives_a_finite_update": "A zero gradient gives a finite update, also in half "
    "precision and where ε is 0.",
    "a_zero_gradient_makes_no_nan_on_the_way": "A step at a zero gradient passes under "
    "`jax.debug_nans(True)`, also in half precision and where ε is 0.",
    "the_derivative_at_a_zero_gradient_is_finite": "The derivative of the updates by the "
    "gradients is finite at a zero gradient.",
    "one_compiled_step_serves_every_value": "A compiled step that takes a hyperparameter as an "
    "argument gives what it gives with the number.",
    "vmap_over_values_is_separate_runs": "A `jax.vmap` over hyperparameters gives what a run for "
    "each of them gives.",
    "derivatives_by_a_hyperparameter_are_finite": "The derivative of the updates by a "
    "hyperparameter is finite, also at a zero gradient.",
    "derivatives_by_a_hyperparameter_are_slopes": "`jax.grad` by a hyperparameter agrees with a "
    "finite difference in float64.",
    "all_counts_agree": "After n steps a counter of steps in the state is n more than at the "
    "start.",
    "the_count_in_the_state_is_the_one_used": "Where the number of steps decides the update, a "
    "count of 0 and one of 1 give two updates.",
    "init_aliases_nothing": "No two arrays of a new state share memory, with each other, with the "
    "parameters or with a hyperparameter: such a state cannot be donated.",
    "donating_the_state_costs_nobody_else": "A compiled step can donate the state "
    "(`donate_argnums`), and the arrays of the caller stay valid.",
    "init_works_without_numbers": "`init` gives the same state for arrays, for a "
    "`jax.ShapeDtypeStruct`, under `jax.eval_shape` and under `jax.jit`.",
    "a_state_is_sharded_as_its_parameter": "The state of a sharded parameter has the sharding of "
    "the parameter, in a mesh with explicit axes too.",
    "a_complex_leaf_follows_the_conjugate": "A conjugate gradient gives the conjugate update, and "
    "a real gradient in a complex array gives the update that it gives in a real one.",
    "a_turned_gradient_gives_a_turned_update": "Parameters and gradients that are multiplied by a "
    "complex number of modulus 1 give updates that are multiplied by it.",
    "a_complex_zero_is_safe": "At a complex zero the update is finite, and so is its derivative "
    "by the gradient.",
}
"""What a user of Optax expects, where the sentence of the law needs this library to be read."""
