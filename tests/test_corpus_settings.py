"""The settings of corpora: every keyword is spelled in the signature, and all corpora of the Hub share those of the Hub."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from rnn_lightning import corpora
from rnn_lightning.corpora import Corpus, HubSource, Text
from rnn_lightning.corpora.source import FromSource
from rnn_lightning.corpora.tagged import Reading
from rnn_lightning.corpora.tagging import TaggedCorpus

CORPORA: list[type[Corpus]] = [
    thing
    for name in corpora.__all__
    if inspect.isclass(thing := getattr(corpora, name)) and issubclass(thing, Corpus) and thing is not Corpus
]
OF_HUB = [corpus for corpus in CORPORA if issubclass(corpus, FromSource)]
HUB_SETTINGS = {field.name for field in fields(HubSource)} - {"tries", "wait"}


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_setting_is_a_keyword_of_the_constructor(corpus: type[Corpus]) -> None:
    parameters = inspect.signature(corpus).parameters.values()
    assert parameters and {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(TypeError, match="colour"):
        corpus(**dict.fromkeys([*(parameter.name for parameter in parameters), "colour"]))


@pytest.mark.parametrize("corpus", OF_HUB)
def test_every_corpus_of_the_hub_has_its_settings(corpus: type[FromSource]) -> None:
    assert inspect.signature(corpus).parameters.keys() >= HUB_SETTINGS


def test_the_corpora_of_the_hub_are_those_with_a_repository() -> None:
    assert [corpus for corpus in CORPORA if "repository" in inspect.signature(corpus).parameters] == OF_HUB
    assert len(OF_HUB) == 11


@pytest.mark.parametrize("corpus", [corpus for corpus in CORPORA if issubclass(corpus, TaggedCorpus)])
def test_every_tagged_corpus_has_the_settings_of_reading(corpus: type[Corpus]) -> None:
    parameters = inspect.signature(corpus).parameters
    assert all(parameters[field.name].default == field.default for field in fields(Reading))


def test_the_specification_of_a_hub_corpus_names_its_splits() -> None:
    splits = {"train": "first", "validation": "second", "test": "third"}
    text = Text(
        repository="a/b", config="c", revision="main", record=Path("r.json"), level="word", end_of_line=True, splits=splits
    )
    asked = {"repository": "a/b", "config": "c", "revision": "main", "splits": splits}
    assert text.spec() == {**asked, "held_out": None, "streaming": None}
