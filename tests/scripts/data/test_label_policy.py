"""Uncertain and unknown labels: CheXpert's policies, for all findings or one by one."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.data.label_policy import Policies, resolve_labels
from scripts.errors import CxrError


@pytest.mark.parametrize(
    ("uncertain", "unknown", "expected"),
    [
        ("ignore", "ignore", [1, 0, np.nan, np.nan]),
        ("zeros", "ignore", [1, 0, 0, np.nan]),
        ("ones", "zeros", [1, 0, 1, 0]),
        ("ignore", "zeros", [1, 0, np.nan, 0]),
    ],
)
def test_label_policies(uncertain, unknown, expected):
    np.testing.assert_array_equal(resolve_labels([1, 0, -1, np.nan], uncertain, unknown)[:, 0], expected)


def test_a_policy_a_finding() -> None:
    """The protocol of CheXpert's published tables: U-Ones for two findings, U-Zeros for the rest, unknown = 0."""
    labels = np.array([[-1, -1, np.nan], [1, 0, -1]])
    policies: Policies = {"Atelectasis": "ones", "default": "zeros"}
    found = resolve_labels(labels, policies, "zeros", ["Atelectasis", "Cardiomegaly", "Mass"])
    np.testing.assert_array_equal(found, [[1, 0, 0], [1, 0, 0]])
    without_default = resolve_labels(labels, {"Mass": "ones"}, {"Mass": "zeros"}, ["a", "b", "Mass"])
    np.testing.assert_array_equal(without_default, [[np.nan, np.nan, 0], [1, 0, 1]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"uncertain": "positive"}, "uncertain='positive' is not one of ignore, zeros, ones"),
        ({"unknown": {"Mass": "one"}, "names": ["Mass"]}, "unknown='one' is not one of"),
        ({"uncertain": {"Mas": "ones"}, "names": ["Mass"]}, "uncertain names Mas, which is none of the findings Mass"),
        ({"uncertain": {"Mass": "ones"}}, "which is none of the findings"),
    ],
)
def test_a_policy_that_means_nothing_is_said(arguments, message):
    with pytest.raises(CxrError, match=message):
        resolve_labels([[1]], **arguments)


def test_a_label_that_means_nothing_is_said():
    with pytest.raises(CxrError, match="got 2 in column 1"):
        resolve_labels([[1, 2]])
