"""What the model server runs for a tagger: lines of words in, lines of tags out."""

from pathlib import Path

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class TagServer(PythonModel):
    """Answers each line, words between blanks, with a tag for each word between blanks; an empty line with an empty one."""

    def load_context(self, context: PythonModelContext) -> None:
        from rnn_lightning import Tagger
        from rnn_lightning.corpora.lexicon import Lexicon

        checkpoint = Path(context.artifacts["checkpoint"])
        self.model = Tagger.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()
        self.lexicon = Lexicon.read(Path(context.artifacts["lexicon"]))

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: PythonModelContext, model_input: list[str]
    ) -> list[str]:
        from rnn_lightning.corpora.corpus import to_arrays
        from rnn_lightning.data.pairs import Pairs

        answers = []
        for line in model_input:
            batch = Pairs(to_arrays(self.lexicon.encode([line.split()])), 1)[(0,)]
            tags = self.model.tag(batch.inputs, batch.lengths)[0].tolist()
            answers.append(" ".join(self.lexicon.tags[tag] for tag in tags))
        return answers


set_model(TagServer())
