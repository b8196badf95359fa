"""A headless Chromium that looks at a studio as a person would, and notes what goes wrong."""

import json
import shutil
import time

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")


def need_browser():
    """Skip where there is no browser to drive."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    if not (CHROMIUM and DRIVER):
        pytest.skip("there is no chromium with its chromedriver (apt-get install chromium-driver)")


class Browser:
    """A window on a page.

    Args:
        address: of the page.
        size: width and height of the window.
        dark: whether the user likes it dark.
    """

    def __init__(self, address, size=(1280, 900), dark=False):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        words = ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars")
        for word in (*words, "disable-background-networking", "disable-component-update"):
            options.add_argument(f"--{word}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
        screen["mobile"] = size[0] < 600
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.get(address)
        self.until("return document.querySelectorAll('[role=tab]').length > 0")

    def close(self):
        self.driver.quit()

    def run(self, script, *given):
        """What a script returns."""
        return self.driver.execute_script(script, *given)

    def until(self, script, *given, seconds=60):
        """Wait until a script returns something true, and return it."""
        deadline = time.monotonic() + seconds
        while not (found := self.run(script, *given)):
            assert time.monotonic() < deadline, (script, self.problems(), self.run(
                "return document.getElementById('panel').innerText.slice(0, 500)"
            ))  # fmt: skip
            time.sleep(0.05)
        return found

    def model(self, name):
        """Choose a model."""
        self.run(
            "const s = document.getElementById('model'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('change'))", name,
        )  # fmt: skip
        self.until("return document.getElementById('facts').textContent.length > 0")

    def tab(self, name):
        """Open a tab."""
        self.run("document.getElementById('tab-' + arguments[0]).click()", name)

    def find(self, selector):
        """The elements of a selector."""
        from selenium.webdriver.common.by import By

        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def button(self, text):
        """The shown button of a text."""
        self.until(
            "return [...document.querySelectorAll('#panel button')]"
            ".some(b => b.textContent === arguments[0])", text,
        )  # fmt: skip
        return next(one for one in self.find("#panel button") if one.text == text)

    def slide(self, selector, value):
        """Move a slider."""
        self.run(
            "const s = document.querySelector(arguments[0]); s.value = arguments[1];"
            "s.dispatchEvent(new Event('input', {bubbles: true}));"
            "s.dispatchEvent(new Event('change', {bubbles: true}))", selector, value,
        )  # fmt: skip

    def problems(self):
        """What the console says that is worse than a note."""
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]

    def asked_elsewhere(self, host):
        """Addresses of other hosts that the page asked for."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith((f"http://{host}/", "data:", "blob:", "about:")):
                    found.append(url)
        return found
