"""The guard on the network: it refuses or notes other machines, leaves loopback alone, can be switched."""

import contextlib
import re
import socket
import subprocess
import sys

import pytest

from tinyfrontier._network import is_local, watched_network
from tinyfrontier.authoring.offline import GUARD

LOOKUPS = {
    "getaddrinfo": "socket.getaddrinfo('course.invalid', 80)",
    "gethostbyname": "socket.gethostbyname('course.invalid')",
    "gethostbyaddr": "socket.gethostbyaddr('192.0.2.1')",
    "urlopen": "__import__('urllib.request').request.urlopen('http://course.invalid')",
}
CONNECTIONS = {
    "connect": "socket.socket().connect(('192.0.2.1', 9))",
    "connect_ex": "socket.socket().connect_ex(('192.0.2.1', 9))",
    "sendto": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
    "IPv6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 9, 0, 0))",
}


def guarded(code: str) -> subprocess.CompletedProcess:
    """Run code in a process of its own, as in a kernel: a hook could never be taken out of this one."""
    return subprocess.run([sys.executable, "-c", f"{GUARD}import socket\n{code}"], capture_output=True, text=True)


@pytest.mark.parametrize("code", LOOKUPS.values(), ids=LOOKUPS)
def test_looking_a_host_up_is_refused(code):
    """Every way to look a host up ends in one sentence that names it."""
    assert "this course runs offline; a cell looked up " in guarded(code).stderr


@pytest.mark.parametrize("code", CONNECTIONS.values(), ids=CONNECTIONS)
def test_reaching_for_a_host_is_refused(code):
    """Every way to send to another machine ends in one sentence that names it."""
    assert re.search(r"ConnectionError: this course runs offline; a cell reached for (192|2001)", guarded(code).stderr)


def test_loopback_and_local_sockets_stay_open():
    """A kernel's own sockets, by address, by name and by file, work behind the guard, and no name is left behind."""
    code = """
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(("localhost", server.getsockname()[1])).close()
left, right = socket.socketpair()
left.send(b"x")
assert not {"stay_offline", "tinyfrontier"} & set(globals())
print("open", __import__("os").environ["HF_HUB_OFFLINE"])
"""
    done = guarded(code)
    assert done.stdout.split() == ["open", "1"], done.stderr


def test_it_can_be_switched_off_again():
    """The hook stays, but refuses nothing any more: the name is looked up, and not found."""
    code = """
from tinyfrontier._network import stay_offline
stay_offline(False)
try:
    socket.getaddrinfo("course.invalid", 80)
except socket.gaierror as error:
    print(error)
"""
    done = guarded(code)
    assert done.stdout
    assert "offline" not in done.stdout


def test_watching_collects_hosts_and_refuses_nothing():
    """Hosts are noted while one watches, once for each attempt; not before, not after, and none of this machine."""

    def visit(host):
        with socket.socket(type=socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
            one.connect((host, 9))

    with watched_network() as reached:
        visit("127.0.0.1")
        visit("192.0.2.1")
    visit("192.0.2.2")
    assert reached == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        ("localhost", True),
        (b"localhost", True),
        (socket.gethostname(), True),
        ("", True),
        (None, True),
        (16, True),
        ("127.0.0.1.course.invalid", False),
        ("localhost.course.invalid", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1%eth0", False),
        (b"course.invalid", False),
    ],
)
def test_what_counts_as_this_machine(host, local):
    """Loopback in each spelling is local; a name that only begins like it is not."""
    assert is_local(host) is local
