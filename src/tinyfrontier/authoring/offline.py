"""A guard that keeps a kernel off the network, so that "offline" is proved and not assumed."""

# Run in a kernel before a notebook's first cell. Loopback and local sockets stay open: the kernel itself uses them.
GUARD = """
def _stay_offline():
    import os, socket
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    connect, lookup = socket.socket.connect, socket.getaddrinfo
    local = ("127.", "::1", "localhost", "0.0.0.0")
    def guarded_connect(self, address):
        if isinstance(address, tuple) and not str(address[0]).startswith(local):
            raise ConnectionError(f"this course runs offline; a cell reached for {address[0]}")
        return connect(self, address)
    def guarded_lookup(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name and not str(name).startswith(local):
            raise socket.gaierror(f"this course runs offline; a cell looked up {name}")
        return lookup(host, *args, **kwargs)
    socket.socket.connect, socket.getaddrinfo = guarded_connect, guarded_lookup
_stay_offline()
del _stay_offline
"""
