"""What runs inside a workflow: the package that configs name in `_target_`."""
