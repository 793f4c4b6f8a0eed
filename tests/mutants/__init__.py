"""Damaged and lying DICOM files, the same ones every time, and what a reader may do with them.

`python -m tests.mutants` measures them: deaths, rows, times, memory, and pictures that are wrong without a word.
"""
