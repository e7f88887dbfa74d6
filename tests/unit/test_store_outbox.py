"""What is safe in a remote store, and what is sent to it."""

from __future__ import annotations

import numpy as np

from tests.support import T0
from wattwell.intervals import SECOND
from wattwell.store.outbox import START, Outgoing, Place, Progress
from wattwell.store.victoriametrics import lines

URL = "http://remote:8428"
SAFE = 60.0


def test_a_commit_that_is_sent_in_part_is_not_safe() -> None:
    progress = Progress()
    progress.met("1", 0.0, SAFE)
    progress.wrote(Place(7, 3, T0), 0.0)
    assert progress.met("1", 100.0, SAFE)
    assert (progress.settled, progress.sent) == (6, Place(7, 3, T0))
    progress.wrote(Place(7), 100.0)
    progress.met("1", 159.9, SAFE)
    assert progress.settled == 6
    progress.met("1", 160.0, SAFE)
    assert progress.settled == 7


def test_another_server_gets_what_was_not_safe_again() -> None:
    progress = Progress()
    progress.met("1", 0.0, SAFE)
    progress.wrote(Place(5), 0.0)
    progress.met("1", 60.0, SAFE)
    progress.wrote(Place(9), 60.0)
    assert not progress.met("2", 200.0, SAFE)
    assert (progress.settled, progress.sent, len(progress.unsafe)) == (5, Place(5), 0)


def test_progress_survives_a_restart_of_ours() -> None:
    progress = Progress()
    progress.met("1", 0.0, SAFE)
    progress.wrote(Place(5), 0.0)
    document = progress.document(URL, T0 + 10 * SECOND, 10.0)
    again = Progress.of(document, URL, T0 + 30 * SECOND, 1000.0)
    assert (again.sent, again.identity, list(again.unsafe)) == (Place(5), "1", [(5, 970.0)])
    back = Progress.of(document, URL, T0 - 3600 * SECOND, 1000.0)  # the machine's clock was set back
    assert list(back.unsafe) == [(5, 1000.0)]
    again.met("1", 1031.0, SAFE)
    assert again.settled == 5
    assert Progress.of(again.document(URL, T0, 1031.0), URL, T0, 0.0) == Progress(5, Place(5), "1")


def test_another_remote_store_gets_everything() -> None:
    progress = Progress(5, Place(8), "1")
    assert Progress.of(progress.document(URL, T0, 0.0), "http://other:8428", T0, 0.0) == Progress()
    assert Progress.of(None, URL, T0, 0.0).sent == START


def test_lines_are_floats_with_escaped_labels_in_milliseconds() -> None:
    readings = Outgoing(
        keys=(("s", "a"), ("s, t", "b=c\\d")),
        meter=np.array([0, 0, 0, 1]),
        at=np.array([T0, T0 + 1999, T0 + 1001, T0]),
        value=np.array([5.0, 0.1 + 0.2, 1e300, -2.0]),
        revision=np.array([0, 0, 2, 0], dtype=np.int64),
        apart=np.array([False, False, True, False]),
        last=START,
    )
    assert list(lines(readings, {("s", "a"): "L/s"})) == [
        f"wattwell_reading,site=s,meter=a,unit=L/s value=5.0 {T0 // 1000}",
        f"wattwell_reading,site=s,meter=a,unit=L/s value=0.30000000000000004 {T0 // 1000 + 1}",
        f"wattwell_reading,site=s,meter=a,unit=L/s,revision=2,us=1 value=1e+300 {T0 // 1000 + 1}",
        f"wattwell_reading,site=s\\,\\ t,meter=b\\=c\\\\d value=-2.0 {T0 // 1000}",
    ]
