"""Questions of the page: those that others supersede are not answered, and a sign is there while one is."""

import asyncio
from collections.abc import Callable, Sequence

from pipelines.trying import views
from pipelines.trying.asking import Asking
from rnn_lightning.corpora.vocabulary import learn_sentence_tokenizer, learn_tokenizer
from rnn_lightning.items.pieces import token_texts


class Panel:
    """A text that is asked about, the texts that were answered, and the signs that were shown."""

    def __init__(self) -> None:
        self.text, self.answered, self.signs = "", list[str](), list[bool]()
        self.ended = asyncio.Event()
        self.asking = Asking(self.show, self, wait=0.001)

    def set_visibility(self, visible: bool) -> None:
        self.signs.append(visible)

    async def show(self) -> None:
        text = self.text
        self.ended.clear()
        await self.ended.wait()
        self.answered.append(text)


async def typed(panel: Panel, texts: Sequence[str]) -> list[asyncio.Task[None]]:
    """Each of ``texts`` is typed in turn, and asked about."""
    tasks = []
    for text in texts:
        panel.text = text
        tasks.append(asyncio.ensure_future(panel.asking()))
        await asyncio.sleep(0.01)
    return tasks


def run(play: Callable[[Panel], object]) -> Panel:
    async def whole() -> Panel:
        panel = Panel()
        await play(panel)  # type: ignore[misc]
        return panel

    return asyncio.run(whole())


def test_only_the_newest_of_those_that_wait_is_answered() -> None:
    async def play(panel: Panel) -> None:
        tasks = await typed(panel, ["a", "ab", "abc", "abcd"])  # the first is at work all the time
        assert panel.asking.superseded and panel.signs == [False, True]
        for _ in range(2):
            panel.ended.set()
            await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)

    panel = run(play)
    assert panel.answered == ["a", "abcd"] and panel.signs == [False, True, False] and not panel.asking.superseded


def test_what_is_typed_at_once_is_one_question() -> None:
    async def play(panel: Panel) -> None:
        tasks = []
        for text in ("a", "ab", "abc"):
            panel.text = text
            tasks.append(asyncio.ensure_future(panel.asking()))
        await asyncio.sleep(0.01)
        panel.ended.set()
        await asyncio.gather(*tasks)

    assert run(play).answered == ["abc"]


def test_an_answer_that_fails_leaves_no_sign() -> None:
    async def play(panel: Panel) -> None:
        async def fail() -> None:
            raise RuntimeError

        panel.asking.answer = fail
        result = await asyncio.gather(panel.asking.now(), return_exceptions=True)
        assert isinstance(result[0], RuntimeError)

    assert run(play).signs == [False, True, False]


LINES = ["the löwe läuft", "the löwen laufen über das gras", "the lion the lion"] * 3


def test_tokens_of_byte_pairs_are_shown_as_their_text() -> None:
    for tokenizer in (learn_sentence_tokenizer(LINES, "bpe", 300), learn_tokenizer(LINES, "bpe", 300, False)):
        texts = token_texts(tokenizer)
        numbers = tokenizer.encode("the lion the löwe", add_special_tokens=False).ids
        shown = [texts[number] for number in numbers]
        assert "".join(shown).strip() == "the lion the löwe" and not any("Ġ" in text or "Ã" in text for text in shown)


def test_tokens_of_words_and_characters_are_their_names() -> None:
    for level in ("word", "character"):
        tokenizer = learn_tokenizer(["Ġ é"], level, None, False)
        assert token_texts(tokenizer) == [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]


def test_labels_of_a_heat_map_have_no_blanks_around_them() -> None:
    assert [views.label(token) for token in (" the", "lion", " ", "<eos>")] == ["the", "lion", "␣", "<eos>"]
    assert "the</span>" in views.attention([" the"], ["x"], [[1.0]])
