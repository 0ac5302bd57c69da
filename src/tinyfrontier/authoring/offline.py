"""A guard that keeps a kernel off the network, so that "offline" is proved and not assumed."""

# Run in a kernel before a notebook's first cell. It leaves no name behind; what it does stands in `_network.py`.
GUARD = '__import__("tinyfrontier._network", fromlist=["stay_offline"]).stay_offline()\n'
