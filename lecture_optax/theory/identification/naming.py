"""Names of methods in words."""

from .structure import Structure

_VELOCITIES = {
    "trace": "with momentum",
    "nesterov": "with Nesterov momentum",
    "dampened": "with dampened momentum",
    "corrected": "with averaged gradients, corrected for their start",
}
_PLACES = {
    "outside": "ε outside the root",
    "inside": "ε inside the root",
    "hat": "ε added before the bias correction",
    "hat_inside": "ε inside the root, added before the bias correction",
    "average": "ε inside the average of squares",
}
_USUAL = {"adam": "outside", "amsgrad": "outside", "nadam": "outside", "adamax": "inside"}
_USUAL |= {"rmsprop": "inside", "adagrad": "inside"}
_CLIPS = {
    "value": "clipping by value",
    "global": "clipping by the global norm",
    "leaf": "clipping by the norm of each leaf",
    "rms": "clipping by the rms of each leaf",
}


def name_of(s: Structure, *, eps_known: bool = True, ascends: bool = False) -> str:
    """Return the method as "adamw", with what is unusual about it after a comma."""
    head, parts = s.name, []
    if s.name == "sgd" and s.velocity != "gradient":
        head = f"sgd {_VELOCITIES[s.velocity]}"
    if s.name == "sgd" and s.momentum:
        head = f"sgd {_VELOCITIES[s.momentum]}"
    if s.decay == "decoupled" and s.name in ("adam", "nadam", "adamax"):
        head = f"{s.name}w"
    elif s.decay is not None:
        parts.append(f"{s.decay} weight decay")
    if s.magnitude == "variance":
        head = "centred rmsprop"
    if s.name == "rmsprop" and s.momentum:
        head += f" {_VELOCITIES[s.momentum]}"
    parts += _corrections(s)
    if s.velocity in ("nadam_torch", "nadam_keras"):
        decay = {"nadam_torch": "0.004", "nadam_keras": "1"}[s.velocity]
        parts.append(f"a momentum that moves (momentum_decay={decay})")
    if s.maximum == "before":
        parts.append("the maximum before the bias correction")
    if s.rate_inside:
        parts.append("the learning rate inside the velocity")
    if s.initial and s.name != "adagrad":
        parts.append("an initial accumulator")
    if eps_known and s.eps is not None and s.eps != _USUAL[s.name]:
        parts.append(_PLACES[s.eps])
    if s.clip is not None:
        parts.append(_CLIPS[s.clip])
    if ascends:
        parts.append("with the opposite sign: it ascends")
    return ", ".join([head, *parts])


def _corrections(s: Structure) -> list[str]:
    """Return what the method corrects for its start, where that is not the usual."""
    if s.name == "rmsprop":
        return ["bias correction"] * s.correction
    if s.name == "adamax":
        return ["without bias correction"] * (s.velocity == "average")
    if s.name not in ("adam", "amsgrad"):
        return []
    first = s.velocity != "average"
    return {
        (True, True): [],
        (False, False): ["without bias correction"],
        (True, False): ["bias correction of the first moment only"],
        (False, True): ["bias correction of the second moment only"],
    }[first, s.correction]
