"""Word classes of report English, as far as a missing word needs them."""

from __future__ import annotations

import re


def words_of(text: str) -> list[str]:
    """Words in lower case, without the punctuation around them; "" for a token of punctuation alone."""
    return [word.strip(".,;:()[]\"'").lower() for word in text.split()]


# Deny what follows; deny what stands before.
BEFORE_NEGATION = frozenset(
    words_of("no not without nor neither never none negative denies absent absence cannot free")
)
AFTER_NEGATION = frozenset(words_of("not never absent excluded resolved longer cannot"))
LINKS = frozenset(words_of("and or nor but / versus vs"))
ARTICLES = frozenset(words_of("the a an this that these those its his her their some any each both all"))
# What follows an adverb that opens a sentence.
OPENERS = frozenset(words_of("there no the this these it"))
CLAUSES = frozenset(words_of("which that who where when while because if although whether than as"))
PREPOSITIONS = frozenset(
    words_of(
        "of in on at to from with within without by for since between above below over under overlying through near "
        "into along per via during after before until against beneath behind around about dated throughout despite "
        "across among toward towards onto upon out off up down like except"
    )
)
# What follows a subject: verbs, and the words that stand for them in telegrams ("heart normal").
VERBS = frozenset(
    words_of(
        "is are was were be been being am has have had may might could can should will would must does do did appear "
        "appears appeared remain remains remained remaining seem seems demonstrate demonstrates demonstrated "
        "demonstrating show shows showed shown reveal reveals revealed measure measures measured measuring project "
        "projected projects projecting terminate terminates terminating overlie overlies extend extends extending lie "
        "lies suggest suggests suggesting represent represents representing represented reflect reflects reflecting "
        "relate relates related contain contains include includes including indicate indicates indicating correspond "
        "corresponds corresponding noted seen identified visualized present evident observed obtained performed "
        "favored felt thought intact normal unremarkable clear unchanged stable within consistent compatible due "
        "secondary likely possibly probably advised recommended suggested appreciated removed placed given made "
        "involve involves involving obscure obscures obscuring cause causes causing limits limit limited"
    )
)
# Those of them that make a clause of its own.
FINITE = frozenset(
    words_of(
        "is are was were has have had may might could can should will would appear appears appeared remain remains "
        "remained seem seems demonstrate demonstrates demonstrated show shows showed reveal reveals revealed measures "
        "projects terminates overlies extends lies suggests represents reflects contains includes indicates"
    )
)
# After "there".
EXISTENTIAL = frozenset(words_of("is are was were remains remain"))
# Adverbs not in -ly.
ADVERBS = frozenset(words_of("otherwise again also still now then perhaps not"))
# A sentence that begins so has its main clause behind the comma.
SUBORDINATE = frozenset(
    words_of(
        "if when although given compared considering while because since accounting with in on due unless though as "
        "after before following despite for at from to by of otherwise however again also additionally overall"
    )
)
# "Radiograph of ___", "the exam on ___": the mark is a date.
IMAGES = frozenset(
    words_of(
        "study studies radiograph radiographs film films exam exams examination examinations ct image images scan "
        "scans series chest x-ray x-rays comparison prior previous mri torso cta"
    )
)
COMPARED = frozenset(words_of("compared comparison relative similar prior previous subsequent"))
WHEN = frozenset(words_of("since dated until from before after at"))
# An adjective before the mark: by its ending, or one of these.
ADJECTIVE = re.compile(
    r"(?:al|ic|ar|ary|ous|ive|ile|ac|ed|id|oid|ior|ild)\Z"
    r"|\A(?:right|left|upper|lower|middle|mid|small|large|tiny|old|new|low|high|minimal|some|few|several|multiple|scattered"
    r"|patchy|hazy|streaky|linear|dense|acute|chronic|stable|possible|probable|severe|subtle|moderate|significant"
    r"|prominent|coarse|diffuse|bony|overlying|increasing|decreasing|worsening|thin|thick|persistent|faint|trace"
    r"|bibasilar|single|simple)\Z"
)
