"""Answer schemas: from what a caller gives to what the service takes, and back from answer texts to typed columns.

::

    source ──read, check──► JSON Schema ──flatten──► flat tree ──convert──► the request's schema
                                 │                       ├──plan──────► the answer column's type
                                 └──judges──► answers ◄──┴──compile───► a typed decoder
"""

from geminate.wire.answers.answer_schema import AnswerSchema
from geminate.wire.answers.convert import ConvertedSchema
from geminate.wire.answers.judge import JudgedTexts

__all__ = ["AnswerSchema", "ConvertedSchema", "JudgedTexts"]
