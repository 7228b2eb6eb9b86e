"""The nine laws, one file each; every law is one function whose first line is what it proves."""

from .equality import (
    in_float64_it_is_the_peer,
    it_is_the_formula,
    it_is_the_formula_at_the_lowest_values,
    it_is_the_formula_while_a_hyperparameter_moves,
    what_is_left_out_is_what_the_peer_leaves_out,
)
from .extra_args import extra_arguments_are_accepted, extra_arguments_are_passed_on
from .hyperparameters import (
    a_bad_value_is_refused_by_name,
    a_narrow_array_is_widened_or_refused,
    a_number_an_array_and_a_schedule_are_the_same,
    a_tracer_is_let_through,
    derivatives_by_a_hyperparameter_are_finite,
    derivatives_by_a_hyperparameter_are_slopes,
    one_compiled_step_serves_every_value,
    vmap_over_values_is_separate_runs,
)
from .isolation import (
    a_compiled_step_leaves_its_state_where_it_lies,
    a_state_is_sharded_as_its_parameter,
    donating_the_state_costs_nobody_else,
    init_aliases_nothing,
    init_works_without_numbers,
)
from .learning_rate import (
    all_counts_agree,
    current_reads_it_through_wrappers,
    the_learning_rate_is_in_the_state_once,
    the_rate_in_the_state_is_a_record,
    the_rate_in_the_state_is_the_one_applied,
)
from .precision import (
    a_state_is_at_least_float32,
    a_zero_gradient_gives_a_finite_update,
    a_zero_gradient_makes_no_nan_on_the_way,
    an_accumulator_has_the_dtype_it_was_told,
    an_update_has_the_wider_precision,
    half_precision_is_float32_rounded_once,
    the_derivative_at_a_zero_gradient_is_finite,
    the_number_of_steps_is_exact,
)
from .resume import a_restored_run_goes_on_bitwise
from .stability import (
    a_step_is_pure,
    a_step_returns_what_it_was_given,
    a_step_scans_and_branches_and_vmaps,
)
from .trees import (
    a_complex_leaf_follows_the_conjugate,
    a_complex_zero_is_safe,
    a_leaf_without_gradient_is_refused_by_path,
    a_missing_gradient_is_refused_by_path,
    a_turned_gradient_gives_a_turned_update,
    any_tree_is_a_tree_of_parameters,
)

_ALL = (
    a_step_returns_what_it_was_given,
    a_step_is_pure,
    a_step_scans_and_branches_and_vmaps,
    a_state_is_at_least_float32,
    an_update_has_the_wider_precision,
    an_accumulator_has_the_dtype_it_was_told,
    half_precision_is_float32_rounded_once,
    a_zero_gradient_gives_a_finite_update,
    a_zero_gradient_makes_no_nan_on_the_way,
    the_derivative_at_a_zero_gradient_is_finite,
    the_number_of_steps_is_exact,
    a_narrow_array_is_widened_or_refused,
    a_number_an_array_and_a_schedule_are_the_same,
    one_compiled_step_serves_every_value,
    vmap_over_values_is_separate_runs,
    derivatives_by_a_hyperparameter_are_finite,
    derivatives_by_a_hyperparameter_are_slopes,
    a_bad_value_is_refused_by_name,
    a_tracer_is_let_through,
    the_learning_rate_is_in_the_state_once,
    the_rate_in_the_state_is_the_one_applied,
    the_rate_in_the_state_is_a_record,
    all_counts_agree,
    current_reads_it_through_wrappers,
    init_aliases_nothing,
    donating_the_state_costs_nobody_else,
    init_works_without_numbers,
    a_compiled_step_leaves_its_state_where_it_lies,
    a_state_is_sharded_as_its_parameter,
    any_tree_is_a_tree_of_parameters,
    a_complex_leaf_follows_the_conjugate,
    a_turned_gradient_gives_a_turned_update,
    a_complex_zero_is_safe,
    a_leaf_without_gradient_is_refused_by_path,
    a_missing_gradient_is_refused_by_path,
    extra_arguments_are_accepted,
    extra_arguments_are_passed_on,
    a_restored_run_goes_on_bitwise,
    it_is_the_formula,
    it_is_the_formula_at_the_lowest_values,
    it_is_the_formula_while_a_hyperparameter_moves,
    in_float64_it_is_the_peer,
    what_is_left_out_is_what_the_peer_leaves_out,
)

LAWS = {law.name: law for law in _ALL}
"""Every law by name, in the order of their numbers. `LAWS[name](subject)` holds one of them."""
