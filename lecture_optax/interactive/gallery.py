"""The optimizers and schedules that the page offers; each is a text as one may type it."""

METHODS: dict[str, str] = {
    "Gradient descent": "lo.sgd(0.1)",
    "Heavy ball": "lo.sgd(0.1, momentum=0.9)",
    "Nesterov": "lo.sgd(0.1, momentum=0.9, nesterov=True)",
    "Nesterov with restart": "lo.chain(lo.restart(lo.nesterov_trace(0.9)), "
    "lo.scale_by_learning_rate(0.1))",
    "AdaGrad": "lo.adagrad(0.5, initial_accumulator_value=0.1, eps=1e-07)",
    "RMSProp": "lo.rmsprop(0.05, decay=0.9, eps=1e-08)",
    "Adam": "lo.adam(0.1, b1=0.9, b2=0.999, eps=1e-08)",
    "Adam without bias correction": "lo.chain(lo.precondition(lo.first_moment(0.9), "
    "by=lo.chain(lo.second_moment(0.999), lo.inverse_root(1e-08))), "
    "lo.scale_by_learning_rate(0.1))",
    "AdamW": "lo.adamw(0.1, b1=0.9, b2=0.999, eps=1e-08, weight_decay=0.01)",
    "NAdam": "lo.nadam(0.1, b1=0.9, b2=0.999, eps=1e-08)",
    "AMSGrad": "lo.amsgrad(0.1, b1=0.9, b2=0.999, eps=1e-08)",
    "AdaMax": "lo.adamax(0.1, b1=0.9, b2=0.999, eps=1e-08)",
    "Newton": "lo.chain(lo.newton(0.0), lo.scale_by_learning_rate(0.5))",
}

FIRST = "Gradient descent", "Heavy ball", "Adam"
"""The methods with which a page opens."""

RATE = "{rate}"
"""Stands for the learning rate that a schedule replaces."""

SCHEDULES: dict[str, str] = {
    "constant": RATE,
    "cosine": f"lo.schedules.cosine({RATE}, total_steps=200)",
    "warm restarts": f"lo.schedules.warm_restarts({RATE}, period=40, period_factor=2.0)",
    "1/k": f"lo.schedules.inverse_time({RATE}, decay_rate=0.1, power=1.0)",
    "exponential": f"lo.schedules.exponential({RATE}, decay_rate=0.98)",
    "warm-up, stable, decay": f"lo.schedules.wsd({RATE}, total_steps=200, warmup_steps=20)",
    "one cycle": f"lo.schedules.one_cycle({RATE}, total_steps=200)",
}

AVERAGE = "lo.average_iterates(8.0)"
"""Stands last in a chain: an average of the iterates."""
