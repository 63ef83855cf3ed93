"""An HTTP server on loopback that can interrupt connections and refuse ranges."""

import contextlib
import dataclasses
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass
class Server:
    """State of a server of one file, which can interrupt connections and refuse ranges.

    Parameters
    ----------
    content, others
        Bytes of the file, and of files at other paths.
    cut_at
        Bytes after which each of the next connections is closed.
    ranges
        Whether requests for a part of the file are answered with that part.
    status
        HTTP status of every response.
    asked
        The header Range of each request so far.
    address
        Of the file.
    """

    content: bytes
    others: dict[str, bytes] = dataclasses.field(default_factory=dict)
    cut_at: list[int] = dataclasses.field(default_factory=list)
    ranges: bool = True
    status: int = 200
    asked: list[str | None] = dataclasses.field(default_factory=list)
    address: str = ''


@contextlib.contextmanager
def serve(content):
    """Run a server on loopback and yield its state."""
    state = Server(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers['Range']
            state.asked.append(asked)
            start = int(asked[6:-1]) if asked and state.ranges else 0
            content = state.others.get(self.path, state.content)
            body = content[start:]
            if state.status != 200:
                self.send_error(state.status)
                return
            self.send_response(206 if start else 200)
            self.send_header('Content-Length', str(len(body)))
            if start:
                last = len(content) - 1
                self.send_header('Content-Range', f'bytes {start}-{last}/{last + 1}')
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the client may have read enough
                self.wfile.write(body[: state.cut_at.pop(0)] if state.cut_at else body)

        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={'poll_interval': 0.02})
    thread.start()
    state.address = f'http://127.0.0.1:{httpd.server_port}/net.tar.gz'
    try:
        yield state
    finally:
        httpd.shutdown()
        thread.join(5)
        httpd.server_close()
