"""Properties that are worked out once."""

from __future__ import annotations

import threading

from redun.once import once


class _Asked:
    def __init__(self) -> None:
        self.n_asked = 0

    @once
    def answer(self) -> list[int]:
        """How often it was worked out."""
        self.n_asked += 1
        return [self.n_asked]


def test_it_is_worked_out_when_first_asked_for_and_kept():
    """The same object comes back each time, for each instance its own."""
    one, other = _Asked(), _Asked()
    assert one.n_asked == 0
    assert one.answer is one.answer
    assert one.answer == [1]
    assert other.answer is not one.answer


def test_the_class_has_the_property_itself():
    """With the method's docstring, for help and documentation."""
    assert isinstance(_Asked.answer, once)
    assert _Asked.answer.__doc__ == "How often it was worked out."


def test_one_object_does_not_wait_for_another():
    """A thread that takes its time over one object holds nothing that the others need."""
    inside, may_end = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, *, is_slow: bool) -> None:
            self.is_slow = is_slow

        @once
        def answer(self) -> int:
            if self.is_slow:
                inside.set()
                assert may_end.wait(60)
            return 1

    thread = threading.Thread(target=lambda: Slow(is_slow=True).answer)
    thread.start()
    try:
        assert inside.wait(60)
        assert Slow(is_slow=False).answer == 1
    finally:
        may_end.set()
        thread.join()


def test_two_threads_that_ask_at_once_get_the_same_object():
    """Both may have worked it out; one result stays."""
    meeting = threading.Barrier(2)

    class Met:
        @once
        def answer(self) -> object:
            meeting.wait(60)
            return object()

    asked, found = Met(), []
    threads = [threading.Thread(target=lambda: found.append(asked.answer)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] is found[1] is asked.answer
