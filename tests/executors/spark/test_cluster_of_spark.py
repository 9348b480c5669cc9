"""What Spark says, told in a sentence."""

from __future__ import annotations

from redun.executors.spark.cluster import explain

LOST = """Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times, most recent failure: ExecutorLostFailure
\tat org.apache.spark.scheduler.Task.run(Task.scala:147)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.io.EOFException
\t... 22 more
"""
PYTHON = """Job aborted: org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "worker.py", line 3, in main
    import redun
ModuleNotFoundError: No module named 'redun'

\tat org.apache.spark.api.python.BasePythonRunner.handle(PythonRunner.scala:581)
"""


def test_the_first_sentence_is_the_message():
    """Frames of Java are left out of the log too."""
    told = explain(LOST)
    assert told.why.endswith("most recent failure: ExecutorLostFailure")
    assert told.log == ["Caused by: java.io.EOFException"]


def test_an_error_of_a_worker_is_part_of_the_message():
    """With what to do about it, where that is known."""
    told = explain(PYTHON)
    assert told.why.endswith("(most recent call last): ModuleNotFoundError: No module named 'redun'")
    assert told.hint == "install redun, of the same version, in the Python of Spark's workers"


def test_no_reason_is_told_as_such():
    """There is always a sentence."""
    assert explain("").why == "no reason was given"
