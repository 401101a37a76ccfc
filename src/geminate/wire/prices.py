"""What tokens cost, as dated data: ``data/prices.json``. Nothing here is asked of the service."""

from __future__ import annotations

from functools import cache

import msgspec

from geminate.wire.limits import bare_model, read_data


class Rates(msgspec.Struct, frozen=True):
    """US dollars for a million tokens, online.

    Attributes:
        input: Of text, images, video and documents.
        output: Of answers and thoughts.
        cached: Of input that the service had cached; None where no price is known.
    """

    input: float
    output: float
    cached: float | None = None


class Price(Rates, frozen=True):
    """The price of a model from one day on.

    Attributes:
        audio_input: Of audio, None where it costs what other input does.
        image_output: Of images in answers, None where the model makes none.
        long: The rates of requests with more input tokens than ``long_over_tokens``, None where they are the same.
        long_over_tokens: Where they begin.
        from_day: The first day, as an ISO date; empty where it has no known beginning.
    """

    audio_input: float | None = None
    image_output: float | None = None
    long: Rates | None = None
    long_over_tokens: int = 0
    from_day: str = msgspec.field(default="", name="from")


class PriceList(msgspec.Struct, frozen=True):
    """What is known of one model.

    Attributes:
        source: The page that says so.
        date: When it was read, as an ISO date.
        prices: One after the other, the earliest first.
    """

    source: str
    date: str
    prices: tuple[Price, ...]

    def between(self, first_day: str, last_day: str) -> tuple[Price, ...]:
        """The prices in force on any of these days, the earliest first; never none."""
        before = [price for price in self.prices if price.from_day <= first_day][-1:]
        return (*before, *(price for price in self.prices if first_day < price.from_day <= last_day))


class _Share(msgspec.Struct):
    value: float


class _Page(msgspec.Struct):
    source: str
    date: str
    models: dict[str, tuple[Price, ...]]


class _PricesFile(msgspec.Struct):
    batch_share: _Share
    pages: list[_Page]


def batch_share() -> float:
    """What a batch prediction costs of the online price of input and output; cached tokens keep theirs."""
    return _read_file().batch_share.value


def find_prices(model: str) -> PriceList | None:
    """The prices of a publisher model; None where none are known, as of tuned models."""
    bare = bare_model(model)
    for page in _read_file().pages:
        if bare in page.models:
            return PriceList(page.source, page.date, page.models[bare])
    return None


@cache
def _read_file() -> _PricesFile:
    return msgspec.json.decode(read_data("prices.json"), type=_PricesFile)
