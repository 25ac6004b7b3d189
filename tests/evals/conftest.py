"""A Chromium for looking at pages, apart from the one that the agent drives."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        others = [
            path
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (path := Path("/usr/bin", name)).exists()
        ]
        executable = own if own.exists() else others[0]
        with playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGS) as browser:
            yield browser.new_page(viewport={"width": 1280, "height": 720})
