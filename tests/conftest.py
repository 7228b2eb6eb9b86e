"""What tests in a browser share."""

import pytest

from tests.browsing import executable


@pytest.fixture(scope="module")
def browser():
    """Chromium of the system: Playwright downloads none."""
    from playwright.sync_api import sync_playwright

    path = executable()
    if path is None:
        pytest.fail("no Chromium is installed: on Debian and Ubuntu, `apt-get install chromium`")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()
