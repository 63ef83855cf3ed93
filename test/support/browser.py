"""A page in headless Chromium, driven by its debugging protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
import urllib.request

from websockets.sync.client import connect

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
# Software rendering: machines that test have no GPU.
FLAGS = (
    '--headless=new', '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader', '--window-size=1400,900', '--remote-debugging-port=0',
    '--remote-debugging-address=127.0.0.1', '--no-first-run', '--disable-gpu-vsync',
)  # fmt: skip
START_S = 60


class Page:
    """One page; use it as a context.

    Parameters
    ----------
    address
        To open.
    profile
        An empty folder for the browser's files.
    """

    def __init__(self, address, profile):
        self.numbers = itertools.count(1)
        command = [CHROMIUM, *FLAGS, f'--user-data-dir={profile}', address]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        port = self._wait(lambda: (profile / 'DevToolsActivePort').read_text().splitlines()[0])
        target = self._wait(lambda: self._page(port))
        self.socket = connect(target, max_size=None)

    def _page(self, port):
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/json', timeout=5) as answer:
            pages = [one for one in json.load(answer) if one['type'] == 'page']
        return pages[0]['webSocketDebuggerUrl']

    def _wait(self, get):
        deadline_s = time.monotonic() + START_S
        while True:
            try:
                return get()
            except (OSError, IndexError, ValueError):
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.2)

    def call(self, method, **parameters):
        """Call a method of the protocol and return its result."""
        number = next(self.numbers)
        self.socket.send(json.dumps({'id': number, 'method': method, 'params': parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            if message.get('id') == number:
                return message['result']

    def evaluate(self, expression):
        """Return the value of JavaScript."""
        found = self.call('Runtime.evaluate', expression=expression, returnByValue=True)
        return found['result'].get('value')

    def text(self):
        """Return the visible text."""
        return self.evaluate('document.body ? document.body.innerText : ""') or ''

    def screenshot(self, path):
        """Write a PNG."""
        path.write_bytes(base64.b64decode(self.call('Page.captureScreenshot')['data']))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
