"""Tokens as people read them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def token_texts(tokenizer: "Tokenizer") -> list[str]:
    """What each token stands for, by its number: its name, of byte pairs their text, which a blank begins where a word does.

    Side by side they are the text again. A part of a character is shown as U+FFFD.
    """
    from tokenizers import decoders

    names = [tokenizer.id_to_token(token) or "" for token in range(tokenizer.get_vocab_size())]
    if "ByteLevel" not in repr(tokenizer.decoder):
        return names
    of_bytes = decoders.ByteLevel()
    return [of_bytes.decode([name]) for name in names]
