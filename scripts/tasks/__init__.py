"""Downstream tasks: their networks, losses, inferers and post-processing."""
