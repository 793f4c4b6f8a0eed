"""Work in worker processes: each unit has a folder of its own, and a record of how it ended."""
