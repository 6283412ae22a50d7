# All that is made lies in build/. PYTHON is any Python 3.8 or newer to start with.
PYTHON ?= python3
START = exec env PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m
PARTS = lint sanity package unit fuzz oldest fresh contract fleet molecule balancers integration compat mutants
CHORES = demo demo-canary bench bench-judge bench-scale venv changelog clean

.DEFAULT_GOAL := help
.PHONY: help test test-long $(PARTS) $(CHORES)

help:
	@echo "make demo       a good and a bad release on a fleet of local processes, under traffic"
	@echo "make demo-canary  a good and a bad canary, a switch of colours and the switch back, in the same way"
	@echo "make test       all checks and tests with one summary, with a seeded sample of the long series"
	@echo "make test-long  the same with all of the long series, other ansible-cores and seeded bugs"
	@echo "make bench      measure against the ideal schedule and a hand-written playbook"
	@echo "make bench-judge  how well the judge tells good canaries from bad ones, in simulation"
	@echo "make bench-scale  how the costs grow from 100 to 3,000 hosts (root)"
	@echo "make venv       only build/venv, the tools of the checks"
	@echo "make changelog  release notes from fragments and new plugins"
	@echo "make clean      remove all that was made"
	@echo
	@echo "Parts of the tests, each alone:"
	@$(START) run.chores parts

test test-long $(PARTS):
	@$(START) run $@

$(CHORES):
	@$(START) run.chores $@
