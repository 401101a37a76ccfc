"""A pool of English-like sentences: made, not copied, and the same on every machine."""

from __future__ import annotations

from random import Random

import numpy as np
import orjson

SENTENCES = 20_000
"""So many that a compressor's window rarely sees one of them twice."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Some words are not ASCII, as in any text that people write.
_NOUNS = _words(
    "order invoice parcel delivery refund kettle lamp charger cable battery screen hinge manual account password "
    "button drawer shelf bicycle saddle jacket zipper sleeve coffee filter receipt voucher warranty courier depot café "
    "address balcony garden hose pump valve thermostat heater speaker headset keyboard résumé printer cartridge "
    "museum ticket platform train reservation breakfast jalapeño kitchen corridor lift stairs elevator neighbour"
)
_ADJECTIVES = _words(
    "small broken late early heavy wrong blue green quiet loud useless excellent second first last missing damaged "
    "sturdy naïve careful urgent polite strange ordinary complete partial expensive cheap slow quick sour déjà-vu"
)
_VERBS = _words(
    "arrived stopped worked leaked cracked vanished changed failed fitted returned started turned opened closed "
    "rattled smelled shone folded blinked froze overheated disappeared improved"
)
_LINKS = _words(
    "with under over behind after before because although while until without about against beside inside since "
    "when whether and but so"
)
_OPENERS = _words("the my our your this that another every no some one their")
_FRAMES = (
    "{c}.",
    "{c}, {d}.",
    "{c}; {d}!",
    "No. {n}: {c} — {d}.",
    "Why? Since {c}, {d} for €{n}.",
    'They said on the phone: "{c}".',
    "{c}, even at {n} °C 🙂.",
    "The label read “{c}”.",
    "Path C:\\{n}\\{m}: {c}.",
    "- {c}\t{n}",
)
_ENDS = (" ", " ", " ", " ", " ", " ", "\n", "\n\n")


def make_sentences(seed: int) -> list[str]:
    """The pool: sentences of 20 to 200 characters, each with its blank or line feed at the end."""
    random = Random(seed)
    return [_sentence(random) for _ in range(SENTENCES)]


def escape_all(texts: list[str]) -> list[bytes]:
    """Each text as it stands between the quotes of a JSON string; such pieces may be joined."""
    return [orjson.dumps(text)[1:-1] for text in texts]


class Composer:
    """Texts of about a length, each a run of the pool's sentences that only depends on the seed and the row."""

    def __init__(self, rows: int, mean_bytes: float, seed: int) -> None:
        pool = make_sentences(seed=1)
        mean_sentence = sum(len(sentence.encode()) for sentence in pool) / len(pool)
        state = np.random.RandomState(seed)
        spread = np.clip(state.lognormal(-0.06, 0.35, rows), 0.3, 3.0)
        counts = np.maximum(1, np.rint(spread * mean_bytes / mean_sentence)).astype(np.int64)
        self._picks = state.randint(0, SENTENCES, int(counts.sum()), dtype=np.int32)
        self._ends = np.cumsum(counts)
        self._starts = self._ends - counts
        self._raw, self._escaped = pool, escape_all(pool)

    def text(self, row: int) -> str:
        return "".join(map(self._raw.__getitem__, self._row_picks(row)))

    def escaped(self, row: int) -> bytes:
        return b"".join(map(self._escaped.__getitem__, self._row_picks(row)))

    def escaped_halves(self, row: int) -> tuple[bytes, bytes]:
        """The same text in two pieces, as the service sometimes splits an answer."""
        picks = self._row_picks(row)
        middle = (len(picks) + 1) // 2
        first, second = (map(self._escaped.__getitem__, half) for half in (picks[:middle], picks[middle:]))
        return b"".join(first), b"".join(second)

    def _row_picks(self, row: int) -> list[int]:
        return self._picks[self._starts[row] : self._ends[row]].tolist()


def _sentence(random: Random) -> str:
    words = {"c": _clause(random), "d": _clause(random), "n": random.randrange(2, 9000), "m": random.choice(_NOUNS)}
    return random.choice(_FRAMES).format(**words) + random.choice(_ENDS)


def _clause(random: Random) -> str:
    words = [random.choice(_OPENERS), random.choice(_ADJECTIVES), random.choice(_NOUNS), random.choice(_VERBS)]
    for _ in range(random.randrange(3)):
        words += [random.choice(_LINKS), random.choice(_OPENERS), random.choice(_NOUNS)]
    return " ".join(words)
