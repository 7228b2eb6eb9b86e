"""What was compiled, by name, since the list was last cleared."""

import jax

COMPILED: list[str] = []


def _listen(event, seconds, **about):
    if event == "/jax/core/compile/backend_compile_duration":
        COMPILED.append(about.get("fun_name", "a program"))


jax.monitoring.register_event_duration_secs_listener(_listen)
