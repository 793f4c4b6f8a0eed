"""Reports as MIMIC-CXR, CheXpert Plus and a web page write them, split at their headings."""

from __future__ import annotations

import pytest

from scripts.text.report import report_sections, report_text

MIMIC = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with new onset ascites  // eval for infection

 COMPARISON:  None.

 FINDINGS:

 There is no focal consolidation, pleural effusion or pneumothorax.
 Bilateral nodular opacities that most likely represent nipple shadows.

 IMPRESSION:

 No acute cardiopulmonary process.

 NOTIFICATION:  Discussed with Dr. ___ by telephone.
""".replace("\n\n", "\n \n")  # its blank lines hold a blank
WET = """ WET READ: ___ ___ 9:00 AM
  small effusion.
  IMPRESSION:  No acute process.
 WET READ VERSION #1
 ______________________________________________________________________________
                                 {}
 HISTORY:  Fall.

 IMPRESSION:  Pneumothorax.
"""
CHEXPERT = (
    "NARRATIVE: RADIOGRAPHIC EXAMINATION OF THE CHEST: 3/4/2012 CLINICAL HISTORY: 50 years of age, cough. COMPARISON: "
    "3/1/2012 FINDINGS: Lungs are clear. IMPRESSION: 1. NO ACUTE DISEASE. END OF IMPRESSION SUMMARY: 1-NO SIGNIFICANT "
    "ABNORMALITIES I have personally reviewed the images."
)
SIGNED = "IMPRESSION: Normal. I have personally reviewed the images for this examination."


@pytest.mark.parametrize(
    ("report", "findings", "impression"),
    [
        # where a heading may stand
        ("FINDINGS: Lungs clear IMPRESSION: Normal", "Lungs clear.", "Normal."),
        ("Findings: Lungs clear. Impression: Normal. Recommendation(s): CT.", "Lungs clear.", "Normal."),
        ("Presentation: fever. . Imaging Notes: Lungs clear.. Discussion: rare.", "Lungs clear.", None),
        ("CONCLUSION : Normal.\nELECTRONICALLY SIGNED BY: somebody", None, "Normal."),
        ("indication:  fever?\n\nfindings:  Opacity.\n\nimpression:  Pneumonia.\n", "Opacity.", "Pneumonia."),
        ("FINDINGS\n\n Opacity.\n\n IMPRESSION\n\n Pneumonia.", "Opacity.", "Pneumonia."),
        ("INDICATION Fever\nIMPRESSION Pneumonia on the right.", None, "Pneumonia on the right."),
        ("Findings - Opacity.\nImpression – Pneumonia.", "Opacity.", "Pneumonia."),
        ("**INDICATION:** Fever.\n\n**FINDINGS**\nOpacity.\n\n**Impression** Pneumonia.", "Opacity.", "Pneumonia."),
        ("## Findings\nOpacity.\n## Impression\nPneumonia.", "Opacity.", "Pneumonia."),
        (
            "<b>FINDINGS</b><br>Opacity &gt; 2 cm, &lt;5 cm.<p><b>Impression</b>: Wide.",
            "Opacity > 2 cm, <5 cm.",
            "Wide.",
        ),
        # no heading
        ("The main finding: none. Our first impression: normal", None, None),
        (
            "IMPRESSION: Consistent with the\n previous\n findings\n of last week.",
            None,
            "Consistent with the previous findings of last week.",
        ),
        ("FINDINGS ARE THOSE OF EDEMA.\nIMPRESSION: EDEMA.", None, "EDEMA."),
        # sub-headings belong to their section
        ("FINDINGS:\n LUNGS:  Clear.\n HEART:  Normal.\nIMPRESSION: Well.", "LUNGS: Clear. HEART: Normal.", "Well."),
        (
            "FINDINGS: Clear.\n SUPPORT DEVICES: Pacemaker.\n The heart is normal.\n\nTECHNIQUE: AP.",
            "Clear. SUPPORT DEVICES: Pacemaker. The heart is normal.",
            None,
        ),
        ("FINDINGS: Clear.\n ADDITIONAL FINDINGS: Old fracture.", "Clear. ADDITIONAL FINDINGS: Old fracture.", None),
        ("FINDINGS: Clear.\n PA AND LATERAL VIEWS: Well.", "Clear. PA AND LATERAL VIEWS: Well.", None),
        ("IMPRESSION: AP chest:\n Edema.\n CHEST FINDINGS: none", None, "AP chest: Edema. CHEST FINDINGS: none."),
        # combined and misspelt names
        ("FINDINGS AND IMPRESSION: Normal.", None, "Normal."),
        ("IMPRESSION AND FINDINGS: Normal.", None, "Normal."),
        ("INDICATION: Fever.\n\nFINDINGS/IMPRESSION: Pneumonia.", None, "Pneumonia."),
        ("FINIDNGS: Opacity.\n\nIMPRESSOIN: Pneumonia.", "Opacity.", "Pneumonia."),
        ("FINDINGS: Opacity.\n\nINDCIATION: Pneumonia?", "Opacity.", None),
        ("INTERPRETATION: Pneumonia.", None, "Pneumonia."),
        ("CLINICAL IMPRESSION: Pneumonia?\n\nFINDINGS: Clear.", "Clear.", None),
        # views
        ("HISTORY: Cough.\n\nPORTABLE AP CHEST: Edema has cleared.", "Edema has cleared.", None),
        ("CHEST, TWO VIEWS: ___\n\nHISTORY: Cough.\n\nCHEST, TWO VIEWS: Clear.", "Clear.", None),
        ("CHEST, PA LATERAL:\n\nINDICATION: Cough.\n\nFINDINGS: Clear.", "Clear.", None),
        ("PORTABLE CHEST: 4 May 2012, 9:14 a.m.\n\nHISTORY: Cough.", None, None),
        # the last of each, if it says something
        ("FINDINGS: A.\nIMPRESSION: B.\nADDENDUM: x\nIMPRESSION: C.", "A.", "C."),
        ("FINDINGS: A.\nIMPRESSION: B.\n\nIMPRESSION:\n", "A.", "B."),
        (
            "IMPRESSION: Left pneumothorax.\n\nADDENDUM  IMPRESSION should read: right pneumothorax.",
            None,
            "right pneumothorax.",
        ),
        (WET.format("FINAL REPORT"), None, "Pneumothorax."),
        (WET.format("Final Report"), None, "Pneumothorax."),
        ("FINAL REPORT\nIMPRESSION: Pneumonia.\n\nFINAL REPORT\n", None, "Pneumonia."),
        (CHEXPERT, "Lungs are clear.", "1. NO ACUTE DISEASE."),
        (SIGNED, None, "Normal."),
        # nothing under them
        ("FINDINGS:\nIMPRESSION: ___", None, None),
        ("COMPARISON: \nINDICATION: \nFINDINGS: \nIMPRESSION: ", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_report_sections(report: str | None, findings: str | None, impression: str | None) -> None:
    expected = {"findings": findings, "impression": impression}
    assert report_sections(report) == {name: text for name, text in expected.items() if text}


@pytest.mark.parametrize(
    ("report", "text"),
    [
        # the last paragraph, without banner, title and the other sections
        (
            "FINAL REPORT\nHISTORY:  To evaluate for change.\n\nNo pneumothorax.  Tube unchanged.",
            "No pneumothorax. Tube unchanged.",
        ),
        ("CHEST RADIOGRAPH\n\nINDICATION: Cough.\n\nQuestion pneumonia.\n\nLungs are clear.", "Lungs are clear."),
        ("INDICATION:\n\nCough.\n\nLungs are clear.\n\nNOTIFICATION:  Dr. ___.", "Lungs are clear."),
        ("Lungs are clear.\n\nNOTIFICATION:  Called to Dr. ___.", "Lungs are clear."),
        ("FINAL REPORT\nPortable film.\nNo pneumothorax", "Portable film. No pneumothorax."),
        ("Heart normal.\n\nLungs clear.", "Heart normal. Lungs clear."),
        # never what was asked, and no headings alone
        ("FINAL REPORT\nINDICATION:  Pneumonia?", ""),
        ("INDICATION: Fever, question pneumonia.", ""),
        ("REASON FOR EXAM: Fever.\n\nEvaluate for pneumonia", ""),
        ("COMPARISON:  ___.", ""),
        ("TECHNIQUE: PA and lateral.\nCOMPARISON: None.", ""),
        ("COMPARISON: INDICATION: FINDINGS: IMPRESSION:", ""),
        ("FINAL REPORT\nFINDINGS:\n\nIMPRESSION:\n", ""),
        ("CHEST, PA AND LATERAL", ""),
        ("WET READ: ___ 9:00 AM\n small effusion.", ""),
    ],
)
def test_report_without_sections(report: str, text: str) -> None:
    assert report_text(report=report) == text


def test_mimic_report() -> None:
    assert report_text(report=MIMIC) == (
        "No acute cardiopulmonary process. There is no focal consolidation, pleural effusion or pneumothorax. "
        "Bilateral nodular opacities that most likely represent nipple shadows."
    )
