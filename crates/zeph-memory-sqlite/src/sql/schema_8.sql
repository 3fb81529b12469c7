-- Version 8: the view of tasks says why a task has the result of an earlier run.

PRAGMA user_version = 8;
