"""What a kernel runs before a notebook's first cell: a guard keeps it off the network, so that "offline" is proved.

Neither line leaves a name behind.
"""

GUARD = '__import__("tinyfrontier._network", fromlist=["stay_offline"]).stay_offline()\n'
ROUNDING = '__import__("tinyfrontier._rounding", fromlist=["round_otherwise"]).round_otherwise({way})\n'
