"""The work folder's lock holds against others, and survives that its holder removes the folder."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from server.recording.film.work import try_lock


def test_one_at_a_time(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "film")
    assert first is not None
    assert try_lock(tmp_path / "film") is None
    os.close(first)
    second = try_lock(tmp_path / "film")
    assert second is not None
    os.close(second)


def test_holders_that_remove_the_folder_never_meet(tmp_path: Path) -> None:
    folder = tmp_path / "film"
    held: list[int] = []
    most: list[int] = []

    def hold_often(me: int) -> None:
        done = 0
        while done < 200:
            descriptor = try_lock(folder)
            if descriptor is None:
                continue
            held.append(me)
            most.append(len(held))
            assert os.path.samestat(os.fstat(descriptor), folder.stat())
            held.remove(me)
            shutil.rmtree(folder)
            os.close(descriptor)
            done += 1

    with ThreadPoolExecutor(3) as pool:
        for each in [pool.submit(hold_often, me) for me in range(3)]:
            each.result()
    assert set(most) == {1}
    assert len(most) == 600
