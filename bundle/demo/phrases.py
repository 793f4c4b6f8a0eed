"""The words of the reports. `{side}`, `{place}`, `{size}` and the like are filled in by `reports`."""

from __future__ import annotations

SYNONYMS: dict[str, tuple[str, ...]] = {
    "opacity": ("opacit", "consolidation", "infiltrate", "airspace disease", "opacification", "pneumonia"),
    "effusion": ("effusion", "pleural fluid", "costophrenic"),
    "pneumothorax": ("pneumothora", "ptx", "pleural air", "visceral pleural line"),
    "nodule": ("nodul", "rounded density", "pulmonary mass", "coin lesion"),
    "cardiomegaly": ("cardiomegaly", "heart", "cardiac", "cardiomediastinal"),
}
"""Lower-case word stems by which a report speaks of a finding, in the affirmative or not."""

NOUNS: dict[str, tuple[str, ...]] = {
    "opacity": (
        "opacity",
        "airspace opacity",
        "consolidation",
        "infiltrate",
        "airspace disease",
        "parenchymal opacity",
        "opacification",
    ),
    "effusion": ("pleural effusion", "effusion", "pleural fluid collection"),
    "pneumothorax": ("pneumothorax", "pneumothorax", "apicolateral pneumothorax", "PTX"),
    "nodule": ("pulmonary nodule", "nodule", "nodular density", "rounded density"),
}

SIZES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "opacity": (
        ("faint", "subtle", "hazy", "ill-defined", "minimal"),
        ("patchy", "moderate", "heterogeneous", "confluent"),
        ("dense", "extensive", "large", "severe"),
    ),
    "effusion": (
        ("trace", "tiny", "small", "minimal"),
        ("moderate", "moderate-sized", "mild to moderate"),
        ("large", "sizeable"),
    ),
    "pneumothorax": (("tiny", "small", "trace"), ("moderate", "moderate-sized"), ("large", "sizeable")),
    "nodule": (("small", "tiny", "subtle"), ("well-circumscribed", "round", ""), ("dominant", "large", "dense")),
}

ZONE_PLACES: dict[str, tuple[str, ...]] = {
    "upper": (
        "in the {side} upper lobe",
        "in the {side} upper lung zone",
        "in the {side} upper lung",
        "near the {side} apex",
    ),
    "mid": (
        "in the {side} mid lung",
        "in the {side} mid lung zone",
        "in the {side} perihilar region",
        "in the mid {side} lung",
    ),
    "lower": (
        "in the {side} lower lobe",
        "at the {side} lung base",
        "at the {side} base",
        "in the {side} lower lung zone",
    ),
}

PRESENT: dict[str, tuple[str, ...]] = {
    "opacity": (
        "There is {a_size} {noun} {place}{tail}.",
        "{Size} {noun} {place}{tail}.",
        "{Size} {noun} is seen {place}{tail}.",
        "{A_size} {noun} is noted {place}{tail}.",
        "The lungs show {size} {noun} {place}{tail}.",
    ),
    "effusion": (
        "There is {a_size} {side} {noun}.",
        "{Size} {side} {noun} is present.",
        "{Size} {noun} on the {side}.",
        "Blunting of the {side} costophrenic angle, compatible with {a_size} effusion.",
        "{Size} layering {side} {noun}{fluid_tail}.",
    ),
    "pneumothorax": (
        "There is {a_size} {side} {noun}.",
        "{Size} {side} {noun} is identified.",
        "A {side} visceral pleural line is visible, consistent with {a_size} {noun}.",
        "{Size} {noun} on the {side}{air_tail}.",
    ),
    "nodule": (
        "{Size} {noun} {place}, measuring approximately {mm} mm.",
        "There is {a_size} {noun} {place}.",
        "{A_mm} mm {noun} {place}{nodule_tail}.",
        "{Size} {noun} projects {place}{nodule_tail}.",
    ),
    "cardiomegaly": (
        "{Degree} cardiomegaly.",
        "The heart is {degree} enlarged.",
        "The cardiac silhouette is {degree} enlarged.",
        "There is {adjective} enlargement of the cardiac silhouette.",
        "Heart size is {degree} increased.",
        "Enlarged cardiomediastinal silhouette, {degree}.",
    ),
}

DOUBTED: dict[str, tuple[str, ...]] = {
    "opacity": (
        "Possible {size} {noun} {place}, versus overlapping structures.",
        "Questionable {noun} {place}; early pneumonia cannot be excluded.",
        "{Size} {noun} {place} may represent artifact or early infection.",
    ),
    "effusion": (
        "A small {side} effusion cannot be excluded.",
        "Possible trace {side} pleural effusion versus pleural thickening.",
        "The {side} costophrenic angle is not well seen and may represent a small effusion.",
    ),
    "pneumothorax": (
        "Questionable tiny {side} pneumothorax versus skin fold.",
        "A {side} apical pneumothorax is difficult to exclude.",
    ),
    "nodule": (
        "Possible nodule {place}, may represent a nipple shadow.",
        "Questionable nodular density {place} versus vessel on end.",
    ),
    "cardiomegaly": (
        "Heart size is borderline.",
        "The cardiac silhouette is top normal to mildly enlarged, possibly accentuated by technique.",
    ),
}

BOTH = {
    "effusion": (
        "Bilateral pleural effusions, {more} greater than {less}.",
        "There are {size} bilateral effusions, larger on the {more}.",
    ),
    "opacity": (
        "Bilateral opacities, {place} and {other_place}{tail}.",
        "{Size} airspace opacities {place} and {other_place}{tail}.",
        "Multifocal consolidation {place} and {other_place}{tail}.",
    ),
}

CHANGE: dict[str, tuple[str, ...]] = {
    "new": ("This is new since the prior study.", "New compared to prior.", "Not seen on the previous examination."),
    "larger": (
        "This has increased since the prior radiograph.",
        "Worsened from prior.",
        "Larger than on the previous study.",
    ),
    "smaller": ("This has decreased in the interval.", "Improved compared to the prior study.", "Smaller than before."),
    "same": ("Unchanged from prior.", "Stable since ___.", "Similar to the previous examination."),
}

RESOLVED = {
    "opacity": ("Previously seen opacity has resolved.", "Interval clearing of the prior consolidation."),
    "effusion": ("Interval resolution of the pleural effusion.", "Previously noted effusion is no longer seen."),
    "pneumothorax": ("The pneumothorax has resolved.", "Interval re-expansion with no residual pneumothorax."),
    "nodule": ("Previously questioned nodule is not seen today.",),
}

ABSENT_NOUNS = {
    "opacity": (
        "focal consolidation",
        "airspace opacity",
        "focal infiltrate",
        "consolidation",
        "acute airspace disease",
    ),
    "effusion": ("pleural effusion", "effusion", "pleural fluid"),
    "pneumothorax": ("pneumothorax", "pneumothorax", "pneumothoraces"),
    "nodule": ("suspicious nodule", "pulmonary nodule", "nodule or mass"),
}

ABSENT = (
    "No {things}.",
    "There is no {things}.",
    "No evidence of {things}.",
    "Negative for {things}.",
    "Without {things}.",
)

NORMAL_HEART = (
    "Heart size is normal.",
    "The cardiac silhouette is normal in size.",
    "Cardiomediastinal silhouette is within normal limits.",
    "Normal heart size and mediastinal contours.",
    "The heart is not enlarged.",
)

CLEAR_LUNGS = (
    "The lungs are clear.",
    "Lungs are clear bilaterally.",
    "Both lungs are clear and well expanded.",
    "Clear lungs.",
)

ALL_NORMAL = (
    "No acute cardiopulmonary process.",
    "No acute cardiopulmonary abnormality.",
    "Normal chest radiograph.",
    "No acute intrathoracic process.",
    "No acute disease.",
    "Unremarkable chest.",
)

ASIDES = (
    "The osseous structures are intact.",
    "No acute bony abnormality.",
    "Degenerative changes of the thoracic spine.",
    "The mediastinal and hilar contours are unremarkable.",
    "Pulmonary vasculature is normal.",
    "The aorta is mildly tortuous.",
    "Visualized upper abdomen is unremarkable.",
    "Low lung volumes.",
    "Patient is slightly rotated.",
    "Bony thorax is grossly intact.",
)

TAILS = {
    "tail": (
        ", concerning for pneumonia",
        ", which may represent pneumonia or atelectasis",
        ", likely atelectasis",
        ", compatible with infection in the appropriate clinical setting",
        ", possibly aspiration",
        "",
        "",
        "",
    ),
    "fluid_tail": (", with adjacent atelectasis", ", possibly partially loculated", "", ""),
    "air_tail": (", with mild collapse of the underlying lung", "; no mediastinal shift", "", ""),
    "nodule_tail": (", indeterminate", "; CT is suggested", ", possibly a granuloma", "", ""),
}

DEVICES = {
    "ecg": ("ECG leads overlie the chest.", "Monitoring leads project over the thorax."),
    "line": ("Central venous catheter with tip in the SVC.", "PICC line terminates in the superior vena cava."),
    "tube": ("Endotracheal tube terminates above the carina.", "ET tube in satisfactory position."),
    "feeding": ("Enteric tube courses below the diaphragm.", "NG tube tip is in the stomach."),
    "pacemaker": ("Pacemaker leads are in expected position.", "Dual-lead pacer device is noted."),
    "wires": ("Median sternotomy wires are intact.", "Status post sternotomy."),
    "drain": ("A chest tube is in place.", "Pleural drain is noted."),
}

TECHNIQUE = {
    "PA": ("PA view of the chest.", "Frontal radiograph of the chest.", "Single PA chest radiograph."),
    "AP": ("Portable AP chest.", "AP portable upright view of the chest.", "Single AP view of the chest."),
}

INDICATIONS = (
    "___-year-old {who} with shortness of breath",
    "{who} with cough and fever",
    "chest pain",
    "Dyspnea, evaluate for acute process",
    "___ {who} s/p fall",
    "evaluate for interval change",
    "pre-operative evaluation",
    "hypoxia",
    "routine follow-up",
)

SHORT = (
    ("right upper lobe", "RUL"),
    ("left upper lobe", "LUL"),
    ("right lower lobe", "RLL"),
    ("left lower lobe", "LLL"),
    ("consistent with", "c/w"),
    (" with ", " w/ "),
    ("pneumothorax", "PTX"),
    ("bilateral ", "b/l "),
)
"""Abbreviations that a hurried reader types."""

TYPOS = (
    ("There is", "Thre is"),
    (" the ", " teh "),
    ("seen", "sen"),
    ("stable", "stabel"),
    ("radiograph", "radiogrpah"),
    (" is ", " is is "),
)
"""Slips of the keyboard; none touches the name of a finding."""

BLANK_REPORTS = ("", "", "NaN", "___", "nan")
"""What the text column of a real table also holds."""
