"""The report of a run as one HTML page that loads nothing else."""

import base64
import html
import io

from ..._core.extras import require
from ..loop.run import History
from .plots import plot

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Training run</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto }}
img {{ max-width: 100%; height: auto }}
pre {{ overflow-x: auto }}
</style></head><body>
<h1>Training run</h1>
<pre>{text}</pre>
<img alt="Losses, learning rate and sizes of the steps" src="data:image/png;base64,{picture}">
</body></html>
"""


def page_of(text: str, history: History) -> str:
    """Return the page: the report, and the plot of the run.

    **Raises** `ImportError` without Matplotlib, naming the extra.
    """
    figures = require("matplotlib.figure", extra="plot", what="plots")
    figure, stream = figures.Figure(figsize=(7, 7), layout="constrained"), io.BytesIO()
    plot(history, figure=figure)
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    picture = base64.b64encode(stream.getvalue()).decode("ascii")
    return PAGE.format(text=html.escape(text), picture=picture)
