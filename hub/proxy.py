"""The hub's proxy, wide enough for a class: configurable-http-proxy as it comes forwards ten requests at a time.

Those that wait longer than 20 s are answered by an error (503), and ten students who start their servers at once
already hold all ten places. Takes the arguments of `configurable-http-proxy`.
"""

from configurable_http_proxy.cli import main
from tornado.httpclient import AsyncHTTPClient

AT_ONCE = 1000  # requests; a page of JupyterLab asks for about ten
PATIENCE = 600_000  # milliseconds for an answer; where forty start together, one can take a minute

if __name__ == "__main__":
    AsyncHTTPClient.configure(None, max_clients=AT_ONCE)
    main(default_map={"proxy_timeout": PATIENCE})
