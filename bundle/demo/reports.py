"""Free-text reports of planned studies, in varied language, true to the plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import phrases
from .findings import nodule_radius
from .frame import MM_PER_UNIT
from .plan import BOXED, FINDINGS, ZONES, Finding, Study

BLANK_RATE = 0.02


def write_report(study: Study, rng: np.random.Generator) -> str:
    """One report: every finding is named, nothing that is there is denied, and what is silent (NaN label) stays so.

    About 2 % are blank in one of the ways that real tables are.
    """
    if rng.random() < BLANK_RATE:
        return _pick(rng, phrases.BLANK_REPORTS)
    plain = not study.findings and all(value == 0 for value in study.labels.values())
    if plain and rng.random() < 0.2:
        return _pick(rng, phrases.ALL_NORMAL)
    findings = _findings(study, rng)
    impression = _impression(study, rng, plain)
    return _type(_arrange(study, findings, impression, rng), rng)


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _findings(study: Study, rng: np.random.Generator) -> list[str]:
    """Sentences of the FINDINGS section, in any order but for those that belong together."""
    positive = [_kind(study, kind, rng) for kind in BOXED if study.labels[kind] in (1, -1)]
    absent = [kind for kind in BOXED if study.labels[kind] == 0 and kind not in study.resolved]
    negative = _denials(absent, rng)
    if study.labels["opacity"] == 0 and study.labels["nodule"] == 0 and rng.random() < 0.5:
        negative.append(_pick(rng, phrases.CLEAR_LUNGS))
    past = [_pick(rng, phrases.RESOLVED[kind]) for kind in study.resolved if study.labels[kind] == 0]
    heart = [_kind(study, "cardiomegaly", rng)] if study.labels["cardiomegaly"] in (1, -1) else []
    if study.labels["cardiomegaly"] == 0:
        heart = [_pick(rng, phrases.NORMAL_HEART)]
    hardware = [_pick(rng, phrases.DEVICES[name]) for name in study.devices if rng.random() < 0.75]
    asides = [text for text in phrases.ASIDES if rng.random() < 0.12]
    groups = [positive + past, negative, heart, hardware, asides]
    order = rng.permutation(len(groups)) if rng.random() < 0.6 else range(len(groups))
    return [sentence for index in order for sentence in groups[index]]


def _denials(kinds: list[str], rng: np.random.Generator) -> list[str]:
    """`No focal consolidation, effusion or pneumothorax.`, in one sentence or in two."""
    shuffled = [kinds[i] for i in rng.permutation(len(kinds))]
    if "nodule" in shuffled and rng.random() < 0.6:  # readers seldom deny a nodule
        shuffled.remove("nodule")
    cut = int(rng.integers(1, 3)) if len(shuffled) > 2 and rng.random() < 0.4 else len(shuffled)
    sentences = []
    for part in (shuffled[:cut], shuffled[cut:]):
        if part:
            nouns = [_pick(rng, phrases.ABSENT_NOUNS[kind]) for kind in part]
            listed = nouns[0] if len(nouns) == 1 else ", ".join(nouns[:-1]) + " or " + nouns[-1]
            sentences.append(_pick(rng, phrases.ABSENT).format(things=listed))
    return sentences


def _kind(study: Study, kind: str, rng: np.random.Generator) -> str:
    """All that a report says of one kind of finding that is there, or doubted."""
    found = study.of(kind)
    if not found:  # a doubt about nothing
        side, zone = _pick(rng, ("right", "left")), _pick(rng, ZONES)
        return _sentence(Finding(kind, side, zone, 0.1, 0, hedged=True), rng)
    sure = [finding for finding in found if not finding.hedged]
    if len(sure) == 2 and kind in phrases.BOTH and rng.random() < 0.7:
        sentences = [_both(sure, rng)]
    else:
        sentences = [_sentence(finding, rng) for finding in found]
    change = found[0].change
    if change and len({finding.change for finding in found}) == 1 and rng.random() < 0.75:
        sentences.append(_pick(rng, phrases.CHANGE[change]))
    return " ".join(sentences)


def _sentence(finding: Finding, rng: np.random.Generator) -> str:
    bank = phrases.DOUBTED if finding.hedged else phrases.PRESENT
    text = _pick(rng, bank[finding.kind]).format(**_words(finding, rng))
    text = " ".join(text.split())
    return text[0].upper() + text[1:]


def _both(found: list[Finding], rng: np.random.Generator) -> str:
    first, second = sorted(found, key=lambda finding: -finding.severity)
    words = _words(first, rng)
    words |= {"more": first.side, "less": second.side, "other_place": _words(second, rng)["place"]}
    text = _pick(rng, phrases.BOTH[first.kind]).format(**words)
    return text[0].upper() + text[1:]


def _words(finding: Finding, rng: np.random.Generator) -> dict[str, str]:
    """Every blank of the templates, filled in for one finding."""
    degree = ("mildly", "moderately", "markedly")[min(int(3 * finding.severity), 2)]
    words = {name: _pick(rng, options) for name, options in phrases.TAILS.items()}
    if finding.kind == "cardiomegaly":
        adjective = degree.removesuffix("ly")
        return words | {
            "degree": degree,
            "adjective": adjective,
            "Degree": adjective.capitalize(),
            "noun": "",
            "place": "",
        }
    size = _pick(rng, phrases.SIZES[finding.kind][min(int(3 * finding.severity), 2)])
    noun = _pick(rng, phrases.NOUNS[finding.kind])
    place = _pick(rng, phrases.ZONE_PLACES[finding.zone or "mid"]).format(side=finding.side)
    mm = round(2 * nodule_radius(finding) * MM_PER_UNIT)
    described = size or noun
    article = "an" if described[0] in "aeiou" else "a"
    return words | {
        "size": size,
        "Size": size.capitalize() if size else "",
        "a_size": f"{article} {size}".strip(),
        "A_size": f"{article} {size}".strip().capitalize(),
        "A_mm": f"{'An' if mm == 18 else 'A'} {mm}",
        "mm": str(mm),
        "noun": noun,
        "side": finding.side,
        "place": place,
    }


def _impression(study: Study, rng: np.random.Generator, plain: bool) -> list[str]:
    if plain:
        return [_pick(rng, phrases.ALL_NORMAL)]
    said = [_kind(study, kind, rng) for kind in FINDINGS if study.labels[kind] == 1]
    doubts = [_kind(study, kind, rng) for kind in FINDINGS if study.labels[kind] == -1 and rng.random() < 0.5]
    quiet = [kind for kind in BOXED if study.labels[kind] == 0]
    denied = _denials(quiet, rng)[:1] if rng.random() < 0.3 else []
    return said + doubts + denied


def _arrange(study: Study, findings: list[str], impression: list[str], rng: np.random.Generator) -> str:
    """Sections with headers, or without, in the orders that readers use."""
    who = "woman" if study.anatomy.female else "man"
    prior = study.number > 0
    head = []
    if rng.random() < 0.4:
        head.append(f"INDICATION: {_pick(rng, phrases.INDICATIONS).format(who=who)}.")
    if rng.random() < 0.35:
        head.append(f"TECHNIQUE: {_pick(rng, phrases.TECHNIQUE[study.view])}")
    if rng.random() < (0.7 if prior else 0.3):
        head.append(
            "COMPARISON: " + ("Chest radiograph from ___." if prior else _pick(rng, ("None.", "None available.")))
        )
    body, closing = " ".join(findings), " ".join(impression)
    if len(impression) > 1 and rng.random() < 0.5:
        closing = " ".join(f"{number}. {text}" for number, text in enumerate(impression, 1))
    style = rng.random()
    if not impression or style < 0.2:  # findings alone; with no header half of the time
        return " ".join([*head, f"FINDINGS: {body}"]) if style < 0.1 else body
    if style < 0.32:
        return " ".join([*head, f"IMPRESSION: {closing}"])
    if style < 0.42:
        return f"IMPRESSION: {closing} FINDINGS: {body}"
    gap = "\n" if rng.random() < 0.4 else " "
    return gap.join([*head, f"FINDINGS: {body}", f"IMPRESSION: {closing}"])


def _type(text: str, rng: np.random.Generator) -> str:
    """The keyboard: abbreviations now and then, a slip in one report of twelve, lower case in a few."""
    for long, short in phrases.SHORT:
        if rng.random() < 0.12:
            text = text.replace(long, short)
    if rng.random() < 0.08:
        text = text.replace(*phrases.TYPOS[int(rng.integers(len(phrases.TYPOS)))], 1)
    return text.lower() if rng.random() < 0.03 else text
