"""Runs portable work in worker processes of this machine.

Theory of operation.  One thread owns the workers: it starts them as work comes, packs work and hands it to them, takes
back what they answer, and notices how they end.  Other threads leave work in a queue, or a request, and ring a bell.

A worker is given several pieces of work in advance where pieces are short (``Member.room``); it says what it begins.
When one of them turns out to be long, it is asked to give back what it has not begun.  So a worker that dies fails the
one piece that it ran; what else it held goes to others.  A piece that was the next of several that died is taken to be
what kills them: its parcel may be too much for their memory.

The invariant: each piece of work that was submitted is reported once, or counted by ``cancel_waiting`` once.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from time import monotonic

from redun.executors.base import PortableWork, Report
from redun.executors.pool.children import close_end, keep_from_children
from redun.executors.pool.errors import RunnerFailed, WorkEnded, WorkerDied, WorkersNotStarted, describe_exit
from redun.executors.pool.frames import Frame, FrameKind, decode_numbers
from redun.executors.pool.member import Flight, Member
from redun.executors.pool.recall import Recall
from redun.executors.pool.staff import CANCEL_SECONDS, PoolSettings, Staff
from redun.file.statcache import get_stat_cache

END_SECONDS = 10.0
"""How long a worker without work may take to end."""
RECALL_SECONDS = 0.02
"""How long a worker may be at one piece of work while it holds others."""
ANSWER_SECONDS = 1.0
"""How long ``cancel_waiting`` waits for workers to give back what they have not begun."""
MAX_LOSSES = 3
"""How many workers may die with a piece of work at hand and before they have begun it, or before they are ready, until
nobody tries again."""


class Pool:
    """Workers for one execution."""

    def __init__(self, settings: PoolSettings, report: Report) -> None:
        """Make a pool; no process is started before there is work."""
        self._name = settings.name
        self._max_workers = settings.max_workers
        self._contents = settings.contents
        self._report = report
        self._waiting: deque[Flight] = deque()
        self._requests: deque[Callable[[], None]] = deque()
        self._numbers = count()
        self._turns = count()
        self._n_false_starts = 0
        self._recall = Recall()
        self._awaited: list[tuple[set[int], threading.Event]] = []  # who waits until which workers have ended
        self._is_stopping = False
        self._is_asleep = False
        self._bell, self._bell_end = socket.socketpair()
        for end in (self._bell, self._bell_end):
            end.setblocking(False)
            keep_from_children(end)
        self._staff = Staff(settings, self._bell)
        threading.Thread(target=self._serve, name=f"redun-{settings.name}", daemon=True).start()

    # -- from any thread

    def submit(self, work: PortableWork) -> None:
        """Take one piece of work."""
        self._waiting.append(Flight(work, next(self._turns)))
        self._ring()

    def cancel_waiting(self) -> int:
        """Drop what has not begun, unreported; return how many pieces that were."""
        recall = Recall()
        self._ask(lambda: self._start_recall(recall))
        return recall.wait(ANSWER_SECONDS)

    def cancel_running(self) -> None:
        """End what runs; return once it has ended."""
        done = threading.Event()
        self._ask(lambda: self._end_running(done))
        done.wait(CANCEL_SECONDS + ANSWER_SECONDS)

    def abandon(self, work: PortableWork) -> None:
        """End the worker that runs a piece of work; its place is free at once."""
        self._ask(lambda: self._abandon(work))

    def stop(self) -> None:
        """End the workers once all is done; returns at once, and nothing may be submitted any more."""
        self._is_stopping = True
        self._ring()

    def _ask(self, request: Callable[[], None]) -> None:
        self._requests.append(request)
        self._ring()

    def _ring(self) -> None:
        if self._is_asleep:
            self._is_asleep = False
            with suppress(OSError):  # it is ringing already, or nobody is there any more
                self._bell_end.send(b"!")

    # -- the pool's thread

    def _serve(self) -> None:
        try:
            while not (self._is_stopping and self._is_idle()):
                while self._requests:
                    self._requests.popleft()()
                self._feed()
                self._balance()
                self._staff.send()
                self._hear()
                for member, code in self._staff.iter_ended():
                    self._bury(member, code)
        except Exception as error:  # a defect: told with each piece of work, since silence would hang the run
            self._give_up(error)
            raise
        finally:
            self._staff.close()
            for end in (self._bell, self._bell_end):
                close_end(end)

    def _give_up(self, error: Exception) -> None:
        for member in self._staff.members.values():
            self._waiting.extend(member.flights.values())
            member.kill()
        for flight in self._waiting:
            self._fail(flight, error)

    def _is_idle(self) -> bool:
        return not (self._waiting or self._staff.members or self._requests)

    def _hear(self) -> None:
        self._is_asleep = True  # before the queues are looked at: whoever adds to them from now on rings
        for member in self._staff.hear(self._patience()):
            frames = member.read()
            if frames is None:
                self._staff.lose(member)
                continue
            for frame in frames:
                self._take(member, frame)
        self._is_asleep = False

    def _patience(self) -> float | None:
        if self._requests or (self._waiting and self._has_place()):
            return 0.0
        patience = self._staff.patience()
        if patience is not None and any(map(self._can_recall, self._staff.live())):
            return min(RECALL_SECONDS, patience)
        return patience

    def _has_place(self) -> bool:
        live = self._staff.live()
        return len(live) < self._max_workers or any(member.room > 0 for member in live)

    # -- handing out

    def _feed(self) -> None:
        self._start_members()
        while self._waiting:
            free = sorted((one for one in self._staff.live() if one.room > 0), key=lambda one: len(one.flights))
            if not free:
                break
            for member in free:
                if self._waiting:
                    self._give(member, self._waiting.popleft())
        if self._is_stopping and not self._waiting:
            for member in self._staff.live():
                if not member.flights:
                    member.end(END_SECONDS)

    def _give(self, member: Member, flight: Flight) -> None:
        if flight.parcel is None:
            try:
                flight.parcel = flight.work.pack(self._contents)
            except Exception as error:
                self._fail(flight, error)
                return
        member.give(next(self._numbers), flight)

    def _start_members(self) -> None:
        live = self._staff.live()
        n_wanted = len(self._waiting) - sum(not member.flights for member in live)
        try:
            for _ in range(min(n_wanted, self._max_workers - len(live))):
                self._staff.start_one(next(self._numbers))
        except OSError as error:
            self._note_false_start(f"{type(error).__name__}: {error}")

    def _balance(self) -> None:
        """Have workers that are at one piece for long give back what they hold in advance: others will come to it."""
        now = monotonic()
        for member in self._staff.live():
            is_slow = now - member.changed_at > RECALL_SECONDS
            # One that has begun nothing is starting, or busy in some other way: only an idle one would be quicker.
            if self._can_recall(member) and is_slow and (member.running is not None or self._staff.has_idle):
                member.is_recalled = True
                member.say(FrameKind.RECALL, member.n_recallable)

    @staticmethod
    def _can_recall(member: Member) -> bool:
        return member.n_recallable > 0 and not member.is_recalled

    # -- taking back

    def _take(self, member: Member, frame: Frame) -> None:
        kind, number = frame.kind, frame.number
        if kind == FrameKind.BEGUN:
            begun = member.note_begun(number)
            if begun is not None:
                begun.work.begin()
        elif kind == FrameKind.OUTCOME:
            flight = member.note_ended(number)
            if flight is not None:
                flight.work.take(frame.body, self._contents)
                self._report(flight.work)
        elif kind == FrameKind.HASHED:
            get_stat_cache().adopt(frame.body)
        elif kind == FrameKind.BROKEN:
            flight = member.note_ended(number)
            if flight is not None:
                self._fail(flight, RunnerFailed(self._name, flight.work.task_name, frame.body.decode()))
        elif kind == FrameKind.RETURNED:
            self._take_returned(member, decode_numbers(frame.body))
        elif kind == FrameKind.READY:
            member.process_id = number
            self._n_false_starts = 0

    def _fail(self, flight: Flight, error: Exception, log: Sequence[str] = ()) -> None:
        flight.work.fail(error, log)
        self._report(flight.work)

    def _take_returned(self, member: Member, numbers: list[int]) -> None:
        member.is_recalled = False
        flights = [member.flights.pop(number) for number in numbers if number in member.flights]
        if not self._recall.take(member.number, len(flights), is_all=member.n_recallable == 0):
            self._put_back(flights)

    def _put_back(self, flights: list[Flight]) -> None:
        """Put work back into line, each piece where it was submitted; other threads add to the end meanwhile."""
        if not flights:
            return
        last, waiting = max(flight.turn for flight in flights), self._waiting
        while waiting and waiting[0].turn < last:
            flights.append(waiting.popleft())
        waiting.extendleft(sorted(flights, key=lambda flight: flight.turn, reverse=True))

    # -- workers that end

    def _bury(self, member: Member, code: int | None) -> None:
        """Settle what a worker that has ended leaves."""
        if not member.is_closed:
            for frame in member.read_rest():
                self._take(member, frame)
        self._staff.remove(member)
        running = None if member.running is None else member.flights.pop(member.running, None)
        if running is not None:
            self._fail(running, self._death_of(member, running, code), member.last_words())
        elif member.is_ready and not member.was_told and member.flights:
            next(iter(member.flights.values())).n_losses += 1  # it may be what kills a worker before it can begin
        self._take_over(member, code)
        if not (member.is_ready or member.was_told):
            self._note_false_start(f"a process {describe_exit(code)}")
        self._recall.forget(member.number)
        for numbers, event in self._awaited:
            numbers.discard(member.number)
            if not numbers:
                event.set()
        self._awaited = [(numbers, event) for numbers, event in self._awaited if numbers]

    def _death_of(self, member: Member, flight: Flight, code: int | None) -> Exception:
        if member.was_told:
            return WorkEnded(self._name, flight.work.task_name)
        return WorkerDied(self._name, flight.work.task_name, code)

    def _take_over(self, member: Member, code: int | None) -> None:
        """Put what a worker held and had not begun back into line."""
        for flight in member.flights.values():
            if flight.n_losses >= MAX_LOSSES:
                self._fail(flight, WorkerDied(self._name, flight.work.task_name, code))
        self._put_back([flight for flight in member.flights.values() if flight.n_losses < MAX_LOSSES])
        member.flights.clear()

    def _note_false_start(self, why: str) -> None:
        self._n_false_starts += 1
        if self._n_false_starts >= MAX_LOSSES:
            error = WorkersNotStarted(self._name, why)
            while self._waiting:
                self._fail(self._waiting.popleft(), error)

    # -- requests

    def _start_recall(self, recall: Recall) -> None:
        n_dropped = len(self._waiting)
        self._waiting.clear()
        asked = [one for one in self._staff.members.values() if one.n_recallable and not one.is_closed]
        self._recall = recall
        recall.begin(n_dropped, {member.number for member in asked})
        for member in asked:
            member.say(FrameKind.RECALL, member.n_recallable)

    def _end_running(self, done: threading.Event) -> None:
        busy = [member for member in self._staff.members.values() if member.running is not None]
        for member in busy:
            member.terminate(CANCEL_SECONDS)
        if busy:
            self._awaited.append(({member.number for member in busy}, done))
        else:
            done.set()

    def _abandon(self, work: PortableWork) -> None:
        for member in self._staff.members.values():
            flight = None if member.running is None else member.flights.get(member.running)
            if flight is not None and flight.work is work:
                member.terminate(CANCEL_SECONDS)
