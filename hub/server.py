"""Runs the module that it is given, a Jupyter server, without a grammar that takes two seconds of a core to read.

A class starts forty servers on a few cores. `rfc3987_syntax` comes with jsonschema's extras, and only checks whether an
address with foreign letters is well formed; jsonschema goes on without it.
"""

import runpy
import sys

if __name__ == "__main__":
    sys.modules["rfc3987_syntax"] = None
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
