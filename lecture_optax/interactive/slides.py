"""The slides of the lecture: for each formula a state of the page, and what to drag in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .expression import read
from .gallery import METHODS
from .landscapes import LANDSCAPES, Landscape


@dataclass(frozen=True)
class Slide:
    """A prepared state.

    - `slide`: as in the table of docs/explanation/slides.md.
    - `sentence`: what to drag, and what one sees.
    - `methods`: titles of the gallery, or texts.
    - `view`: the curve that the slide is about.
    - `landscape`, `controls`, `settings`: where they differ from the first state.
    """

    slide: str
    sentence: str
    methods: tuple[str, ...]
    view: str = "loss"
    landscape: str = "quadratic"
    controls: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, int] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        state = state_on(
            LANDSCAPES[self.landscape], [METHODS.get(method, method) for method in self.methods]
        )
        return {**state, **self.settings, "controls": {**state["controls"], **self.controls}}

    def record(self) -> dict[str, Any]:
        return {
            "slide": self.slide,
            "sentence": self.sentence,
            "state": self.state(),
            "view": self.view,
        }


def state_on(landscape: Landscape, methods: Sequence[str]) -> dict[str, Any]:
    """Return the state of methods on a landscape, from its own start."""
    return {
        "landscape": landscape.name,
        "controls": {handle.name: handle.value for handle in landscape.controls},
        "start": list(landscape.start),
        "batch": 8,
        "seed": 0,
        "steps": 200,
        "methods": [read(text).text for text in methods],
    }


NAMED = {"Averaged gradient": "lo.chain(lo.first_moment(0.9), lo.scale_by_learning_rate(1.0))"}
"""Methods of the slides that are not in the gallery, with their titles."""

SLIDES = (
    Slide(
        "the energy, divided by the number of examples",
        "The energy is the mean loss of all examples, and a batch estimates it. Drag the batch "
        "size from 64 down to 1: the path becomes noisy and no longer settles in the minimum.",
        ("lo.sgd(0.5)",),
        landscape="noisy_quadratic",
        settings={"batch": 64},
    ),
    Slide(
        "momentum",
        "The sum of the gradients moves faster along the flat direction. Drag momentum μ to 0.98: "
        "the path swings past the minimum. With μ = 0.9, drag the learning rates τ: gradient "
        "descent diverges above 2, heavy ball above 3.8.",
        ("Gradient descent", "Heavy ball"),
        view="region",
    ),
    Slide(
        "Nesterov",
        "The look-ahead damps the oscillation, but tolerates less. Drag the learning rates τ: "
        "Nesterov diverges above 1.357, heavy ball above 3.8.",
        ("lo.sgd(1.0, momentum=0.9)", "lo.sgd(1.0, momentum=0.9, nesterov=True)"),
        view="region",
    ),
    Slide(
        "restart if the velocity points uphill",
        "A large momentum overshoots the minimum, and the loss rises again and again. The restart "
        "sets the velocity to 0 where it points uphill. Drag momentum μ of both: without a "
        "restart, 0.99 is worse than 0.9.",
        (
            "lo.sgd(0.5, momentum=0.99, nesterov=True)",
            "lo.chain(lo.restart(lo.nesterov_trace(0.99)), lo.scale_by_learning_rate(0.5))",
        ),
    ),
    Slide(
        "AdaGrad",
        "Each entry of the gradient is divided by the root of the sum of its squares, so that a "
        "steep wall and a gentle slope get similar steps. Drag steepness s up: gradient descent "
        "jumps from wall to wall, and AdaGrad descends.",
        ("Gradient descent", "AdaGrad"),
        landscape="ravine",
    ),
    Slide(
        "RMSProp",
        "AdaGrad divides by a sum that only grows, and its steps shrink. RMSProp's average forgets "
        "the large gradients, and its steps end at 0.071, √2 times its learning rate τ: drag τ, "
        "and they follow.",
        ("AdaGrad", "RMSProp"),
        view="update",
        settings={"steps": 500},
    ),
    Slide(
        "the position of ε",
        "Inside the root, ε counts like √ε outside: 0.0001 inside (second line) acts like 0.01 "
        "outside (first line). The same 0.0001 outside (third line) leaves longer steps at the "
        "end. Drag each ε.",
        (
            "lo.adam(0.1, b1=0.9, b2=0.9, eps=0.01)",
            "lo.adam(0.1, b1=0.9, b2=0.9, eps=0.0, eps_root=0.0001)",
            "lo.adam(0.1, b1=0.9, b2=0.9, eps=0.0001)",
        ),
        view="update",
    ),
    Slide(
        "Adam's velocity",
        "Adam averages the gradients, heavy ball adds them up. With ten times the learning rate, "
        "the averaged gradient takes the same path, and one line hides the other. Drag β₁ or "
        "momentum μ: the paths separate.",
        ("Heavy ball", NAMED["Averaged gradient"]),
        view="modes",
    ),
    Slide(
        "bias correction",
        "Both averages start at 0, and that of the squares is at first far too small: the first "
        "step without the correction is 3.2 times as long. Drag the second line's β₂ to 0.99: its "
        "first step is as long as Adam's, and its longest 0.25, not 0.65.",
        ("Adam", "Adam without bias correction"),
        view="update",
        settings={"steps": 40},
    ),
    Slide(
        "Adam and its variants",
        "One block is exchanged: NAdam looks ahead, AMSGrad divides by the largest average so far. "
        "Drag Adam's β₂ down to 0.9: it forgets the first, large gradients, and its late steps "
        "are over 3 times as long. AMSGrad's stay as they are.",
        ("Adam", "NAdam", "AMSGrad"),
        view="update",
    ),
    Slide(
        "the learning rate",
        "A step of gradient descent multiplies each direction by 1 - τλ. Drag learning rate "
        "τ: the predicted rate per step is lowest at 1.98 = 2/(λ₁ + λ₂), and above 2 the steep "
        "direction diverges.",
        ("Gradient descent",),
        view="modes",
    ),
    Slide(
        "1/k",
        "With a constant learning rate the noise keeps the path away from the minimum. A decay "
        "like 1/k lets it in. Drag decay rate d: if it is too large, the path stops early.",
        ("lo.sgd(0.5)", "lo.sgd(lo.schedules.inverse_time(0.5, decay_rate=0.02, power=1.0))"),
        landscape="noisy_quadratic",
        settings={"batch": 1, "steps": 500},
    ),
    Slide(
        "warm restarts",
        "The learning rate is half a cosine, repeated: it returns to its first value at steps 40 "
        "and 120. The noise grows with it: the loss, which was low before, rises again. Drag the "
        "period.",
        ("lo.sgd(lo.schedules.warm_restarts(0.5, period=40, period_factor=2.0))",),
        view="learning_rate",
        landscape="noisy_quadratic",
        settings={"batch": 1, "steps": 280},
    ),
    Slide(
        "an average instead of a decay",
        "The learning rate stays, and the path keeps its noise; the average of the path comes "
        "closer to the minimum. Drag η: a larger one forgets the start sooner, and keeps more "
        "noise.",
        ("lo.chain(lo.sgd(0.5), lo.average_iterates(8.0))",),
        landscape="noisy_quadratic",
        settings={"batch": 1, "steps": 500},
    ),
    Slide(
        "D as a matrix",
        "Newton's D is the inverse of the Hessian: the path is straight, and with τ = 0.5, every "
        "step halves the distance. Drag the condition number and the rotation: its path does not "
        "change, those of the others do.",
        ("Gradient descent", "Adam", "Newton"),
    ),
    Slide(
        "the recipe",
        "The recipe tries several learning rates for a few steps and trains with the best one. Of "
        "these three, 1.0 is the best: a tenth of it is slow, and four times as much diverges.",
        tuple(f"lo.sgd({rate}, momentum=0.9)" for rate in (0.1, 1.0, 4.0)),
        settings={"steps": 100},
    ),
)
