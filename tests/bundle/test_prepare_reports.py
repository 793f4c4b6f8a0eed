"""What prepare says of the reports of a data set."""

from __future__ import annotations

import pandas as pd
import pytest

from bundle.prepare.reports import EARLIER_IMAGE, report_counts
from scripts.data.studies import read_reports

REPORTS = {
    "s0": "FINDINGS: Clear.\nIMPRESSION: Normal.",
    "s1": "FINDINGS: Clear.\nIMPRESSION: Normal.",
    "s2": "FINDINGS: Unchanged effusion. The ___ are clear.",
    "s3": "IMPRESSION: Edema.",
    "s4": "Edema.",
    "s5": "FINDINGS:\nIMPRESSION: No ___.",
    "s6": None,
    "s7": "  ",
}


def test_counts_are_of_studies() -> None:
    rows = pd.DataFrame({"study_id": list(REPORTS), "report": list(REPORTS.values())})
    rows = pd.concat([rows, rows.iloc[:3]], ignore_index=True)  # three have a lateral, too
    assert report_counts(rows.join(read_reports(rows))) == {
        "reports": 6,
        "findings and impression": 2,
        "findings alone": 1,
        "impression alone": 1,
        "neither (the rest of the report is used)": 1,
        "empty after cleaning": 1,
        "repeat another study's": 2,  # s1 that of s0, s4 that of s3
        "speak of an earlier image": 1,
        "sentences dropped with de-identification marks": 2,
    }
    assert report_counts(rows.drop(columns="report").join(read_reports(rows))) == {}


@pytest.mark.parametrize(
    "text",
    [
        *("Unchanged.", "No interval change.", "Stable cardiomegaly.", "New effusion.", "Persistent opacity."),
        *("Compared to the prior study, clear.", "Comparison is made with a CT.", "The tube is again seen."),
        *("Larger than on the previous examination.", "Edema has improved.", "Worsening edema."),
        *("Scarring as before.", "The mass is no longer seen.", "Unchanged from prior.", "Redemonstrated nodule."),
    ],
)
def test_speaks_of_an_earlier_image(text: str) -> None:
    assert EARLIER_IMAGE.search(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "No acute process.",
            "No change of note.",
            "Increased markings.",
            "Clips from prior surgery.",
            "Unstable ribs.",
        ),
        *(
            "Evidence of previous granulomatous disease.",
            "Hyperinflated lungs.",
            "No comparison.",
            "Intervals of spine.",
        ),
        *("Renewed.", "No evidence of progressing."),
    ],
)
def test_speaks_of_this_image_alone(text: str) -> None:
    assert not EARLIER_IMAGE.search(text)
