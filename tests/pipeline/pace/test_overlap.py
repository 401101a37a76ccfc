"""Reading ahead keeps order, errors and bounds."""

import threading

import pytest

from geminate.pipeline.pace.overlap import iter_begun_ahead


class Opened:
    """Openers of three values each that say what was begun and what was closed."""

    def __init__(self, count, broken=()):
        self.begun, self.closed = [], []
        self.broken = broken
        self.openers = [lambda number=number: self.iterate(number) for number in range(count)]

    def iterate(self, number):
        self.begun.append(number)
        if number in self.broken:
            raise ZeroDivisionError(number)
        try:
            yield from ((number, place) for place in range(3))
        finally:
            self.closed.append(number)


def test_all_values_come_in_order_and_only_the_next_are_begun():
    opened = Opened(6)
    for number, values in enumerate(iter_begun_ahead(opened.openers)):
        assert max(opened.begun) <= number + 1
        assert list(values) == [(number, place) for place in range(3)]
    assert sorted(opened.begun) == sorted(opened.closed) == list(range(6))


def test_what_is_left_is_closed():
    opened, threads = Opened(6), threading.active_count()
    ahead = iter_begun_ahead(opened.openers)
    assert next(next(ahead)) == (0, 0)
    ahead.close()
    assert sorted(opened.begun) == sorted(opened.closed)
    assert len(opened.begun) <= 2
    assert threading.active_count() == threads


def test_an_error_comes_where_its_values_are_taken():
    opened = Opened(3, broken={1})
    ahead = iter_begun_ahead(opened.openers)
    assert len(list(next(ahead))) == 3
    values = next(ahead)
    with pytest.raises(ZeroDivisionError):
        list(values)
    assert len(list(next(ahead))) == 3


def test_nothing_comes_of_nothing():
    assert list(iter_begun_ahead([])) == []
