"""Which broken laws are choices of this library, and which are faults that a training can meet."""

import re

KINDS = {"fault": "faults", "not shown": "not shown", "choice": "choices"}
"""The kinds of broken laws, the worst first, with their plurals."""

_DTYPES = "A choice of Optax: moments have the dtype of their parameters, or one that you name."
_PROMOTION = "A choice of Optax: the dtypes of a step are those of JAX's promotion."
_RANGES = "A choice of this library: Optax does not validate hyperparameters."
_RATE = (
    "A choice of this library: in Optax the learning rate is in the state on request, by "
    "`inject_hyperparams`."
)
_TREES = "A choice of this library: Optax leaves what a tree contains to its user."

CHOICES = {
    "a_state_is_at_least_float32": _DTYPES,
    "an_update_has_the_wider_precision": _PROMOTION,
    "half_precision_is_float32_rounded_once": "A choice of Optax: it computes in the dtypes that "
    "it is given, and casts nothing.",
    "the_number_of_steps_is_exact": "A choice of Optax: 1 − β^k is computed in float32, where it "
    "cancels for β near 1.",
    "a_narrow_array_is_widened_or_refused": _RANGES,
    "a_bad_value_is_refused_by_name": _RANGES,
    "the_learning_rate_is_in_the_state_once": _RATE,
    "the_rate_in_the_state_is_the_one_applied": _RATE,
    "the_rate_in_the_state_is_a_record": _RATE,
    "current_reads_it_through_wrappers": _RATE,
    "any_tree_is_a_tree_of_parameters": _TREES,
    "a_leaf_without_gradient_is_refused_by_path": _TREES,
    "a_missing_gradient_is_refused_by_path": _TREES,
    "a_restored_run_goes_on_bitwise": "A choice of Optax: a step computes with the arrays of the "
    "state as they are, and NumPy arrays in half precision promote otherwise than those of JAX.",
    "extra_arguments_are_accepted": "A choice of Optax: only a `GradientTransformationExtraArgs` "
    "takes extra arguments, and `with_extra_args_support` makes one of any other.",
}
"""What Optax chooses otherwise on purpose, by the law that it does not promise."""

CHOICES_OF_TWO_DTYPES = {
    "a_step_returns_what_it_was_given": _PROMOTION,
    "a_step_scans_and_branches_and_vmaps": _PROMOTION,
}
"""The same, where the script that shows it has more than one dtype, or a weak one."""


def choice(law: str, script: str) -> str:
    """Return which choice it is that a law is not kept as a script shows, or ""."""
    dtypes = set(re.findall(r'"(bfloat16|float\d\d)"', script))
    if law == "a_state_is_at_least_float32" and dtypes == {"float32"}:
        return ""  # a state that is narrower than its parameter
    if law == "a_restored_run_goes_on_bitwise" and "restored = [jnp.asarray" in script:
        return ""  # its leaves are arrays of JAX again
    promotes = len(dtypes) > 1 or "weakly typed" in script
    of_dtypes = CHOICES_OF_TWO_DTYPES.get(law, "") if promotes else ""
    return CHOICES.get(law, of_dtypes)


def kind_of(law: str, script: str | None) -> str:
    """Return whether a broken law is a "fault", a "choice", or "not shown" by its script.

    What no short script shows may be the rounding of one machine: it counts as no fault.
    """
    if script is None:
        return "not shown"
    return "choice" if choice(law, script) else "fault"
