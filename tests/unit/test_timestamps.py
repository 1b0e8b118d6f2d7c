"""Files from the future come back in their order, and no other file is touched."""

from __future__ import annotations

import os
import time
from pathlib import Path

from trainability import timestamps

HOUR = 3600 * 10**9


def test_what_is_ahead_of_the_clock_is_brought_back_in_its_order(tmp_path: Path) -> None:
    now = time.time_ns()
    hours = {"old": -2, "input": 5, "twin": 5, "output": 6, "table": 7}
    for name, ahead in hours.items():
        path = tmp_path / "cells" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, ns=(now, now + ahead * HOUR))
    assert timestamps.bring_back(tmp_path) == 4
    times = {name: (tmp_path / "cells" / name).stat().st_mtime_ns for name in hours}
    assert times["old"] == now - 2 * HOUR
    assert now <= times["input"] == times["twin"] < times["output"] < times["table"] <= time.time_ns() + 10**6
    assert timestamps.bring_back(tmp_path / "cells") <= 3, "at most what is microseconds ahead"
    assert timestamps.bring_back(tmp_path / "nowhere") == 0
