# The launcher's commands under the same names, for fingers that type `make`. Options go into ARGS:
#   make test ARGS="--lesson 06"
PYTHON ?= python3

.PHONY: help lab update test build grade site kit hub doctor bench
help:
	@$(PYTHON) course.py --help

lab update test build grade site kit hub doctor bench:
	@$(PYTHON) course.py $@ $(ARGS)
