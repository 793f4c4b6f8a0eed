"""What people run around a workflow: `python -m bundle VERB`, or `cxr-vlp VERB` where the wheel is installed."""

if __name__ != "bundle":
    from .installed import call_scripts

    call_scripts(__name__.rpartition(".")[0])
