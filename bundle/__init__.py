"""What a person runs around a workflow: `python -m bundle VERB`."""
