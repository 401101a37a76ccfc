"""Tokens to money: the batch rate, the tier of long requests, audio, images, and what was cached."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from geminate.stages.estimates.ranges import Range, Ranges
from geminate.wire.prices import Price, Rates, batch_share

_UNIT_TOKENS = 1e6


def cost_usd(prices: Sequence[Price], plain: Ranges, audio: Ranges, output: Ranges, cached_share: float) -> Range:
    """What requests cost, in US dollars: the likely at the first price, the ends at the lowest and the highest.

    Args:
        prices: Those that may be in force.
        plain: Input tokens of each request that are not audio.
        audio: Those that are.
        output: Output tokens of each, thoughts included.
        cached_share: How much of the input is taken to be cached; the high end does not count on it.
    """
    ends = [_cost(price, plain, audio, output, cached_share) for price in prices]
    return Range(min(end.low for end in ends), ends[0].likely, max(end.high for end in ends))


def format_usd(amount: float) -> str:
    """An amount with as many digits as tell it from nothing."""
    digits = 2 if amount >= 1 or not amount else 1 - math.floor(math.log10(amount))
    return f"${amount:,.{digits}f}"


def _cost(price: Price, plain: Ranges, audio: Ranges, output: Ranges, cached_share: float) -> Range:
    is_long = plain + audio > price.long_over_tokens if price.long else np.zeros(plain.shape, np.bool_)
    long, share = price.long or price, batch_share()
    input_rate = np.where(is_long, long.input, price.input) * share
    output_rate = np.where(is_long, long.output, price.output) * share
    if price.image_output is not None:
        # What is an image and what is text shows only in the answer: the low end is text, the others are images.
        output_rate[1:] = price.image_output * share
    audio_rate = input_rate if price.audio_input is None else price.audio_input * share
    cached_rate = np.minimum(np.where(is_long, _cached(long), _cached(price)), input_rate)
    hit = np.array([[cached_share], [cached_share], [0.0]])
    plain_rate = input_rate * (1 - hit) + cached_rate * hit
    each = (plain * plain_rate + audio * audio_rate + output * output_rate) / _UNIT_TOKENS
    return Range(*each.sum(axis=1).tolist())


def _cached(rates: Rates) -> float:
    return rates.input if rates.cached is None else rates.cached
