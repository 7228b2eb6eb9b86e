"""Tabs of a real browser that note what a page must not do."""

import re
import shutil
from pathlib import Path

SCREENSHOTS = Path(__file__).parents[1] / "build" / "docs" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOCAL = "file:|data:|blob:"


def executable() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Visit:
    """A tab in a profile of its own; every request but to `allowed` is refused, and a fault."""

    def __init__(self, browser, width=1280, scheme="light", allowed="", **options):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            **{"reduced_motion": "reduce", **options},
        )
        self.faults: list[str] = []
        permitted = "|".join(filter(None, (LOCAL, re.escape(allowed))))
        self.context.route(re.compile(f"^(?!{permitted})"), self._refuse)
        self.tab = self.context.new_page()
        self.tab.on("console", self._listen)
        self.tab.on("pageerror", lambda error: self.faults.append(f"raised {error}"))
        self.tab.on("requestfailed", self._note_failed)

    def _note_failed(self, request):
        if request.failure != "net::ERR_ABORTED":  # the next page was opened meanwhile
            self.faults.append(f"did not find {request.url}")

    def _refuse(self, route):
        self.faults.append(f"requested {route.request.url}")
        route.abort()

    def _listen(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"logged {message.text}")

    def wider(self) -> list[str]:
        """Return the fault of a page that scrolls sideways, if it does."""
        wide = self.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return [f"is {wide} pixels wider than the window"] if wide > 0 else []

    def close(self):
        self.context.close()
