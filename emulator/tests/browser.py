"""A real browser, driven by Selenium: the Chromium and the chromedriver of this machine."""

from __future__ import annotations

import os
import shutil
from unittest.mock import patch

import pytest

WAIT_SECONDS = 240
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no Chromium with a chromedriver here: .ci/browser installs them on Debian",
)


class Browser:
    """One window; it waits for what a page is to show."""

    def __init__(self, profile):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for word in ("headless=new", "disable-gpu", "disable-dev-shm-usage", "no-proxy-server",
                     "no-first-run", "window-size=1400,1200", f"user-data-dir={profile}"):  # fmt: skip
            options.add_argument(f"--{word}")
        if os.getuid() == 0:
            options.add_argument("--no-sandbox")  # Chromium's own does not work for root
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # Selenium would ask a proxy of the environment for the chromedriver of this machine
        direct = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        with patch.dict(os.environ, direct, clear=True):
            self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))

    def open(self, url):
        self.driver.get(url)
        return self

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def text(self, selector):
        return self.find(selector).text

    def script(self, words):
        return self.driver.execute_script(words)

    def until(self, seen, about=""):
        """Wait until `seen()` gives something true, and give it."""
        from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
        from selenium.webdriver.support.wait import WebDriverWait

        gone = (NoSuchElementException, StaleElementReferenceException)  # the page draws anew all the time
        wait = WebDriverWait(self.driver, WAIT_SECONDS, poll_frequency=0.1, ignored_exceptions=gone)
        return wait.until(lambda _: seen(), about)

    def until_text(self, selector, words):
        """Wait until an element shows the words; give all that it shows."""
        return self.until(
            lambda: words in (shown := self.text(selector)) and shown, f"{words!r} in {selector}"
        )

    def choose(self, selector, value):
        from selenium.webdriver.support.select import Select

        self.until(
            lambda: Select(self.find(selector)).select_by_value(value) or True, f"{value} in {selector}"
        )

    def write(self, selector, words):
        field = self.find(selector)
        field.clear()
        field.send_keys(words)

    def complaints(self):
        """What the page or the browser has said on the console since the last look."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def close(self):
        self.driver.quit()
