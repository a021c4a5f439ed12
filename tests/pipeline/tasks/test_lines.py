"""Which networks of an image are kept before its neighbours are known."""

from drawn import line_of

from crackpipe.pipeline.tasks.lines import long_or_leaving


def test_short_networks_stay_where_they_leave_the_image() -> None:
    long = line_of(0, (50, 50), (80, 50))
    short = line_of(1, (50, 10), (60, 10))
    together = [line_of(2, (20, 20), (35, 20)), line_of(2, (35, 20), (35, 35))]
    leaving = [
        line_of(3, (-0.3, 70), (9, 70)),
        line_of(4, (90, 80), (99.4, 80)),
        line_of(5, (50, 88), (50, 98)),
    ]
    kept = long_or_leaving([long, short, *together, *leaving], (100, 100), 25.0)
    assert [each.network for each in kept] == [0, 2, 2, 3, 4, 5]
