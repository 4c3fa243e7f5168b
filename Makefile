# Every target sets up what it needs; `make help` lists them. The work is done by tools/bootstrap.py and tools/stack.

PYTHON ?= python3
STACK := $(PYTHON) tools/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help setup up down logs reset smoke test test-fast check lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-27s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## the development environment in .venv, exactly as locked
	@$(STACK)

up: ## the whole system on this machine: first message, its trace, addresses, logs; Ctrl-C stops it
	@$(STACK) up

down: ## stop whatever `make up` left running
	@$(STACK) down

logs: ## follow the logs of what runs (make logs SERVICE=dm)
	@$(STACK) logs $(SERVICE)

reset: ## stop, and delete databases, queues, keys and logs of this checkout (YES=1: without being asked)
	@$(STACK) reset $(if $(YES),--yes)

smoke: ## up on free ports, first message answered, down again; one line
	@$(STACK) smoke

test: ## everything: check, then all tests on each Python found
	@$(STACK) test

test-fast: ## the tests only, on the default Python (make test-fast ARGS="libs/common -x")
	@$(STACK) test --fast -- $(ARGS)

check: ## format, lint, import rules, types
	@$(STACK) check

lock: ## renew the hashed requirement locks (make lock UPGRADE=1 for newer versions)
	@$(STACK) lock $(if $(UPGRADE),--upgrade)

# --- further targets (bench-*, faults-*) go below this line, each with its `##` comment ---

BENCH = $(STACK) --quiet && $${MUSTER_VENV:-.venv}/bin/python -m bench

.PHONY: bench-webhook bench-dm bench-pacing bench-meetings bench-sender
bench-webhook: ## requests/s, latency and CPU of the webhook, beside its peers (make bench-webhook ARGS="--rounds 5")
	@$(BENCH) webhook $(ARGS)

bench-dm: ## a private message end to end at 1 and at 100 users; memory of each service
	@$(BENCH) dm $(ARGS)

bench-pacing: ## how near broadcasts come to Telegram's limits, and 429s, beside peers (ARGS="--groups 10": 20 a minute each)
	@$(BENCH) pacing $(ARGS)

bench-meetings: ## what broadcasts do to each other and to replies: fairness, urgency, shared groups, reply latency
	@$(BENCH) meetings $(ARGS)

bench-sender: ## sends a second of one sender, beside a bare loop and aiogram; planning (ARGS="--broadcast 1000000": extrapolated)
	@$(BENCH) sender $(ARGS)

FAULTS = $(STACK) --quiet && $${MUSTER_VENV:-.venv}/bin/python -m faults $(if $(FULL),--full) $(if $(SEED),--seed $(SEED))

.PHONY: faults
faults: ## break everything while people write (FULL=1: the whole battery, hours; SEED=7 repeats a run)
	@$(FAULTS)

faults-%:
	@$(FAULTS) $*

faults-kill-ingress: ## kill -9 of the ingress at random
faults-kill-dm: ## kill -9 of the dm worker at random
faults-kill-broker: ## kill -9 of RabbitMQ at random
faults-kill-postgres: ## kill -9 of PostgreSQL at random
faults-broker-down: ## RabbitMQ down for 10 s
faults-postgres-down: ## PostgreSQL down for 10 s
faults-both-down: ## PostgreSQL and RabbitMQ down for 10 s
faults-frozen-broker: ## RabbitMQ frozen for 5 s and for 20 s
faults-duplicates: ## every update 20 times, at three ingresses
faults-poison: ## bodies from a fuzzer
faults-poison-chats: ## 200 chats with poison at once
faults-poison-messages: ## garbage in the queues themselves
faults-sigterm-dm: ## rollouts of the dm worker by SIGTERM
faults-tgms-lease: ## the leader killed, or asleep for 10 s
faults-kill-sender: ## kill -9 of a sender in mid-broadcast
faults-recall: ## kill -9 of a sender in mid-recall, other broadcasts going on
faults-sigterm-sender: ## SIGTERM of a sender in mid-broadcast, Telegram quick and slow
faults-kill-tgms: ## kill -9 of the leader in mid-broadcast
faults-broker-restart: ## RabbitMQ killed or stopped in mid-broadcast
faults-postgres-restart: ## PostgreSQL killed or stopped in mid-broadcast
faults-flood-storm: ## 429s for one bot, for several chats at once and for two
faults-send-outcomes: ## every end that a send can have, a tenth each
faults-mix: ## all of it at random

.PHONY: vercel
vercel: ## the ingress built by Vercel's CLI and run by its runtime, offline (needs npm and Python 3.12)
	@$(STACK) servers run -- $${MUSTER_VENV:-.venv}/bin/pytest -q -m vercel tests/vercel

.PHONY: dashboards
dashboards: ## Grafana's dashboards written anew from tools/dashboards
	@$(STACK) --quiet && $${MUSTER_VENV:-.venv}/bin/python -m dashboards

# IMAGE_BUILD, IMAGE_SAVE and IMAGE_LOAD say how (docs/images.md); Docker's commands where they are not set.
IMAGE_TAG ?= dev

.PHONY: images images-try
images: ## the five images, measured, and loaded by IMAGE_LOAD (make images ARGS="dm --target dev")
	@$(STACK) images --tag $(IMAGE_TAG) $(ARGS)

images-try: ## each image run in the cluster of KUBECONFIG: user, read-only root, the entry point
	@$(STACK) images-try --tag $(IMAGE_TAG) $(ARGS)

.PHONY: compose-up compose-down compose-smoke
compose-up: ## everything on a Docker engine, built and healthy (TRACING=1: with Jaeger)
	@$(STACK) compose up $(if $(TRACING),--tracing)

compose-down: ## stop what compose-up started; the data stays
	@$(STACK) compose down

compose-smoke: ## compose.yaml on free ports: a message answered, a broadcast sent, all gone again (ARGS=--no-build)
	@$(STACK) compose smoke $(ARGS)

# In the cluster of KUBECONFIG, with the images IMAGE_TAG; docs/cluster.md has all of its variables.
.PHONY: e2e
e2e: ## the whole product in a cluster: install, KEDA, faults, upgrade, walls (ARGS="-k scaling"; BUILD= leaves images as they are)
	@$(if $(BUILD),$(STACK) images --tag $(IMAGE_TAG),$(STACK) --quiet)
	@IMAGE_TAG=$(IMAGE_TAG) $${MUSTER_VENV:-.venv}/bin/python -W ignore::ResourceWarning -m pytest -m cluster -W ignore::ResourceWarning tests/e2e/cluster $(ARGS)
BUILD ?= 1
