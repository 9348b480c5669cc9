"""An executor for one machine that counts memory: a job starts when there is room for it."""

import threading
from collections import deque

from redun.executors.base import Executor
from redun.scripting import exec_script, get_task_command


class MemoryExecutor(Executor):
    """Runs jobs in threads.  ``memory`` is in GiB: of all jobs together in the section, of one job as an option."""

    option_names = frozenset({"memory"})

    def __init__(self, name, scheduler=None, config=None):
        super().__init__(name, scheduler, config)
        self.memory = config.getfloat("memory", 8.0)
        self.free = self.memory
        self.waiting = deque()
        self.lock = threading.Lock()

    def submit(self, job):
        self.add(job, self.call)

    def submit_script(self, job):
        self.add(job, self.run_script)

    def add(self, job, run):
        need = job.get_option("memory", 1)
        if need > self.memory:
            raise ValueError(f"{job.task_name} needs {need} GiB, and there are {self.memory:g}")
        with self.lock:
            self.waiting.append((need, job, run))
        self.start_what_fits()

    def start_what_fits(self):
        with self.lock:
            # In the order in which they came: a large job is not overtaken for ever by small ones.
            while self.waiting and self.waiting[0][0] <= self.free:
                need, job, run = self.waiting.popleft()
                self.free -= need
                threading.Thread(target=self.work, args=(need, job, run), daemon=True).start()

    def work(self, need, job, run):
        try:
            result = run(job)
        except Exception as error:
            self._scheduler.reject_job(job, error)
        else:
            self._scheduler.done_job(job, result, job_tags=[("memory", need)])
        with self.lock:
            self.free += need
        self.start_what_fits()

    def call(self, job):
        args, kwargs = job.args
        return job.task.func(*args, **kwargs)

    def run_script(self, job):
        args, kwargs = job.args
        return exec_script(get_task_command(job.task, args, kwargs))
