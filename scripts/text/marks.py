"""De-identification marks out of a report, without leaving half a sentence or turning a negation.

A mark (MIMIC-CXR "___", MIMIC-III "[** ... **]", Indiana University "XXXX") can hide any word: "XXXX opacity" lost an
adjective, "the XXXX are clear" its subject, "opacity, XXXX atelectasis" a "likely", "no XXXX infiltrate" perhaps a
"new". What stood there is never guessed, but for "x-XXXX". The smallest phrase goes whose loss leaves the rest true:

1. the mark alone: an adjective before a noun ("XXXX opacity"), a member of a list ("heart, XXXX, and mediastinum"), an
   adverb that opens a sentence ("XXXX no effusion"); with the unit or age that belongs to it;
2. a date or an earlier image, with its preposition ("since ___", "compared to ___"); brackets that hold a mark;
3. the sentence from the comma before it ("opacity, XXXX atelectasis" → "opacity"), if what stays is a sentence;
4. else the whole sentence: subject, verb, object or degree is gone, or a negation governs the mark, so that what is
   left would deny more than was denied.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .grammar import (
    ADJECTIVE,
    ADVERBS,
    AFTER_NEGATION,
    ARTICLES,
    BEFORE_NEGATION,
    CLAUSES,
    COMPARED,
    EXISTENTIAL,
    FINITE,
    IMAGES,
    LINKS,
    OPENERS,
    PREPOSITIONS,
    SUBORDINATE,
    VERBS,
    WHEN,
    words_of,
)

_ONE = r"(?:_{3,}|X{3,})"
PLACEHOLDER = re.compile(rf"\[\*\*.*?\*\*\]|{_ONE}", re.DOTALL)
_TITLE = r"(?:\b(?:Drs?|Mr|Mrs|Ms|Prof)\b\.?\s*)"
_UNIT = (
    r"(?:\s*-?\s*(?:years?|yrs?|months?|weeks?|days?)[\s-]*old\b|\s*-?\s*y/?o\b"
    r"|\s*(?:[ap]\.?\s?m\b\.?|hours?\b|hrs?\b|[cm]m\b|days?\b|weeks?\b|months?\b|years?\b))"
)
_CLOCK = r"(?:\s*(?:,|at)\s*\d{1,2}[:.]\d{2}(?:\s*(?:[ap]\.?\s?m\b\.?|hours?\b|hrs?\b))?)"
# One mark and its neighbours become one token: "___/___", "Dr. ___", "___-year-old", "XXXX's", "Port-XXXX", "non-XXXX".
_WORD = rf"(?:(?<![\w-])(?:\w+-)+)?{_ONE}(?:[A-Za-z]+\b)?(?:-[A-Za-z]+|-{_ONE})*(?:'[st]\b|')?"
_GROUP = re.compile(
    rf"{_TITLE}?[-/]*(?:\d+/)*{_WORD}(?:\s*(?:/|-|:|\band\b|\bor\b|\bto\b|\bthrough\b)?\s*(?:\d+/)*{_WORD})*"
    rf"(?:\s*,\s*{_WORD}(?=\s*(?:[.,;:)]|\Z)))*(?:/\d+)*{_UNIT}?-*{_CLOCK}?"
)
_X_RAY = re.compile(rf"\b(x)-{_ONE}", re.IGNORECASE)  # the letter left says which word it was
_MARK = "\x00"
_MOST = 20  # marks in a sentence; one with more has nothing left to say
_BLANK = re.compile(r"[^\S\n]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\s*\n|\n(?=\s*\d{1,2}[.)]\s)")
# Ends that end no sentence: "Dr.", a number alone; and "3 p.m.", if the next word begins small or is a mark.
_ABBREVIATION = re.compile(r"(?:^|\W)(?:drs?|mr|mrs|ms|prof|vs|e\.g|i\.e|approx)\.\s*\Z", re.IGNORECASE)
_COUNT = re.compile(r"\s*\(?\d{1,2}[.)]\s*\Z")
_CLOCK_END = re.compile(r"\b[ap]\.m\.\s*\Z")
_TAIL = 9  # characters in which these lie
_STOP = re.compile(r"[.!?]+\s*\Z")
_COMMA = re.compile(r"([,;]|:(?!\d))")
_NUMBER = re.compile(r"\s*\(?\d{1,2}[.)]\s+")
_BRACKETS = re.compile(r"[(\[][^()\[\]]*\x00[^()\[\]]*[)\]]")
_TOKEN = re.compile(r"\x00|[^\s\x00]+")

_UNFINISHED = LINKS | PREPOSITIONS | ARTICLES  # no sentence ends with one of these
_NO_NOUN = VERBS | _UNFINISHED | CLAUSES | OPENERS | {_MARK}  # a mark before one of these was no adjective


class Unmarked(NamedTuple):
    """Text without marks, and how many sentences it cost."""

    text: str
    dropped: int


def take_out_marks(text: str) -> Unmarked:
    """Text without de-identification marks; see the module for what goes with them."""
    text = text.replace(_MARK, " ")
    if not PLACEHOLDER.search(text):
        return Unmarked(text, 0)
    text = _X_RAY.sub(r"\1-ray", _BLANK.sub(" ", PLACEHOLDER.sub("XXX", text) if "[**" in text else text))
    kept, dropped = [], 0
    for sentence in _sentences(text):
        if "XXX" not in sentence and "___" not in sentence:
            kept.append(sentence)
            continue
        left = _without(_GROUP.sub(f" {_MARK} ", sentence))
        dropped += left is None
        if left:
            kept.append(left)
    return Unmarked(" ".join(kept), dropped)


def _sentences(text: str) -> list[str]:
    """Sentences with their final stop; a number ("2.") stays with what it counts."""
    sentences: list[str] = []
    for part in _SENTENCE.split(text):
        if sentences and _goes_on(sentences[-1], part):
            sentences[-1] += f" {part}"
        elif part.strip():
            sentences.append(part)
    return sentences


def _goes_on(sentence: str, part: str) -> bool:
    end = sentence[-_TAIL:]
    if _ABBREVIATION.search(end) or (len(sentence) < _TAIL and _COUNT.match(sentence)):
        return True
    return bool(_CLOCK_END.search(end)) and (part[:1].islower() or PLACEHOLDER.match(part) is not None)


def _without(sentence: str) -> str | None:
    """The sentence without its marks, "" if it was nothing but marks, None if it is no sentence without them."""
    number = _NUMBER.match(sentence)
    head = number[0].strip() + " " if number else ""
    body = sentence[number.end() :] if number else sentence
    if not any(map(str.isalpha, body)):
        return ""
    if body.count(_MARK) > _MOST:
        return None
    body = _BRACKETS.sub(" ", body)
    stop = match[0] if (match := _STOP.search(body)) else ""
    kept: list[str] = []
    segments = _COMMA.split(body[: len(body) - len(stop)])
    for index in range(0, len(segments), 2):
        later = " ".join(segments[index + 1 :])
        left = _mend(_TOKEN.findall(segments[index]), words_of(" ".join(kept)), words_of(later))
        if left is None:
            before = " ".join(kept)
            if not _stands(before, " ".join(segments[index:])):
                return None
            kept[-1] = kept[-1].rstrip(",;:")
            break
        if left:
            kept.append(" ".join(left) + (segments[index + 1] if index + 1 < len(segments) else ""))
    result = " ".join(kept).rstrip(",;: ")
    if not any(map(str.isalpha, result)):
        return None
    if _MARK in body.split(None, 1)[0] or body.lstrip()[:1].isupper():
        result = result[:1].upper() + result[1:]
    return head + result + (stop.strip() or ".")


def _stands(before: str, after: str) -> bool:
    """Whether a sentence may end before `after`: it is no mere opening, and its verb does not come later."""
    words = words_of(before)
    if len(words) < 2 or words[0] in SUBORDINATE or words[-1] in _UNFINISHED:
        return False
    if ADJECTIVE.search(words[-1]) and words[-2] in PREPOSITIONS | ARTICLES:
        return False
    return bool(FINITE & set(words)) or not FINITE & set(words_of(after))


def _mend(tokens: list[str], earlier: list[str], later: list[str]) -> list[str] | None:
    """Words between two commas without marks, None where that cannot be; `earlier`, `later`: the rest around them."""
    while _MARK in tokens:
        span = _span(tokens, tokens.index(_MARK), earlier, later)
        if span is None:
            return None
        tokens = _fit_article(tokens[: span[0]], tokens[span[1] :])
    return None if tokens and all(word in _UNFINISHED for word in words_of(" ".join(tokens))) else tokens


def _fit_article(left: list[str], right: list[str]) -> list[str]:
    """Both halves joined: "a XXXX opacity" becomes "an opacity"."""
    if left and right and left[-1].lower() in {"a", "an"}:
        article = "an" if right[0][0].lower() in "aeiou" else "a"
        left = [*left[:-1], article.capitalize() if left[-1][0] == "A" else article]
    return left + right


def _span(tokens: list[str], place: int, earlier: list[str], later: list[str]) -> tuple[int, int] | None:
    """Range of tokens to take out with the mark at `place`, None where the phrase cannot lose it."""
    words = words_of(" ".join(tokens))
    before, after = words[:place], words[place + 1 :]
    previous, following = (before[-1] if before else ""), (after[0] if after else "")
    alone = (place, place + 1)
    if not before and not after:
        return alone
    is_list = not FINITE & set(words)  # a negation on the other side of a comma governs a list
    is_denied = _denies(before) or (is_list and _denies(earlier))
    if (start := _phrase_of_time(before, following, is_denied)) is not None:
        return (start, place + 1)
    last_of_list = (place - 1, place + 1) if previous in {"and", "or", "nor"} and not after and place > 1 else None
    if is_denied or not after or AFTER_NEGATION & set(after + later if is_list else after):
        return last_of_list
    if following in {"and", "or"}:
        opens = not before or (previous in ARTICLES and place == 1)
        return (place, place + 2) if opens and len(after) > 1 else None
    # After "Compared to the prior study," the sentence only begins.
    is_first = not before and (not earlier or earlier[0] in SUBORDINATE)
    if following in OPENERS and is_first:
        return alone
    return alone if _is_adjective(before, after) and (before or is_first) else None


def _is_adjective(before: list[str], after: list[str]) -> bool:
    """Whether a mark between these words stood for an adjective: before a noun, after what a noun can follow."""
    if after[0] in _NO_NOUN or not after[0][:1].isalpha():
        return False
    # "XXXX otherwise appear normal", "enlargement of the XXXX bilaterally"
    if next((word for word in after if not word.endswith("ly") and word not in ADVERBS), after[-1]) in VERBS:
        return False
    if all(word.endswith("ly") or word in ADVERBS for word in after):
        return False
    if not before:
        return True
    previous = before[-1]
    if previous in EXISTENTIAL:
        return "there" in before
    if previous in VERBS - {"stable"} - PREPOSITIONS:
        return False
    return previous in ARTICLES | PREPOSITIONS | {"and", "or"} or bool(ADJECTIVE.search(previous))


def _denies(words: list[str]) -> bool:
    return bool(BEFORE_NEGATION & set(words)) or any(word.endswith("n't") for word in words)


def _phrase_of_time(before: list[str], following: str, is_denied: bool) -> int | None:
    """Where a phrase begins that says when, or which earlier image: "since", "compared to", "study of the"."""
    if not before or (following and following not in _NO_NOUN):
        return None
    place = len(before) - 1
    if before[place] in {"the", "a", "an"} and place:
        place -= 1
    if place and before[place] == "at" and before[place - 1] == "since":  # "since at ___"
        place -= 1
    word, owner = before[place], before[place - 1] if place else ""
    if word in {"to", "with"} and owner in COMPARED:
        start = place - 1
        while start and before[start - 1] in {"as", "in", "when", "prior"}:
            start -= 1
        return start
    if word == "of":
        return place if owner in IMAGES else None
    # "PICC is in ___" says where; "no opacity on ___" or "at ___" may say where, and then denies too much without it.
    if word == "on" and (not is_denied or owner in IMAGES) and (following not in VERBS or owner in IMAGES):
        return place
    if word in {"in", "at"} and not is_denied and owner not in EXISTENTIAL and (word == "at" or following not in VERBS):
        return place
    return place if word in WHEN - {"at"} else None
