"""Views of radiographs: the words of DICOM and of the public archives, as a few known ones."""

from __future__ import annotations

import re
import unicodedata

PA, AP, SUPINE, FRONTAL, LATERAL, OTHER, UNKNOWN = "PA", "AP", "AP supine", "frontal", "lateral", "other", "unknown"
VIEWS = (PA, AP, SUPINE, FRONTAL, LATERAL, OTHER, UNKNOWN)
# What a filter keeps besides the view of its own name: an AP that lies is an AP, and a frontal is any of the three.
WIDER = {AP: {SUPINE}, FRONTAL: {PA, AP, SUPINE}}

# Spelled in full, in any order of words: `anteroposterior`, `antero-posterior`, `anterior to posterior`, `A.P.`.
_SPELLED = (
    (re.compile(r"\b(antero|anterior|ant)[\W_]*(to)?[\W_]*(posterior|post)\b|\ba\W{0,2}p\b"), " ap "),
    (re.compile(r"\b(postero|posterior|post)[\W_]*(to)?[\W_]*(anterior|ant)\b|\bp\W{0,2}a\b"), " pa "),
)
# Not frontal, whatever stands beside it: decubitus and oblique (PS3.3 C.8.1.1: RLD, LLD, RLO, LLO), lordotic, ribs, CT.
_OTHER = re.compile(
    r"other|lld|rld|dec|decub\w*|llo|rlo|lao|rao|lpo|rpo|obl|oblic\w*|obliq\w*|axial|lordotic\w*|apical|costal|ribs?|"
    r"exclude|swimmers?|tangential|coronal|sagittal|scout|ct|abdomen"
)
_LATERAL = re.compile(r"lateral\w*|latero|lat|l|ll|rl|perfil|profile?|seitlich")
_LYING = re.compile(r"supine|supino|horizontal|lying|recumbent|liegend")
_FRONTAL = re.compile(r"frontal|front|face")
_UNKNOWN = re.compile(r"|unk|unknown|nan|none|na|null|generic\w*|unspecified|missing|not|n|a|specified|given|available")


def normalize_view(value: object) -> str:
    """One of `VIEWS` for a view as files and archives write it; words only that are known here, never the text itself.

    `PA`, `AP`, `LL` and the other defined terms of View Position (0018,5101), PS3.3 C.8.1.1; PadChest's
    `POSTEROANTERIOR`, `AP_horizontal`, `COSTAL`; covid-chestxray's `AP Supine`, `AP semi erect`, `L`; CheXpert's
    `Frontal`, which says no direction and stays "frontal"; MIMIC-CXR's `LL`, `XTABLE LATERAL`, `LAO`, `AP LLD`.
    Nothing, or a word for it, is "unknown"; what is none of these, or two at once, is "other".
    """
    if not isinstance(value, str):  # nothing, in one of the many forms that a table has for it
        return UNKNOWN
    text = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower().replace("_", " ")
    for pattern, code in _SPELLED:
        text = pattern.sub(code, text)
    words = re.findall(r"[a-z]+", text)

    def says(pattern: re.Pattern[str]) -> bool:
        return any(map(pattern.fullmatch, words))

    if all(map(_UNKNOWN.fullmatch, words)):
        return UNKNOWN
    lateral, pa, ap = says(_LATERAL), "pa" in words, "ap" in words
    if says(_OTHER) or lateral + pa + ap > 1 or (lateral and says(_FRONTAL)):
        return OTHER
    if lateral:
        return LATERAL
    if says(_LYING) and not pa:
        return SUPINE
    return PA if pa else AP if ap else FRONTAL if says(_FRONTAL) else OTHER
