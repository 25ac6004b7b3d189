"""A Chromium for looking at pages, apart from the one that the agent drives."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from environments.chromium import borrow_playwright, launch_chromium, return_playwright


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    playwright = borrow_playwright()
    try:
        with launch_chromium(playwright) as browser:
            yield browser.new_page(viewport={"width": 1280, "height": 720})
    finally:
        return_playwright()
