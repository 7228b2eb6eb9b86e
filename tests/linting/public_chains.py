"""Optimizers of public repositories, transcribed: the call with its numbers, and no other code.

Where a repository takes a number from its configuration, the usual one stands here. `CHAINS` is
`(expression, steps)`: the length of the run where the code names it, else None. `MISTAKES` are the
true findings among them, by a part of the expression, with the reason. The last 25 were run only
after the rules were finished: no false alarm, one of two mistakes found (RAdam's decay is missed).
"""
# ruff: noqa: E501

WARM = "optax.warmup_cosine_decay_schedule"

CHAINS = [
    (
        "optax.chain(optax.clip_by_global_norm(1000.0), optax.amsgrad(1e-3, b1=0.9, b2=0.99, eps=1e-6))",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(32.0), optax.adamw(optax.join_schedules([optax.linear_schedule(0.0, 1e-3, 100), optax.cosine_decay_schedule(1e-3, 900)], [100]), b2=0.95, weight_decay=0.1))",
        1000,
    ),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.adamw({WARM}(0.0, 3e-4, 500, 40000, 1e-5), weight_decay=0.05))",
        40000,
    ),
    (
        "optax.chain(optax.clip(1.0), optax.adamw(optax.linear_schedule(1 / 100, 1e-3, 100), b1=0.9, eps=1e-8, weight_decay=0.01))",
        None,
    ),
    ("optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))", None),
    ("optax.chain(optax.clip_by_global_norm(0.5), optax.adam(3e-4, eps=1e-5))", None),
    (
        f"optax.adam({WARM}(init_value=0.0, peak_value=1e-3, warmup_steps=1000, decay_steps=10000, end_value=1e-5))",
        10000,
    ),
    ("optax.chain(optax.sgd(1e-3), optax.adaptive_grad_clip(clipping=0.07, eps=0.001))", None),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.join_schedules([optax.linear_schedule(0.0, 0.01, 3), optax.exponential_decay(0.01, 100, 0.9)], [3])))",
        None,
    ),
    ("optax.adadelta(optax.exponential_decay(0.01, 100, 0.9), weight_decay=0.05)", None),
    (
        "optax.chain(optax.scale_by_adam(b1=0, b2=0.9999), optax.scale_by_schedule(optax.exponential_decay(1e-3, 1000, 0.96)), optax.scale(-1.0))",
        None,
    ),
    ("optax.adamw(learning_rate=1e-4, weight_decay=0.01)", None),
    ("optax.adamw(0.0001)", None),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.adamw({WARM}(1e-6, 1e-4, 1000, 20000, 1e-5), b1=0.9, b2=0.95, weight_decay=1e-4))",
        20000,
    ),
    ("optax.adamw(3e-4, b1=0.9, b2=0.99, weight_decay=0.1)", None),
    ("optax.adamw(1e-3, eps=1e-5)", None),
    ("optax.adamw(0.005, 0.9)", None),
    (
        f"optax.adamw({WARM}(0.0, 1e-3, 101, 1000, 1e-5), weight_decay=1e-2, mask=lambda p: jax.tree.map(lambda _: True, p))",
        1000,
    ),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.adamw({WARM}(0.0, 1e-3, 0, 5000, 1e-7), weight_decay=0.05))",
        5000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.join_schedules([optax.linear_schedule(0.0, 3e-4, 100), optax.linear_schedule(3e-4, 0, 900)], [100]), b1=0.9, b2=0.95, weight_decay=0.1))",
        1000,
    ),
    ("optax.adamw(1e-3)", None),
    (
        f"optax.MultiSteps(optax.chain(optax.clip_by_global_norm(5.0), optax.adam({WARM}(0.0, 5e-4, 100, 2000, 1e-4))), every_k_schedule=4, use_grad_mean=True).gradient_transformation()",
        10000,
    ),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.adamw({WARM}(0.0, 2e-4, 500, 10000, 2e-6), weight_decay=1e-4))",
        10000,
    ),
    (
        f"optax.chain(optax.scale_by_adam(), optax.scale_by_schedule({WARM}(0, 1e-2, 39, 10000)), optax.scale(-1.0))",
        10000,
    ),
    (f"optax.adamw({WARM}(0, 1e-4, 65, 650, 0))", 650),
    (f"optax.adam({WARM}(1e-3, 1e-1, 100, 1000, 1e-3))", 1000),
    (f"optax.adam({WARM}(1e-5, 1e-3, 100, 5000, 1e-4))", 5000),
    (f"optax.adamw({WARM}(0.0, 0.01, 200, 2000, 0.001), b1=0.9, b2=0.999)", 2000),
    ("optax.adam(optax.exponential_decay(1e-3, 1000, 0.9, end_value=1e-5))", 10000),
    ("optax.adam(optax.linear_schedule(1e-3, 1e-5, 10000))", 10000),
    ("optax.adam(lambda count: jnp.ones_like(count, dtype=jnp.float32) * 1e-3)", 10000),
    (
        "optax.multi_transform({'w': optax.adam(1.0), 'b': optax.sgd(1.0)}, lambda p: jax.tree_util.tree_map_with_path(lambda k, x: 'w' if x.ndim > 1 else 'b', p))",
        None,
    ),
    (
        f"optax.multi_transform({{'core': optax.adamw({WARM}(2e-5, 1e-3, 100, 1000), b1=0.9, b2=0.95), 'mem': optax.adamw({WARM}(2e-5, 1e-2, 100, 1000), b1=0.9, b2=0.95)}}, lambda p: jax.tree.map(lambda x: 'core' if x.ndim > 1 else 'mem', p))",
        1000,
    ),
    (
        "optax.multi_transform({'mlp': optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(1e-3, 5000))), 'omega': optax.adam(lambda s: optax.cosine_decay_schedule(1e-3, 5000)(s) * 100.0)}, lambda p: jax.tree.map(lambda x: 'mlp' if x.ndim > 1 else 'omega', p))",
        5000,
    ),
    (
        "optax.multi_transform({'train': optax.adam(1e-3), 'freeze': optax.set_to_zero()}, lambda p: jax.tree.map(lambda x: 'train' if x.ndim > 1 else 'freeze', p))",
        None,
    ),
    (
        "optax.multi_transform({'sgd': optax.sgd(optax.exponential_decay(0.05, 10, 0.97, 1000, end_value=1e-2), momentum=0.9, nesterov=True), 'zero': optax.stateless(lambda u, p: jax.tree.map(jnp.zeros_like, u))}, lambda p: jax.tree.map(lambda x: 'sgd' if x.ndim > 1 else 'zero', p))",
        None,
    ),
    (
        "optax.multi_transform({'muon': optax.contrib.muon(0.02), 'adamw': optax.adamw(3e-4, b1=0.9, b2=0.95, weight_decay=0.1)}, lambda p: jax.tree.map(lambda x: 'muon' if x.ndim == 2 else 'adamw', p))",
        None,
    ),
    (
        "optax.multi_transform({'encoder': optax.adam(1e-4, b1=0.9, b2=0.999, eps=1e-8), 'rest': optax.adam(1e-3, b1=0.9, b2=0.999, eps=1e-8)}, lambda p: jax.tree.map(lambda x: 'encoder' if x.ndim > 1 else 'rest', p))",
        None,
    ),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.inject_hyperparams(optax.adamw)({WARM}(0, 3e-4, 100, 4000), 0.9, 0.95, weight_decay=0.1))",
        4000,
    ),
    ("optax.inject_hyperparams(optax.adam)(learning_rate=3e-4)", None),
    (
        f"optax.inject_hyperparams(optax.adamw)({WARM}(0, 3e-4, 100, 4000), 0.9, optax.cosine_decay_schedule(0.95, 4000, alpha=0.99 / 0.95), eps=1e-8, weight_decay=0.1, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p))",
        4000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.inject_hyperparams(optax.adamw)(learning_rate=3e-4, b1=0.9, b2=0.95, eps=1e-8, weight_decay=0.1))",
        None,
    ),
    (
        "optax.inject_hyperparams(optax.adam, static_args=('b1', 'b2', 'eps', 'eps_root'))(learning_rate=1e-4)",
        None,
    ),
    ("optax.inject_hyperparams(optax.radam)(learning_rate=1e-3, b1=0.9, b2=0.999)", None),
    (
        f"optax.inject_hyperparams(lambda learning_rate: optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(0.9, 0.95, 1e-8), optax.add_decayed_weights(0.1, lambda p: jax.tree.map(lambda x: x.ndim > 1, p)), optax.scale(-learning_rate)))(learning_rate={WARM}(0.0, 6e-4, 100, 10000, 6e-5))",
        10000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(0.5), optax.inject_hyperparams(optax.adamw)(learning_rate=lambda count: 2.5e-4 * (1.0 - (count // 16) / 1000), eps=1e-5))",
        16000,
    ),
    ("optax.MultiSteps(optax.adam(learning_rate=1e-4), 20).gradient_transformation()", None),
    (
        "optax.MultiSteps(optax.adamw(1e-5, b1=0.9, b2=0.95, eps=1e-8, weight_decay=0.0, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)), every_k_schedule=4).gradient_transformation()",
        None,
    ),
    (
        "optax.MultiSteps(optax.chain(optax.adam(1e-4), optax.clip_by_global_norm(1.0)), 4).gradient_transformation()",
        None,
    ),
    (
        f"optax.MultiSteps(optax.chain(optax.clip_by_global_norm(1.0), optax.adamw({WARM}(0.0, 1e-4, 50, 1000), weight_decay=0.01, mask=lambda p: jax.tree.map(lambda x: x.ndim >= 2, p))), every_k_schedule=8, use_grad_mean=True).gradient_transformation()",
        8000,
    ),
    (
        "optax.chain(optax.masked(optax.adam(1e-3), lambda p: jax.tree.map(lambda x: x.ndim < 2, p)), optax.masked(optax.adam(1e-4), lambda p: jax.tree.map(lambda x: x.ndim >= 2, p)))",
        None,
    ),
    (
        "optax.chain(optax.masked(optax.adam(1e-3), lambda p: jax.tree.map(lambda x: x.ndim >= 2, p)), optax.masked(optax.sgd(1e-3), lambda p: jax.tree.map(lambda x: x.ndim == 1, p)))",
        None,
    ),
    (
        "optax.chain(optax.masked(optax.adamw(optax.cosine_decay_schedule(1e-3, 1000), b1=0.9, b2=0.95, weight_decay=0.1), lambda p: jax.tree.map(lambda x: x.ndim >= 2, p)), optax.masked(optax.adamw(optax.cosine_decay_schedule(1e-4, 1000), weight_decay=0.0), lambda p: jax.tree.map(lambda x: x.ndim < 2, p)))",
        1000,
    ),
    (
        "optax.chain(optax.masked(optax.set_to_zero(), lambda p: jax.tree.map(lambda x: x.ndim < 2, p)), optax.clip_by_global_norm(1.0), optax.adamw(1e-4, weight_decay=0.0))",
        None,
    ),
    ("optax.masked(optax.adam(0.6), lambda p: jax.tree.map(lambda x: x.ndim < 2, p))", None),
    (
        "optax.masked(optax.chain(optax.clip_by_global_norm(0.25), optax.add_decayed_weights(5e-7), optax.sgd(20.0)), lambda p: jax.tree.map(lambda x: x.shape[-1] != 7, p))",
        None,
    ),
    (
        "optax.masked(optax.chain(optax.add_decayed_weights(1e-3), optax.adam(3e-3)), lambda p: jax.tree.map(lambda x: True, p))",
        None,
    ),
    (
        "optax.chain(optax.clip(1.0), optax.apply_if_finite(optax.adam(1e-3), max_consecutive_errors=10))",
        None,
    ),
    (
        "optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(optax.cosine_decay_schedule(-3e-4, 1000000)))",
        1000000,
    ),
    (
        "optax.apply_if_finite(optax.chain(optax.adaptive_grad_clip(0.1), optax.adabelief(learning_rate=1e-4)), max_consecutive_errors=5)",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(2.5e-5, b1=0.9, b2=0.95, eps=1e-8, weight_decay=1e-10))",
        None,
    ),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.adamw({WARM}(0.0, 1e-3, 200, 6000), weight_decay=1e-4))",
        6000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(3.0), optax.yogi(optax.cosine_decay_schedule(5.0e-3, 200000)))",
        200000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(0.5), optax.adam(optax.linear_schedule(2e-4, 1e-5, 286), eps=1e-5))",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(3e-3, 5000)))",
        5000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(eps=1e-3), optax.scale_by_schedule(optax.linear_schedule(-1e-3, 0.0, 1000)))",
        1000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b1=0.9, b2=0.999), optax.add_decayed_weights(0.01), optax.scale_by_schedule(optax.cosine_decay_schedule(1e-3, 2000)), optax.scale(-1.0))",
        2000,
    ),
    ("optax.chain(optax.scale_by_adam(), optax.scale(-0.01))", None),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.add_decayed_weights(1e-4), optax.scale_by_schedule({WARM}(0.0, 1e-3, 250, 10000)), optax.scale(-1.0))",
        10000,
    ),
    (
        "optax.chain(optax.scale(1 / 16), optax.clip_by_global_norm(1), optax.scale_by_adam(), optax.add_decayed_weights(0.1), optax.scale(-1), optax.scale_by_schedule(optax.warmup_cosine_decay_schedule(0.0, 1.2e-4, 3000, 300000, 1.2e-5)))",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.add_noise(0.01, 0.55, 0), optax.scale_by_adam(), optax.add_decayed_weights(1e-4), optax.scale_by_learning_rate(1e-3))",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.add_decayed_weights(1e-4), optax.adam(1e-3))",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.add_decayed_weights(1e-6), optax.adam(1e-3, eps=1e-8))",
        None,
    ),
    ("optax.chain(optax.add_decayed_weights(1e-4), optax.scale(-0.01))", None),
    (
        "optax.chain(optax.scale_by_adam(b1=0.9, b2=0.95, eps=1e-8), optax.add_decayed_weights(0.1, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)), optax.scale_by_schedule(lambda n: -optax.warmup_cosine_decay_schedule(0.0, 1e-3, 10, 1000)(n * 8)))",
        125,
    ),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(0.9, 0.95), optax.add_decayed_weights(0.1, lambda p: jax.tree.map(lambda x: x.ndim >= 2, p)), optax.scale_by_schedule({WARM}(0.0, 6e-4, 2000, 600000, 6e-5)), optax.scale(-1.0))",
        600000,
    ),
    (
        f"optax.chain(optax.scale_by_adam(b2=0.95), optax.add_decayed_weights(1e-4), optax.scale_by_schedule({WARM}(0, 1e-3, 5000, 60000, end_value=1e-5)), optax.scale(-1))",
        60000,
    ),
    (
        "optax.chain(optax.clip(1.0), optax.add_decayed_weights(1e-4), optax.sgd(optax.piecewise_constant_schedule(0.1, {6000: 0.1, 8500: 0.1}), momentum=0.9))",
        10000,
    ),
    (
        "optax.adamw(optax.exponential_decay(1e-3, transition_steps=5000, decay_rate=0.1), weight_decay=1e-4)",
        20000,
    ),
    ("optax.adam(optax.exponential_decay(1e-2, 100, 0.9))", None),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.join_schedules([optax.linear_schedule(0.0, 1e-3, 100), optax.exponential_decay(1e-3, 2000, 0.5)], [100])))",
        10000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.exponential_decay(5e-3, 100, 0.9)))",
        500,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(5.0), optax.adam(optax.exponential_decay(3e-4, 400000, 0.5, staircase=True)))",
        None,
    ),
    ("optax.lion(optax.exponential_decay(1e-3, 500, 0.99, end_value=1e-4))", None),
    ("optax.adam(optax.exponential_decay(1e-3, 1_000, 0.5, end_value=1e-5))", 10000),
    ("optax.sgd(0.05, momentum=0.9, nesterov=True)", None),
    (
        "optax.adamw(optax.piecewise_constant_schedule(1e-3, {20 * 391: 0.2, 40 * 391: 0.2}), weight_decay=5e-4)",
        60 * 391,
    ),
    ("optax.adamax(optax.piecewise_constant_schedule(1e-2, {1000: 0.1}))", 3000),
    ("optax.adam(optax.piecewise_constant_schedule(1e-10, {100: int(1e8)}))", 300),
    ("optax.adam(1e6)", None),
    ("optax.adam(optax.piecewise_constant_schedule(1e-3, {5000: 0.5, 7500: 0.5}))", 10000),
    ("optax.adam(optax.piecewise_constant_schedule(0.05, {250: 0.1, 500: 0.1}))", 1000),
    ("optax.adam(optax.piecewise_constant_schedule(0.01, {600: 0.1}))", 2000),
    ("optax.adam(optax.piecewise_constant_schedule(1e-2, {40_000: 5e-3, 500_000: 1e-3}))", 600_000),
    (
        "optax.sgd(nesterov=True, learning_rate=lambda k: jnp.where(k <= 100, 0.1 * k / 100, 0.1 * jnp.maximum(1 - (k - 100) / 900, 0.0) ** 2))",
        1000,
    ),
    ("optax.sgd(0.05)", None),
    (
        "optax.sgd(optax.linear_schedule(1e-1, 1e-1, transition_begin=256, transition_steps=640))",
        None,
    ),
    (
        "optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(optax.join_schedules([optax.linear_schedule(0.0, 0.1, 500), optax.cosine_decay_schedule(0.1, 9000, 0.1), optax.constant_schedule(0.01)], [500, 9500]), 0.9))",
        15000,
    ),
    ("optax.sgd(1e-2, momentum=0.9)", None),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.join_schedules([optax.linear_schedule(0.0, 3e-4, 500), optax.cosine_decay_schedule(3e-4, 9500)], [500]), weight_decay=0.01))",
        10000,
    ),
    (
        "optax.adamw(optax.join_schedules([optax.linear_schedule(1e-6, 1e-3, 500), optax.cosine_decay_schedule(1e-3, 7500, alpha=0.1), optax.constant_schedule(1e-4)], [500, 8000]))",
        12000,
    ),
    (
        "optax.adamw(optax.join_schedules([optax.linear_schedule(0.0, 1e-4, 100), optax.constant_schedule(1e-4)], [100]))",
        10000,
    ),
    (
        "optax.adamw(optax.join_schedules([optax.linear_schedule(0, 1e-3, 0), optax.constant_schedule(1e-3)], boundaries=[0]), b1=0.9, b2=0.98, weight_decay=0)",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.zero_nans(), optax.adam(optax.join_schedules([optax.linear_schedule(0.0, 1e-3, 100), optax.cosine_decay_schedule(1e-3, 900)], [100])))",
        1000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(50.0), optax.sgd(optax.cosine_decay_schedule(1e-2, 2000, 0.1)))",
        2000,
    ),
    (
        "optax.sgd(optax.join_schedules([optax.linear_schedule(0.0, 0.1, 5 * 390), optax.cosine_decay_schedule(0.1, 195 * 390)], [5 * 390]), momentum=0.9, nesterov=True)",
        200 * 390,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(0.5), optax.adam(optax.join_schedules([optax.linear_schedule(0.0, 1e-3, 500), optax.cosine_decay_schedule(1e-3, 9500)], [500]), eps=1e-5))",
        10000,
    ),
    (
        "optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.01), optax.scale_by_learning_rate(optax.join_schedules([optax.linear_schedule(0.0, 4e-5, 1000), optax.linear_schedule(4e-5, 4e-6, 9000)], [1000])))",
        10000,
    ),
    ("optax.adam(optax.cosine_decay_schedule(1e-3, decay_steps=5000, alpha=1e-2))", 5000),
    (
        "optax.adamw(optax.join_schedules([optax.linear_schedule(1e-5, 1e-3, 5), optax.constant_schedule(1e-3)], [5]), weight_decay=1e-5)",
        100,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.join_schedules([optax.linear_schedule(0.0, 1e-3, 1000), optax.cosine_decay_schedule(1e-3, 19000)], [1000]), b2=0.95, weight_decay=0.1))",
        20000,
    ),
    (
        "optax.chain(optax.adaptive_grad_clip(10.0), optax.adam(optax.linear_schedule(1e-3, 1e-6, 5000, 5000)))",
        10000,
    ),
    (
        "optax.adamw(optax.join_schedules([optax.linear_schedule(0, 0.05, 8000), lambda s: 0.05 * (s + 8000) ** -0.5 * 8000**0.5], [8000]), b1=0.9, b2=0.98, eps=1e-9, weight_decay=1e-1)",
        500000,
    ),
    ("optax.radam(optax.linear_schedule(2.5e-4, 1e-20, 10000))", 10000),
    ("optax.adam(learning_rate=0.1)", None),
    (
        "optax.adam(optax.exponential_decay(5e-3, transition_begin=600, transition_steps=200, decay_rate=0.5))",
        2000,
    ),
    ("optax.lion(learning_rate=1e-2)", None),
    ("optax.lion(3e-4)", None),
    (
        "optax.chain(optax.clip_by_global_norm(3.0), optax.lion(optax.linear_schedule(1e-4, 1e-5, 5000, transition_begin=0)))",
        5000,
    ),
    (
        "optax.lion(0.015625 * 0.01, b1=0.95, b2=0.95, weight_decay=1e-2, mu_dtype=jnp.float32)",
        None,
    ),
    ("optax.adafactor(learning_rate=1e-3)", None),
    ("optax.chain(optax.clip_by_global_norm(1.0), optax.adafactor(learning_rate=1e-3))", None),
    (
        "optax.adafactor(1e-3, multiply_by_parameter_scale=False, momentum=0.9, decay_rate=0.8)",
        None,
    ),
    ("optax.chain(optax.clip(1.0), optax.adamw(1e-4, b1=0.9, b2=0.999))", None),
    ("optax.rmsprop(0.01)", None),
    ("optax.rmsprop(1e-3, decay=0.99, eps=1e-8)", None),
    ("optax.rmsprop(1e-3, decay=0.99, eps=1e-5, centered=True, momentum=0.9)", None),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.rmsprop(optax.exponential_decay(1e-3, 1000, 0.9, staircase=True)))",
        20000,
    ),
    ("optax.rmsprop(1e-2, momentum=0.9, initial_scale=1.0)", None),
    ("optax.chain(optax.clip_by_global_norm(1.0), optax.lamb(1e-3))", None),
    ("optax.lamb(1e-3, weight_decay=0.01)", None),
    ("optax.lars(1e-3)", None),
    ("optax.contrib.prodigy(learning_rate=optax.linear_schedule(1.0, 0.0, 1000))", 1000),
    ("optax.chain(optax.clip(1.0), optax.adamw(optax.linear_schedule(1e-1, 1e-4, 5000, 0)))", None),
    ("optax.apply_if_finite(optax.adamw(1e-4, weight_decay=1e-4), 10000000)", None),
    (
        "optax.apply_if_finite(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3)), max_consecutive_errors=5)",
        None,
    ),
    ("optax.chain(optax.adamw(1e-3), optax.clip_by_global_norm(1.0))", None),
    (
        "optax.apply_if_finite(optax.adam(optax.linear_schedule(1e-3, 1e-4, 10000)), max_consecutive_errors=100)",
        10000,
    ),
    ("optax.contrib.muon(0.02, beta=0.95, ns_steps=5, nesterov=True)", None),
    (
        f"optax.chain(optax.clip_by_global_norm(1.0), optax.contrib.muon({WARM}(0.0, 0.02, 100, 10000, 0.002), beta=0.95, weight_decay=0.1, consistent_rms=0.2))",
        10000,
    ),
    ("optax.contrib.muon(0.02, weight_decay=0.1, adam_weight_decay=0.1)", None),
    (f"optax.adabelief({WARM}(0, 0.3, 80, 800, 0))", 800),
    ("optax.adabelief(1e-3, eps=1e-8)", None),
    ("optax.adabelief(optax.piecewise_constant_schedule(1e-3, {333: 0.25, 666: 0.25}))", 1000),
    ("optax.adabelief(1.0)", None),
    ("optax.adan(1.0)", None),
    ("optax.adagrad(1.0)", None),
    ("optax.adadelta(1.0)", None),
    (
        "optax.partition({'pi': optax.chain(optax.clip_by_global_norm(0.5), optax.add_decayed_weights(1e-4), optax.adam(3e-4)), 'v': optax.adam(1e-3)}, lambda p: jax.tree.map(lambda x: 'pi' if x.ndim > 1 else 'v', p))",
        None,
    ),
    (
        "optax.partition({'kernel': optax.adam(1e-3), 'bias': optax.adam(1e-2)}, lambda p: jax.tree.map(lambda x: 'kernel' if x.ndim > 1 else 'bias', p))",
        None,
    ),
    (
        "optax.partition({'embed': optax.adamw(optax.warmup_constant_schedule(0.0, 1e-2, 100)), 'other': optax.adamw(optax.warmup_constant_schedule(0.0, 1e-3, 100))}, lambda p: jax.tree.map(lambda x: 'other' if x.ndim > 1 else 'embed', p))",
        10000,
    ),
    (
        "optax.chain(optax.adam(1e-3), optax.contrib.reduce_on_plateau(patience=5, cooldown=0, factor=0.5, accumulation_size=50))",
        None,
    ),
    ("optax.chain(optax.adam(1e-2), optax.scale(-1))", None),
    ("optax.chain(optax.adam(1e-3))", None),
    (
        "optax.chain(optax.adamw(1e-3), optax.scale_by_schedule(optax.cosine_decay_schedule(1.0, 1000)))",
        1000,
    ),
    (
        "optax.multi_transform({'means': optax.adam(1e-4), 'quats': optax.adam(1e-3)}, lambda p: jax.tree.map(lambda x: 'means' if x.ndim > 1 else 'quats', p))",
        None,
    ),
    ("optax.chain(optax.adam(3e-4), optax.clip_by_global_norm(5.0))", None),
    ("optax.chain(optax.adam(0.01), optax.keep_params_nonnegative())", None),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.scale_by_schedule(optax.warmup_exponential_decay_schedule(1e-7, 1e-3, 500, 100, 0.97, 500, end_value=5e-8)), optax.scale(-1.0))",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(0.5), optax.adam(3e-4), optax.scale_by_schedule(optax.linear_schedule(1.0, 0.0, 1000)))",
        1000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(0.5), optax.adam(3e-4), optax.scale_by_schedule(optax.constant_schedule(1.0)))",
        1000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8), optax.scale_by_schedule(optax.linear_schedule(1e-3, 0.0, 5000)), optax.scale(-1.0))",
        5000,
    ),
    (
        "optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(1e-2), optax.scale_by_trust_ratio(), optax.scale_by_schedule(optax.cosine_decay_schedule(1e-2, 1000)), optax.scale(-1))",
        1000,
    ),
    (
        "optax.chain(optax.scale_by_rms(decay=0.9, eps=1e-8, initial_scale=0.0), optax.scale_by_schedule(optax.cosine_decay_schedule(1e-3, 1000)), optax.scale(-1), optax.trace(decay=0.9, nesterov=False))",
        1000,
    ),
    (
        "optax.chain(optax.trace(decay=0.95), optax.add_decayed_weights(0.01), optax.scale_by_schedule(optax.join_schedules([optax.linear_schedule(0.0, 0.02, 100), optax.constant_schedule(0.02), optax.linear_schedule(0.02, 0.0, 200)], [100, 800])), optax.scale(-1.0))",
        1000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.warmup_exponential_decay_schedule(0.0, 1e-3, 1_000, 50_000, 0.5, 0, False, 1e-5), weight_decay=1e-4))",
        None,
    ),
    (
        "optax.adam(optax.warmup_exponential_decay_schedule(1e-6, 3e-3, 1000, 2000, 0.9, end_value=1e-5))",
        None,
    ),
    (
        "optax.adam(optax.warmup_exponential_decay_schedule(1e-7, 1e-3, 1_000, 100, 0.99, end_value=5e-6))",
        100000,
    ),
    (
        "optax.adam(optax.warmup_exponential_decay_schedule(0.005, 0.05, 1000, 3000, 0.3679, 2000))",
        10000,
    ),
    (
        "optax.adamw(optax.warmup_exponential_decay_schedule(0.0, 1e-2, 3, 300, 5e-3, end_value=1e-4))",
        300,
    ),
    ("optax.adamw(optax.cosine_onecycle_schedule(50 * 100, 1e-3, div_factor=3))", 5000),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_onecycle_schedule(10000, 1e-3, 0.3, 25.0, 1e4)))",
        10000,
    ),
    (
        "optax.adam(optax.cosine_onecycle_schedule(2000, 4e-4, pct_start=0.05, div_factor=25.0, final_div_factor=1e4))",
        2000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adabelief(optax.cosine_onecycle_schedule(10000, 1e-4)))",
        10000,
    ),
    (
        "optax.adam(optax.join_schedules([optax.cosine_onecycle_schedule(500, 0.0005 - 0.00005 * i, div_factor=1.1, final_div_factor=2) for i in range(10)], [500 * i for i in range(1, 10)]))",
        5000,
    ),
    (
        "optax.chain(optax.adaptive_grad_clip(20), optax.adamw(optax.cosine_onecycle_schedule(5000, 5e-4)))",
        5000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.sgdr_schedule([{'init_value': 0.0, 'peak_value': 1e-3, 'decay_steps': 500, 'warmup_steps': 50, 'end_value': 1e-4}] * 4)))",
        2000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_lion(b1=0.9, b2=0.99), optax.add_decayed_weights(0.01), optax.scale_by_learning_rate(optax.warmup_cosine_decay_schedule(0.0, 3e-4, 500, 10000, 3e-5)))",
        10000,
    ),
    (
        "optax.chain(optax.add_decayed_weights(0.01), optax.scale_by_lion(b1=0.9, b2=0.99), optax.scale_by_learning_rate(1e-3))",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_lion(b1=0.9, b2=0.99), optax.add_decayed_weights(0.01), optax.scale_by_schedule(optax.cosine_decay_schedule(3e-4, 10000)), optax.scale(-1.0))",
        10000,
    ),
    (
        "optax.chain(optax.scale_by_lion(b1=0.9, b2=0.99), optax.scale_by_schedule(optax.linear_schedule(5e-5, 1e-5, 1000)), optax.scale(-1))",
        1000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1000.0), optax.scale_by_adam(eps=1e-8), optax.inject_hyperparams(optax.scale)(optax.linear_schedule(0.0, -1e-4, 1000)))",
        None,
    ),
    (
        "optax.chain(optax.scale_by_rms(decay=0.9, eps=1e-8), optax.scale_by_learning_rate(optax.cosine_decay_schedule(1e-3, 1000)))",
        1000,
    ),
    (
        "optax.chain(optax.sgd(0.01), optax.scale_by_learning_rate(optax.cosine_decay_schedule(0.01, 1000)))",
        1000,
    ),
    (
        "optax.chain(optax.scale_by_rms(0.9), optax.scale_by_schedule(optax.exponential_decay(-0.05, 300, 0.1)))",
        None,
    ),
    (
        "optax.chain(optax.adaptive_grad_clip(0.3), optax.scale_by_rms(0.999, 1e-20), optax.trace(0.9, nesterov=False), optax.scale(-4e-5))",
        None,
    ),
    (
        "optax.chain(optax.zero_nans(), optax.adaptive_grad_clip(0.3), optax.scale_by_rms(decay=0.99, eps=1e-20), optax.trace(decay=0.9, nesterov=False), optax.scale(-4e-5 * (1.0 - 0.9)))",
        None,
    ),
    (
        "optax.chain(optax.trace(decay=0.9, nesterov=True), optax.add_decayed_weights(1e-4), optax.scale(-0.1))",
        None,
    ),
    (
        "optax.chain(optax.trace(decay=0.9, nesterov=True), optax.scale_by_schedule(lambda count: -optax.cosine_onecycle_schedule(3900, 0.1)(count)))",
        3900,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.chain(optax.trace(decay=0.9, nesterov=False), optax.scale_by_sign(), optax.scale(-0.1)))",
        None,
    ),
    (
        "optax.chain(optax.add_decayed_weights(5e-4), optax.trace(decay=0.9, nesterov=False), optax.stateless(lambda u, p: jax.tree.map(jnp.sign, u)), optax.scale(-1e-3))",
        None,
    ),
    (
        "optax.masked(optax.lars(0.1, momentum=0.9, nesterov=True), lambda p: jax.tree.map(lambda x: x.ndim >= 2, p))",
        None,
    ),
    (
        "optax.lars(optax.warmup_cosine_decay_schedule(0.0, 0.3, 1000, 10000), weight_decay=1e-6, trust_coefficient=0.02, trust_ratio_mask=lambda p: jax.tree.map(lambda x: x.ndim >= 2, p), weight_decay_mask=lambda p: jax.tree.map(lambda x: x.ndim >= 2, p), momentum=0.9)",
        10000,
    ),
    ("optax.lars(learning_rate=0, weight_decay=0, momentum=0)", None),
    (
        "optax.chain(optax.adaptive_grad_clip(0.001), optax.centralize(), optax.scale_by_adam(0.99, 0.999), optax.add_decayed_weights(1e-3), optax.scale(-1e-5))",
        None,
    ),
    ("optax.chain(optax.centralize(), optax.lion(3e-4))", None),
    (
        "optax.chain(optax.centralize(), optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(0.01, 200)))",
        200,
    ),
    ("optax.chain(optax.adaptive_grad_clip(0.5, eps=0.001), optax.nadamw(1e-3))", None),
    ("optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3), optax.ema(0.995))", None),
    ("optax.chain(optax.clip_by_global_norm(1.0), optax.nadamw(3e-4, weight_decay=0.01))", None),
    ("optax.chain(optax.zero_nans(), optax.clip(1.0), optax.adam(1e-3))", None),
    (
        "optax.chain(optax.zero_nans(), optax.adaptive_grad_clip(0.1), optax.adamw(3e-4, weight_decay=0.1))",
        None,
    ),
    (
        "optax.apply_if_finite(optax.chain(optax.zero_nans(), optax.clip_by_global_norm(1.0), optax.adamw(1e-3)), 5)",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.zero_nans(), optax.adamw(optax.join_schedules([optax.linear_schedule(0.0, 1e-4, 1000), optax.cosine_decay_schedule(1e-4, 6600), optax.cosine_decay_schedule(1e-4, 13200), optax.cosine_decay_schedule(1e-4, 26400), optax.cosine_decay_schedule(1e-4, 52800)], [1000, 7600, 20800, 47200]), weight_decay=1e-2, b2=0.95))",
        100000,
    ),
    (
        "optax.chain(optax.adaptive_grad_clip(0.4), optax.centralize(), optax.add_decayed_weights(0.001), optax.radam(optax.cosine_decay_schedule(3e-3, 1e4, 1e-6), b1=0.9, b2=0.99, eps=1e-6))",
        10000,
    ),
    (
        "optax.chain(optax.clip(0.2), optax.adaptive_grad_clip(0.15), optax.adam(optax.cosine_decay_schedule(3e-3, 9000, 1e-7), b2=0.99))",
        9000,
    ),
    (
        "optax.apply_if_finite(optax.adamw(optax.warmup_cosine_decay_schedule(1e-5, 1e-4, 200, 50000, 1e-5), weight_decay=0.1), 20)",
        50000,
    ),
    (
        "optax.chain(optax.inject_hyperparams(optax.trace)(optax.cosine_onecycle_schedule(1000, 0.95, div_factor=0.95 / 0.85, final_div_factor=1)), optax.inject_hyperparams(optax.scale)(optax.cosine_onecycle_schedule(1000, 0.01)), optax.scale(-1), optax.clip_by_block_rms(0.01))",
        1000,
    ),
    ("optax.chain(optax.clip_by_global_norm(1.0), optax.radam(3e-4))", None),
    (
        "optax.chain(optax.scale_by_adam(), optax.masked(optax.add_decayed_weights(1e-4), lambda p: jax.tree.map(lambda x: x.ndim >= 2, p)), optax.scale(-3e-4))",
        None,
    ),
    (
        "optax.nadamw(optax.join_schedules([optax.constant_schedule(1e-3), optax.linear_schedule(1e-3, 1e-4, 5000)], [5000]), b1=0.9, b2=0.98, eps=1e-7, weight_decay=1e-4, mask=lambda p: jax.tree.map(lambda x: x.ndim >= 2, p))",
        10000,
    ),
    (
        "optax.adam(optax.join_schedules([optax.cosine_onecycle_schedule(9000, 1e-3, pct_start=0.02 / 0.9, div_factor=10, final_div_factor=10), optax.exponential_decay(1e-5, 1000, 0.1)], [9000]))",
        10000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(0.25), optax.scale_by_adam(b2=0.98, eps=1e-06), optax.scale_by_schedule(lambda s: 5e-4 * 0.5 * (1 + jnp.cos(jnp.pi * jnp.maximum(s - 1000, 0) / 9000)) * jnp.minimum(s / 1000, 1.0)), optax.scale(-1))",
        10000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(0.5), optax.adam(learning_rate=lambda count: 2.5e-4 * (1 - count / 1000), eps=1e-5))",
        1000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(0.5), optax.adamw(optax.linear_schedule(3e-4, 1e-5, 10000), weight_decay=1e-2, eps=1e-5))",
        10000,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.warmup_cosine_decay_schedule(0.0, 3e-4, 1000, 9000, 3e-5), weight_decay=0.01))",
        10000,
    ),
    (
        "optax.MultiSteps(optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_lion(b1=0.9, b2=0.99, mu_dtype=jnp.bfloat16), optax.add_decayed_weights(0.1, mask=lambda p: jax.tree.map(lambda x: x.ndim >= 2, p)), optax.scale_by_learning_rate(optax.warmup_cosine_decay_schedule(0.0, 1e-4, 2000, 100000, 1e-5))), every_k_schedule=4, use_grad_mean=True).gradient_transformation()",
        400000,
    ),
    (
        "optax.adafactor(1e-3, multiply_by_parameter_scale=False, momentum=0.9, decay_rate=0.999, weight_decay_rate=1e-4)",
        None,
    ),
    (
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.join_schedules([optax.linear_schedule(0.0, 2e-5, 500), optax.constant_schedule(2e-5)], [500])), optax.ema(decay=0.999))",
        10000,
    ),
    ("optax.fromage(0.01, min_norm=1e-6)", None),
    (
        "optax.contrib.muon(learning_rate=optax.warmup_cosine_decay_schedule(0.0, 1e-3, 100, 1000))",
        1000,
    ),
    (
        "optax.chain(optax.adam(1e-3), optax.contrib.reduce_on_plateau(factor=0.1, patience=1, rtol=1e-4, cooldown=3))",
        None,
    ),
    (
        "optax.contrib.prodigy(lambda step: optax.cosine_decay_schedule(1e-3, 1000)(step) / 1e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)",
        1000,
    ),
    (
        "optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(0.1, momentum=0.9, nesterov=True))",
        None,
    ),
    (
        "optax.chain(optax.scale_by_adam(b1=0.9, b2=0.95, eps=1e-8, eps_root=0.0, mu_dtype=None, nesterov=False), optax.add_decayed_weights(0.1, mask=lambda p: jax.tree.map(lambda x: x.ndim >= 2, p)), optax.scale_by_learning_rate(optax.join_schedules([optax.linear_schedule(0.0, 3e-5, 1500), optax.cosine_decay_schedule(3e-5, 13500, alpha=0.1)], [1500])))",
        15000,
    ),
]

_COUPLED = ("LO104", "the decay is in front of Adam, which divides it")
_LATE = ("LO105", "the clip is behind the learning rate")
_NONE = ("LO107", "the warm-up from 0 has 0 steps, by the default of the repository")
MISTAKES = {
    "optax.sgd(1e-3), optax.adaptive_grad_clip": _LATE,
    "optax.adam(1e-4), optax.clip_by_global_norm(1.0)": _LATE,
    "optax.adamw(1e-3), optax.clip_by_global_norm(1.0)": _LATE,
    "optax.adam(3e-4), optax.clip_by_global_norm(5.0)": _LATE,
    "optax.add_decayed_weights(1e-3), optax.adam(3e-3)": _COUPLED,
    "optax.add_decayed_weights(1e-4), optax.adam(1e-3)": _COUPLED,
    "optax.add_decayed_weights(1e-6), optax.adam(1e-3": _COUPLED,
    "optax.add_decayed_weights(1e-4), optax.adam(3e-4)": _COUPLED,
    "(0.0, 1e-3, 0, 5000, 1e-7)": _NONE,
    "optax.linear_schedule(0, 1e-3, 0)": _NONE,
    "optax.masked(optax.adam(0.6)": ("LO102", "the masked leaves receive their gradients"),
    "optax.add_decayed_weights(0.01), optax.scale_by_lion": ("LO104", "the sign hides its size"),
    "optax.add_decayed_weights(5e-4), optax.trace(": ("LO104", "the sign hides its size"),
    "optax.masked(optax.lars(": ("LO102", "the masked leaves receive their gradients"),
    "optax.scale(-1), optax.clip_by_block_rms(0.01)": _LATE,
    "optax.sgd(0.01), optax.scale_by_learning_rate": ("LO101", "two learning rates, two signs"),
    "optax.adam(1e-2), optax.scale(-1)": ("LO101", "two minus signs: it maximizes, on purpose"),
}
