"""What is in the reports of a prepared data set."""

from __future__ import annotations

import re

import pandas as pd

from scripts.data.studies import TEXT_COLUMNS

# Words by which a report speaks of an earlier image, which the model does not see. Few, so that little else is counted:
# "increased" and "no change" alone are not among them, for they also say "more than normal" and "nothing abnormal".
EARLIER_IMAGE = re.compile(
    r"\b(?:compared (?:to|with)|(?:in|by) comparison|comparison (?:is |was )?(?:made|to|with)|unchanged|interval|stable"
    r"|new|newly|again (?:is |are )?(?:seen|noted|demonstrated|identified|visualized)|re-?demonstrat\w+"
    r"|(?:prior|previous|earlier|preceding|last|comparison) (?:chest |portable )*"
    r"(?:stud|exam|radiograph|film|image|ct|scan|x-?ray)\w*"
    r"|(?:from|than|to|with|since|on) (?:the )?(?:prior|previous)(?=\s*(?:[.,;)]|\Z))|as before|previously|no longer"
    r"|persist(?:s|ent|ently)?|(?:has|have) (?:slightly |further )?"
    r"(?:improved|worsened|increased|decreased|resolved|cleared|progressed)"
    r"|worsening|improving|progression|re-?expan\w+)\b",
    re.IGNORECASE,
)
_NAMES = {
    "both": "findings and impression",
    "findings": "findings alone",
    "impression": "impression alone",
    "neither": "neither (the rest of the report is used)",
}


def report_counts(used: pd.DataFrame) -> dict[str, int]:
    """Reports, one a study, by the sections found in them, and what of them a person should know before training.

    Args:
        used: study table with `clean_text`, `text_source` and `text_dropped`; see `read_reports`.

    Returns:
        Counts; empty for a data set without text.
    """
    cells = [column for column in TEXT_COLUMNS if column in used]
    if not cells:
        return {}
    studies = used.drop_duplicates("study_id")
    given = studies[cells].map(lambda cell: isinstance(cell, str) and bool(cell.strip())).any(axis=1)
    texts = studies.loc[studies["clean_text"] != "", "clean_text"]
    sources = studies["text_source"]
    return {
        "reports": int(given.sum()),
        **{name: int((sources == source).sum()) for source, name in _NAMES.items()},
        "empty after cleaning": int((given & (studies["clean_text"] == "")).sum()),
        "repeat another study's": len(texts) - texts.nunique(),
        "speak of an earlier image": int(texts.map(lambda text: bool(EARLIER_IMAGE.search(text))).sum()),
        "sentences dropped with de-identification marks": int(studies["text_dropped"].sum()),
    }
