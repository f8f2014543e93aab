"""What kind of task a processed corpus is for, by the files and the card that are there."""

from pathlib import Path

from rnn_lightning.corpora.lexicon import LEXICON
from rnn_lightning.files import read_json

TRANSLATION, TAGGING, CLASSES, FRAMES, RECOGNITION = "translation", "tagging", "classes", "frames", "recognition"
TARGET_TOKENIZER = "target_tokenizer.json"


def kind_of(processed: Path) -> str | None:
    """Texts to translate, words to tag, rows or frames of a class each, signals with labels but no times; or none of these."""
    if (processed / TARGET_TOKENIZER).exists():
        return TRANSLATION
    if (processed / LEXICON).exists():
        return TAGGING
    card = read_json(processed / "card.json") if (processed / "card.json").exists() else {}
    told = {name for name in ("num_classes", "classes", "labels") if card.get(name) is not None}
    return CLASSES if "num_classes" in told else FRAMES if "classes" in told else RECOGNITION if told else None
